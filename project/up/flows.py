"""Drives the sample attempts through the service, the way a customer's backend does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from project.up.backend import Answer, Backend
from project.up.errors import UpError
from project.up.samples import Sample

CREATED = 201


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one sample: each answer to a post, the last of them a replay if posted twice."""

    sample: Sample
    biz_no: str
    answers: tuple[Answer, ...]


def send_all(
    samples: tuple[Sample, ...],
    backend: Backend,
    *,
    started_at: datetime,
    reference: bytes,
    packet: Callable[[int], bytes],
) -> Iterator[Sent]:
    """Send the samples one after the other; `packet(n)` gives the n bytes of a phone's SDK.

    UpError if the service does not take one at all.
    """
    for number, sample in enumerate(samples, 1):
        biz_no = f"demo-{started_at:%m%d-%H%M%S}-{number:02}"
        if sample.scenario:
            biz_no += f" sandbox:{sample.scenario}"
        yield _send(sample, backend, biz_no=biz_no, reference=reference, packet=packet)


def _send(
    sample: Sample,
    backend: Backend,
    *,
    biz_no: str,
    reference: bytes,
    packet: Callable[[int], bytes],
) -> Sent:
    session = backend.open_session(texts=_session_texts(biz_no), reference=reference)
    if session.status != CREATED:
        raise UpError(f"POST /api/v1/sessions/ for {biz_no!r}: {_problem(session)}")
    data = packet(sample.packet_bytes)
    posts = 2 if sample.is_posted_twice else 1
    token = str(session.body["biz_token"])
    answers = [backend.submit(biz_token=token, packet=data) for _ in range(posts)]
    return Sent(sample, biz_no, tuple(answers))


def _session_texts(biz_no: str) -> dict[str, str]:
    return {
        "liveness_type": "meglive",
        "comparison_type": "0",
        "uuid": f"person-of-{biz_no.partition(' ')[0]}",
        "biz_no": biz_no,
        "verbose": "1",
        "device_risk": "1",
        "verify_risk_detect": "1",
    }


def _problem(answer: Answer) -> str:
    return f"{answer.status} {answer.body.get('code')}: {answer.body.get('detail')}"
