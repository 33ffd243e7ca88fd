"""A submission through the corridor, over real HTTP to the sandbox, into PostgreSQL."""

import hashlib
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from tests.conftest import OpenToken
from verification.faceid.contract import RESULTS, VERIFY_PATH, ResultRow
from verification.lifecycle import State
from verification.models import ApiClient, Evidence, VerificationAttempt
from verification.outcomes import read_billable, read_outcome
from verification.sandbox.answers import FACE
from verification.sandbox.scenarios import SCENARIOS
from verification.sandbox.server import SandboxServer
from verification.services.errors import (
    AttemptInFlightError,
    AttemptNotSentError,
    ForeignTokenError,
    IdempotencyKeyReusedError,
    PacketMismatchError,
)
from verification.services.replay import stored_answer
from verification.services.runtime import Runtime, make_runtime
from verification.services.sealing import open_evidence
from verification.services.submission import Submitted, submit

pytestmark = pytest.mark.django_db(transaction=True)

PACKET = b"packet" * 20_000


@pytest.fixture
def send(client_app: ApiClient, runtime: Runtime) -> "Send":
    """Return a function that submits a packet: `send(token, packet=..., key=..., runtime=...)`."""
    return Send(client_app, runtime)


class Send:
    """Submits as one client with one runtime."""

    def __init__(self, client: ApiClient, runtime: Runtime) -> None:
        self.client = client
        self.runtime = runtime

    def __call__(
        self,
        token: str,
        packet: bytes = PACKET,
        key: str | None = None,
        runtime: Runtime | None = None,
    ) -> Submitted:
        """Submit and return what came of it."""
        return submit(
            client=self.client,
            biz_token=token,
            packet=memoryview(packet),
            packet_sha256=hashlib.sha256(packet).digest(),
            idempotency_key=key,
            runtime=runtime or self.runtime,
        )


def upstream_calls(sandbox: SandboxServer) -> int:
    """Return how many complete verify requests the vendor has seen."""
    return sum(entry.complete and entry.path == VERIFY_PATH for entry in sandbox.requests.entries())


def row() -> VerificationAttempt:
    """Return the only attempt there is."""
    return VerificationAttempt.objects.get()


@pytest.mark.parametrize(
    "name",
    [name for name, each in SCENARIOS.items() if isinstance(each.row, ResultRow)],
)
def test_every_documented_result_ends_in_its_row(
    name: str, open_token: OpenToken, send: Send, sandbox: SandboxServer
) -> None:
    documented = SCENARIOS[name].row
    assert isinstance(documented, ResultRow)
    token = open_token(f"ONB-1 sandbox:{name}", verbose="1", device_risk="1")
    submitted = send(token)
    stored = row()
    assert submitted.attempt == stored
    assert (stored.state, stored.http_status) == (State.ANSWERED, 200)
    assert stored.result_code == documented.code
    if name != "hostile-strings":
        assert stored.result_message == documented.message
        assert stored.billable is read_billable(documented.code, documented.message)
    assert stored.outcome == read_outcome(documented.code, is_attack=stored.is_attack)
    assert stored.biz_no == f"ONB-1 sandbox:{name}"
    assert stored.subject == "subject-1"
    assert upstream_calls(sandbox) == 1


def test_every_row_of_the_result_table_is_among_those() -> None:
    covered = {each.row for each in SCENARIOS.values()}
    assert set(RESULTS) <= covered


@pytest.mark.parametrize(
    "name",
    [
        each.name
        for each in SCENARIOS.values()
        if each.row is not None
        and not isinstance(each.row, ResultRow)
        and each.endpoint == "verify"
        and each.row.http_status in {400, 401, 403, 404, 413}
    ],
)
def test_every_documented_refusal_ends_in_its_row(
    name: str, open_token: OpenToken, send: Send, sandbox: SandboxServer
) -> None:
    documented = SCENARIOS[name].row
    assert documented is not None
    assert not isinstance(documented, ResultRow)
    submitted = send(open_token(f"sandbox:{name}"))
    stored = row()
    assert submitted.attempt.state == stored.state == State.REJECTED
    assert stored.http_status == documented.http_status
    assert stored.error_code == (documented.code or "refused")
    assert (stored.error_argument is None) == (documented.argument is None)
    assert (stored.outcome, stored.result_code) == (None, None)
    assert upstream_calls(sandbox) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("timeout-before", "read_timeout"),
        ("timeout-after", "read_timeout"),
        ("slow:9", "read_timeout"),
        ("drip-headers:0.2", "read_timeout"),
        ("drip-body:0.2", "read_timeout"),
        ("reset-after", "reset"),
        ("close-after", "closed"),
        ("truncated", "truncated"),
        ("empty", "invalid_json"),
        ("invalid-json", "invalid_json"),
        ("nan", "invalid_json"),
        ("duplicate-keys", "invalid_json"),
        ("deep-json", "invalid_json"),
        ("nul", "invalid_json"),
        ("wrong-shape", "unexpected_shape"),
        ("out-of-range", "unexpected_shape"),
        ("huge-json", "too_large"),
        ("gzip-bomb", "encoded"),
        ("500", "server_error"),
        ("500-internal-error", "server_error"),
        ("502-html", "server_error"),
        ("redirect", "redirect"),
    ],
)
def test_a_byte_left_and_no_usable_answer_is_in_doubt_and_never_sent_again(
    name: str, reason: str, open_token: OpenToken, send: Send, sandbox: SandboxServer
) -> None:
    token = open_token(f"sandbox:{name}")
    hasty = make_runtime(replace(send.runtime.conf, faceid_timeout_s=1.0))
    submitted = send(token, runtime=hasty)
    assert submitted.attempt.state == State.IN_DOUBT
    assert row().error_code == reason
    assert send(token).is_replay
    assert upstream_calls(sandbox) == 1


def test_a_reset_in_mid_upload_is_in_doubt(open_token: OpenToken, send: Send) -> None:
    submitted = send(open_token("sandbox:reset-upload"), packet=b"x" * 4_000_000)
    assert (submitted.attempt.state, submitted.attempt.error_code) == (State.IN_DOUBT, "reset")


def test_a_refusal_in_mid_upload_is_read(open_token: OpenToken, send: Send) -> None:
    submitted = send(open_token("sandbox:413-early"), packet=b"x" * 4_000_000)
    assert (submitted.attempt.state, submitted.attempt.http_status) == (State.REJECTED, 413)


@pytest.mark.parametrize("name", ["429-once", "503-once"])
def test_a_busy_vendor_is_asked_once_more(
    name: str, open_token: OpenToken, send: Send, sandbox: SandboxServer
) -> None:
    submitted = send(open_token(f"sandbox:{name}"))
    assert (submitted.attempt.state, row().send_no) == (State.ANSWERED, 1)
    assert upstream_calls(sandbox) == 2


def test_a_vendor_that_stays_busy_spends_nothing_and_a_repeat_goes_on(
    open_token: OpenToken, send: Send, sandbox: SandboxServer
) -> None:
    token = open_token("sandbox:429")
    with pytest.raises(AttemptNotSentError) as refused:
        send(token)
    assert refused.value.reason == "upstream_busy"
    assert row().state == State.NOT_SENT
    assert upstream_calls(sandbox) == 2
    with pytest.raises(AttemptNotSentError):
        send(token)
    assert row().send_no == 2


def test_nobody_listening_is_not_sent_and_a_repeat_completes_it(
    open_token: OpenToken, send: Send, sandbox: SandboxServer
) -> None:
    token = open_token("ONB-7")
    nowhere = make_runtime(replace(send.runtime.conf, faceid_base_url="http://127.0.0.1:9"))
    with pytest.raises(AttemptNotSentError) as refused:
        send(token, runtime=nowhere)
    assert refused.value.reason == "upstream_unreachable"
    assert (row().state, row().error_code) == (State.NOT_SENT, "refused")
    assert send(token).attempt.state == State.ANSWERED
    assert (row().send_no, row().error_code) == (2, None)
    assert upstream_calls(sandbox) == 1


def test_the_packet_reaches_the_vendor_unchanged_and_is_not_kept(
    open_token: OpenToken, send: Send, sandbox: SandboxServer
) -> None:
    packet = bytes(range(256)) * 40_000 + b"\r\n--boundary--\r\n"
    send(open_token("ONB-8"), packet=packet)
    digest = hashlib.sha256(packet).hexdigest()
    assert sandbox.requests.entries()[-1].packet_sha256 == digest
    assert bytes(row().packet_sha256).hex() == digest
    assert row().packet_size_bytes == len(packet)


def test_the_token_stands_nowhere_in_the_database(open_token: OpenToken, send: Send) -> None:
    token = open_token("ONB-9", verbose="1")
    send(token)
    with connection.cursor() as cursor:
        for table in ("session", "attempt", "evidence"):
            cursor.execute(f"SELECT t::text FROM verification_{table} AS t")
            assert token not in str(cursor.fetchall())


def test_evidence_is_sealed_and_opens_to_what_was_answered(
    open_token: OpenToken, send: Send
) -> None:
    submitted = send(open_token("ONB-10"))
    kinds = {each.kind: each for each in Evidence.objects.all()}
    assert set(kinds) == {"raw_answer", "image_best", "video_key"}
    assert FACE not in bytes(kinds["image_best"].sealed)
    keyring = send.runtime.conf.keyring
    assert open_evidence(evidence=kinds["image_best"], keyring=keyring) == FACE
    raw = open_evidence(evidence=kinds["raw_answer"], keyring=keyring)
    assert raw == submitted.raw_answer
    assert bytes(kinds["image_best"].sha256) == hashlib.sha256(FACE).digest()


def test_the_same_token_again_returns_the_same_attempt_without_a_call(
    open_token: OpenToken, send: Send, sandbox: SandboxServer
) -> None:
    token = open_token("ONB-11")
    first = send(token)
    again = send(token)
    assert (first.is_replay, again.is_replay) == (False, True)
    assert first.attempt == again.attempt
    assert upstream_calls(sandbox) == 1
    stored = stored_answer(attempt=again.attempt, runtime=send.runtime)
    assert stored is not None
    assert (stored.http_status, stored.body) == (200, first.raw_answer)


def test_a_token_of_another_client_is_refused_and_leaves_no_trace(
    open_token: OpenToken, send: Send, stranger_app: ApiClient, sandbox: SandboxServer
) -> None:
    token = open_token("ONB-12")
    sandbox.requests.clear()
    with pytest.raises(ForeignTokenError):
        Send(stranger_app, send.runtime)(token)
    assert not VerificationAttempt.objects.exists()
    assert not sandbox.requests.entries()
    assert not send(token).is_replay


def test_fifty_equal_posts_at_once_make_one_call(
    open_token: OpenToken, send: Send, sandbox: SandboxServer
) -> None:
    token = open_token("sandbox:slow:0.3")
    start = threading.Barrier(50)

    def post(_: int) -> str:
        start.wait()
        try:
            return "replayed" if send(token).is_replay else "sent"
        except AttemptInFlightError:
            return "in flight"
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        seen = Counter(pool.map(post, range(50)))
    assert seen["sent"] == 1
    assert sum(seen.values()) == 50
    assert upstream_calls(sandbox) == 1
    assert VerificationAttempt.objects.count() == 1


def test_an_idempotency_key_with_another_payload_is_refused(
    open_token: OpenToken, send: Send, sandbox: SandboxServer
) -> None:
    token = open_token("ONB-13")
    send(token, key="order-1")
    assert send(token, key="order-1").is_replay
    with pytest.raises(IdempotencyKeyReusedError):
        send(token, key="order-1", packet=b"another")
    with pytest.raises(IdempotencyKeyReusedError):
        send(open_token("ONB-14"), key="order-1")
    assert upstream_calls(sandbox) == 1


def test_an_unsent_attempt_takes_its_own_packet_only(open_token: OpenToken, send: Send) -> None:
    token = open_token("ONB-15")
    nowhere = make_runtime(replace(send.runtime.conf, faceid_base_url="http://127.0.0.1:9"))
    with pytest.raises(AttemptNotSentError):
        send(token, runtime=nowhere)
    with pytest.raises(PacketMismatchError):
        send(token, packet=b"another")
    assert send(token).attempt.state == State.ANSWERED


def test_a_submission_inside_a_transaction_is_refused(open_token: OpenToken, send: Send) -> None:
    token = open_token("ONB-16")
    with transaction.atomic(), pytest.raises(TransactionManagementError):
        send(token)
    assert not VerificationAttempt.objects.exists()


def test_no_connection_is_held_while_the_vendor_works(open_token: OpenToken, send: Send) -> None:
    token = open_token("ONB-17")
    held: list[bool] = []

    class Watching:
        def verify(self, *, biz_token: str, packet: memoryview) -> object:
            held.append(connection.connection is not None)
            return send.runtime.upstream.verify(biz_token=biz_token, packet=packet)

    watched = replace(send.runtime, upstream=Watching())  # type: ignore[arg-type]  # a duck
    send(token, runtime=watched)
    assert held == [False]


def test_when_the_vendor_sees_the_first_byte_a_sending_row_is_committed(
    open_token: OpenToken, send: Send
) -> None:
    token = open_token("ONB-18")
    seen: list[tuple[str, int]] = []

    class Watching:
        def verify(self, *, biz_token: str, packet: memoryview) -> object:
            with ThreadPoolExecutor(1) as pool:
                seen.append(pool.submit(look).result())
            return send.runtime.upstream.verify(biz_token=biz_token, packet=packet)

    def look() -> tuple[str, int]:
        try:
            attempt = row()
            assert attempt.deadline_at is not None
            assert attempt.deadline_at - attempt.created_at > timedelta(seconds=4)
            return attempt.state, attempt.send_no
        finally:
            connection.close()

    watched = replace(send.runtime, upstream=Watching())  # type: ignore[arg-type]  # a duck
    send(token, runtime=watched)
    assert seen == [("sending", 1)]


def test_a_clock_that_goes_backwards_loses_no_record(open_token: OpenToken, send: Send) -> None:
    token = open_token("ONB-19")
    now = send.runtime.now()
    times = iter([now, now - timedelta(hours=1), now - timedelta(hours=2)])

    def backwards() -> datetime:
        return next(times)

    assert send(token, runtime=replace(send.runtime, now=backwards)).attempt.state == "answered"


def test_an_answer_that_we_fail_to_read_is_kept_and_in_doubt(
    open_token: OpenToken, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    class Garbling:
        def verify(self, *, biz_token: str, packet: memoryview) -> object:
            answer = send.runtime.upstream.verify(biz_token=biz_token, packet=packet)
            return replace(answer, comparisons=None)  # type: ignore[arg-type]  # a bug of ours

    garbled = replace(send.runtime, upstream=Garbling())  # type: ignore[arg-type]  # a duck
    submitted = send(open_token("ONB-20"), runtime=garbled)
    assert (submitted.attempt.state, row().error_code) == (State.IN_DOUBT, "answer_not_read")
    (kept,) = Evidence.objects.all()
    raw = open_evidence(evidence=kept, keyring=send.runtime.conf.keyring)
    assert raw == submitted.raw_answer
    assert "AttributeError" in caplog.text


def test_a_vendor_that_refuses_our_credentials_is_logged(
    open_token: OpenToken, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    token = open_token("sandbox:403-authorization-error-invalid-sign")
    send(token)
    assert "the vendor refused us: HTTP 403" in caplog.text
    assert token not in caplog.text
