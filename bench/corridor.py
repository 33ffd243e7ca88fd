"""Eight writers through the corridor, with a vendor that answers at once and no HTTP.

`python -m bench.child corridor ledger` waits for lines `COUNT PER_S` on its standard input, makes
so many submissions, at most PER_S a second (0: as fast as it can), and prints a line of JSON for
each. There are two counterparts of the same services. `bare` has exactly the inserts into the
stage cut out of their statements, and builds no entries. `unjudged` has the policy and the counts
of earlier failures cut out of the intention to send, so that nothing is judged.
"""

import json
import re
import secrets
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from hashlib import sha256
from itertools import count
from unittest.mock import patch

from django.db import connection

from bench.site import BenchError
from bench.upstream import verify_answer
from verification.faceid import answers
from verification.faceid.types import VerifyAnswer
from verification.identifiers import uuid7
from verification.models import ApiClient, VerificationSession
from verification.services import accepting, settling, submission
from verification.services.runtime import Runtime, get_runtime
from verification.services.submission import submit
from verification.services.upstream import Upstream
from verification.vault.digest import keyed_digest

WRITERS = 8
PEOPLE = 5000
PACKET = b"\xff" * 1000

ACCEPT_STAGE = r"INSERT INTO verification_ledger_stage .* FROM accepted RETURNING no"
SETTLE_STAGE = (
    r", staged AS \(\s+INSERT INTO verification_ledger_stage [^)]*\) SELECT [^\n]*\n    \)"
)


POLICY = r"\n    FROM \(\s+SELECT max\(version\).*?\) AS policy(?=\n)"
JUDGED_BY = r", policy\.version, .*"
UNJUDGED = ", NULL::int, NULL::text, 0, 0"


def main(arguments: list[str]) -> None:
    """Serve until the standard input ends."""
    with ExitStack() as cuts:
        if arguments[0] == "bare":
            cuts.enter_context(_without_entries())
        if arguments[0] == "unjudged":
            cuts.enter_context(_without_judgement())
        _serve()


@contextmanager
def _without_entries() -> Iterator[None]:
    accept = _cut(accepting.ACCEPT, ACCEPT_STAGE, "SELECT id FROM accepted", gone="ledger")
    settle = _cut(settling.SETTLE, SETTLE_STAGE, "", gone="ledger")
    with (
        patch.multiple(accepting, ACCEPT=accept, accepted_entry=_no_entry),
        patch.multiple(settling, SETTLE=settle, settled_entry=_no_entry),
    ):
        yield


@contextmanager
def _without_judgement() -> Iterator[None]:
    sent = _cut(submission.INTEND, POLICY, "", gone="max(")
    sent = _cut(sent, JUDGED_BY, UNJUDGED, gone="policy")
    with patch.object(submission, "INTEND", sent):
        yield


def _serve() -> None:
    world = get_runtime()
    writer = Writer(Runtime(world.conf, Answering(), world.now), ApiClient.objects.get())
    for line in sys.stdin:
        submissions, per_s = line.split()
        print(json.dumps(writer.write(int(submissions), float(per_s))), flush=True)


class Answering(Upstream):
    """The vendor without the way there: the answer is read anew each time, as a real one is."""

    def __init__(self) -> None:
        self._raw = verify_answer()

    def verify(self, *, biz_token: str, packet: memoryview) -> VerifyAnswer:  # noqa: ARG002
        """Answer that the person was verified."""
        return answers.verify_answer(self._raw)


class Writer:
    """Submits from WRITERS threads, each with a connection of its own while it needs one."""

    def __init__(self, runtime: Runtime, client: ApiClient) -> None:
        self._runtime = runtime
        self._client = client
        self._digest = sha256(PACKET).digest()

    def write(self, submissions: int, per_s: float) -> dict[str, object]:
        """Make submissions; return the seconds that all took and the milliseconds of each."""
        tokens = self._open_sessions(submissions)
        numbers, began = count(), time.perf_counter()

        def work(_writer: int) -> list[float]:
            times = []
            while (number := next(numbers)) < submissions:
                if per_s:
                    time.sleep(max(0.0, began + number / per_s - time.perf_counter()))
                times.append(self._submit(tokens[number]) * 1000)
            return times

        with ThreadPoolExecutor(WRITERS) as pool:
            times = [each for done in pool.map(work, range(WRITERS)) for each in done]
        return {"seconds": time.perf_counter() - began, "took_ms": times}

    def _open_sessions(self, number: int) -> list[str]:
        """Return tokens of as many people, some of whom have come before."""
        tokens = [f"1700000000,{secrets.token_hex(18)}" for _ in range(number)]
        now, key = self._runtime.now(), self._runtime.conf.digest_key
        VerificationSession.objects.bulk_create(
            VerificationSession(
                id=uuid7(now),
                client=self._client,
                region="sandbox",
                token_digest=keyed_digest(key, token),
                biz_no=f"order-{token[-12:]}",
                subject=f"person-{secrets.randbelow(PEOPLE)}",
                liveness_type="still",
                options={},
                created_at=now,
                expires_at=now + timedelta(hours=1),
            )
            for token in tokens
        )
        return tokens

    def _submit(self, token: str) -> float:
        began = time.perf_counter()
        submit(
            client=self._client,
            biz_token=token,
            packet=memoryview(PACKET),
            packet_sha256=self._digest,
            idempotency_key=None,
            runtime=self._runtime,
        )
        connection.close()  # as a request's end does
        return time.perf_counter() - began


def _cut(statement: str, part: str, instead: str, *, gone: str) -> str:
    cut, times = re.subn(part, instead, statement, flags=re.DOTALL)
    if times != 1 or gone in cut:
        raise BenchError("a statement of the corridor is not the one that this knows how to cut")
    return cut


def _no_entry(**_: object) -> bytes:
    return b""
