"""Dead processes, late writers, unstorable answers, reconciliation."""

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from tests.conftest import OpenToken
from verification.conf import get_conf
from verification.faceid.answers import verify_answer
from verification.lifecycle import State
from verification.models import ApiClient, Evidence, VerificationAttempt
from verification.services import reconciliation
from verification.services.accepting import accept, receive
from verification.services.errors import AttemptInFlightError, NotInDoubtError
from verification.services.reaper import ACCEPTED_LIMIT_S, Reaped, reap
from verification.services.runtime import Runtime
from verification.services.sealing import open_evidence
from verification.services.settlement import Settlement, settlement_of_answer
from verification.services.settling import PAUSES_S, Send, settle
from verification.services.submission import intend, submit

pytestmark = pytest.mark.django_db(transaction=True)

PACKET = memoryview(b"packet" * 1000)
PACKET_SHA256 = hashlib.sha256(PACKET).digest()


@pytest.fixture
def accepted(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Send:
    """Return an attempt that was accepted; nothing more happened to it."""
    submission = receive(
        client=client_app,
        biz_token=open_token("ONB-1"),
        packet=PACKET,
        packet_sha256=PACKET_SHA256,
        idempotency_key=None,
        conf=runtime.conf,
    )
    attempt_id = accept(submission, runtime=runtime).attempt_id
    return Send(attempt_id, 0, runtime.now(), b"k" * 32)


@pytest.fixture
def sending(accepted: Send, runtime: Runtime) -> Send:
    """Return an attempt whose process is about to send, or was."""
    send = intend(accepted.attempt_id, runtime=runtime)
    assert send is not None
    return send


@pytest.fixture
def later(runtime: Runtime) -> Callable[[float], Runtime]:
    """Return a function that gives a runtime whose clock is ahead by some seconds."""

    def ahead(seconds: float) -> Runtime:
        def clock() -> datetime:
            return runtime.now() + timedelta(seconds=seconds)

        return replace(runtime, now=clock)

    return ahead


ANSWERED = Settlement(
    State.ANSWERED,
    {"http_status": 200, "result_code": 1000, "result_message": "SUCCESS", "outcome": "verified"},
    {
        "raw_answer": b'{"request_id": "1,2", "result_code": 1000, "result_message": "SUCCESS",'
        b' "images": {"image_best": "/9j/2Q=="}}',
        "image_best": b"\xff\xd8\xff\xd9",
    },
)
"""An answer with its evidence."""


def state_of(send: Send) -> str:
    """Return the attempt's state."""
    return VerificationAttempt.objects.get(pk=send.attempt_id).state


def test_what_was_never_sent_is_reaped_as_not_sent(
    accepted: Send, later: Callable[[float], Runtime]
) -> None:
    assert reap(runtime=later(ACCEPTED_LIMIT_S - 1)) == Reaped(0, 0)
    assert reap(runtime=later(ACCEPTED_LIMIT_S + 1)) == Reaped(not_sent=1, in_doubt=0)
    assert state_of(accepted) == State.NOT_SENT


def test_what_may_have_been_sent_is_reaped_as_in_doubt_within_a_minute(
    sending: Send, runtime: Runtime, later: Callable[[float], Runtime]
) -> None:
    deadline_s = runtime.conf.faceid_timeout_s
    assert reap(runtime=later(deadline_s)) == Reaped(0, 0)
    overdue = later(deadline_s + runtime.conf.reaper_grace_s + 1)
    assert reap(runtime=overdue) == Reaped(not_sent=0, in_doubt=1)
    assert reap(runtime=overdue) == Reaped(0, 0)
    attempt = VerificationAttempt.objects.get()
    assert (attempt.state, attempt.error_code) == (State.IN_DOUBT, "process_lost")


def test_the_shipped_limits_reap_within_a_minute() -> None:
    conf, every_s = get_conf(), 10
    assert conf.faceid_timeout_s + conf.reaper_grace_s + every_s < 60


def test_a_late_writer_changes_nothing_in_the_row_but_its_answer_is_kept(
    sending: Send, runtime: Runtime, later: Callable[[float], Runtime]
) -> None:
    reap(runtime=later(1000))
    before = VerificationAttempt.objects.filter(pk=sending.attempt_id).values().get()
    settle(sending, ANSWERED, runtime=runtime)
    settle(sending, ANSWERED, runtime=runtime)
    assert VerificationAttempt.objects.filter(pk=sending.attempt_id).values().get() == before
    assert [each.kind for each in Evidence.objects.all()] == ["late_answer"]


def test_a_writer_with_an_older_number_changes_nothing_at_all(
    sending: Send, runtime: Runtime
) -> None:
    settle(replace(sending, send_no=0), ANSWERED, runtime=runtime)
    assert state_of(sending) == State.SENDING
    assert not Evidence.objects.exists()


def test_a_second_settlement_changes_nothing(sending: Send, runtime: Runtime) -> None:
    settle(sending, ANSWERED, runtime=runtime)
    settle(sending, Settlement(State.REJECTED, {}, {}), runtime=runtime)
    assert state_of(sending) == State.ANSWERED
    assert Evidence.objects.count() == 2


def test_only_one_process_gets_to_send(accepted: Send, runtime: Runtime) -> None:
    assert intend(accepted.attempt_id, runtime=runtime) is not None
    assert intend(accepted.attempt_id, runtime=runtime) is None


def test_a_token_whose_attempt_is_being_sent_is_in_flight(
    client_app: ApiClient, runtime: Runtime, open_token: OpenToken
) -> None:
    token = open_token("ONB-2")
    given = {
        "client": client_app,
        "biz_token": token,
        "packet": PACKET,
        "packet_sha256": PACKET_SHA256,
        "idempotency_key": None,
    }
    attempt = accept(receive(**given, conf=runtime.conf), runtime=runtime)  # type: ignore[arg-type]  # one dictionary for two calls
    intend(attempt.attempt_id, runtime=runtime)
    with pytest.raises(AttemptInFlightError) as refused:
        submit(**given, runtime=runtime)  # type: ignore[arg-type]  # likewise
    assert refused.value.attempt_id == attempt.attempt_id


def test_a_late_answer_reconciles_its_attempt(
    sending: Send, runtime: Runtime, later: Callable[[float], Runtime]
) -> None:
    reap(runtime=later(1000))
    settle(sending, ANSWERED, runtime=runtime)
    assert reconciliation.reconcile(attempt_id=sending.attempt_id, runtime=runtime)
    attempt = VerificationAttempt.objects.get()
    assert (attempt.state, attempt.outcome) == (State.ANSWERED, "verified")
    assert (attempt.error_code, attempt.request_id) == (None, "1,2")
    assert attempt.reconciled_at is not None
    image = Evidence.objects.get(kind="image_best")
    assert open_evidence(evidence=image, keyring=runtime.conf.keyring) == b"\xff\xd8\xff\xd9"
    with pytest.raises(NotInDoubtError):
        reconciliation.reconcile(attempt_id=sending.attempt_id, runtime=runtime)


def test_without_a_kept_answer_doubt_stays(
    sending: Send, runtime: Runtime, later: Callable[[float], Runtime]
) -> None:
    reap(runtime=later(1000))
    assert not reconciliation.reconcile(attempt_id=sending.attempt_id, runtime=runtime)
    assert state_of(sending) == State.IN_DOUBT


@pytest.mark.parametrize("raw", [b"not json", b'{"result_code": "1000"}'])
def test_a_kept_answer_that_still_cannot_be_read_leaves_the_doubt(
    raw: bytes, sending: Send, runtime: Runtime
) -> None:
    doubt = Settlement(State.IN_DOUBT, {"error_code": "invalid_json"}, {"raw_answer": raw})
    settle(sending, doubt, runtime=runtime)
    assert not reconciliation.reconcile(attempt_id=sending.attempt_id, runtime=runtime)
    assert state_of(sending) == State.IN_DOUBT


def test_only_doubt_can_be_closed_and_only_with_a_reason(
    sending: Send, runtime: Runtime, later: Callable[[float], Runtime]
) -> None:
    given = {"attempt_id": sending.attempt_id, "reason": "the vendor has no record"}
    with pytest.raises(NotInDoubtError):
        reconciliation.close_attempt(**given, runtime=runtime)  # type: ignore[arg-type]  # one dictionary for two calls
    reap(runtime=later(1000))
    reconciliation.close_attempt(**given, runtime=runtime)  # type: ignore[arg-type]  # likewise
    attempt = VerificationAttempt.objects.get()
    assert (attempt.state, attempt.closing_reason) == (State.CLOSED, given["reason"])


def test_the_command_settles_lists_and_closes(
    sending: Send, runtime: Runtime, later: Callable[[float], Runtime]
) -> None:
    reap(runtime=later(1000))
    said = StringIO()
    call_command("attempts_reconcile", stdout=said)
    assert f"{sending.attempt_id} in doubt: process_lost" in said.getvalue()
    assert "0 settled, 1 still in doubt" in said.getvalue()
    with pytest.raises(CommandError, match="needs --reason"):
        call_command("attempts_reconcile", close=sending.attempt_id)
    settle(sending, ANSWERED, runtime=runtime)
    call_command("attempts_reconcile", stdout=said)
    assert "1 settled, 0 still in doubt" in said.getvalue()
    with pytest.raises(CommandError, match="in doubt"):
        call_command("attempts_reconcile", close=sending.attempt_id, reason="x")


def test_the_command_closes_for_good(sending: Send, later: Callable[[float], Runtime]) -> None:
    reap(runtime=later(1000))
    said = StringIO()
    call_command("attempts_reconcile", close=sending.attempt_id, reason="asked", stdout=said)
    assert "closed" in said.getvalue()
    assert state_of(sending) == State.CLOSED


def test_an_answer_that_the_columns_refuse_is_kept_and_in_doubt(
    sending: Send, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    poisoned = replace(ANSWERED, columns={**ANSWERED.columns, "time_used_ms": 2**80})
    settle(sending, poisoned, runtime=runtime)
    attempt = VerificationAttempt.objects.get()
    assert (attempt.state, attempt.error_code) == (State.IN_DOUBT, "answer_not_storable")
    assert Evidence.objects.filter(kind="raw_answer").exists()
    assert "not storable: DataError" in caplog.text
    assert str(2**80) not in caplog.text


def test_an_answer_of_more_images_than_a_statement_takes_is_settled(
    sending: Send, runtime: Runtime
) -> None:
    images = {f"image_{number}": "/9j/2Q==" for number in range(14_000)}
    body = {"result_code": 1000, "result_message": "SUCCESS", "images": images}
    raw = json.dumps(body).encode()
    settle(sending, settlement_of_answer(verify_answer(raw)), runtime=runtime)
    assert state_of(sending) == State.ANSWERED
    kept = Evidence.objects.get(kind="raw_answer")
    assert open_evidence(evidence=kept, keyring=runtime.conf.keyring) == raw


def test_a_database_that_comes_back_is_waited_for(sending: Send, runtime: Runtime) -> None:
    pauses: list[float] = []
    failures = iter([OperationalError("gone"), OperationalError("gone")])

    def flaky_now() -> datetime:
        for failure in failures:
            raise failure
        return runtime.now()

    settle(sending, ANSWERED, runtime=replace(runtime, now=flaky_now), sleep=pauses.append)
    assert state_of(sending) == State.ANSWERED
    assert pauses == list(PAUSES_S[:2])


def test_a_connection_that_breaks_while_settling_costs_no_answer(
    sending: Send, runtime: Runtime
) -> None:
    pauses: list[float] = []
    with closing(connection.copy()) as other, other.cursor() as cursor:
        connection.ensure_connection()
        cursor.execute(
            "SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid]
        )
    settle(sending, ANSWERED, runtime=runtime, sleep=pauses.append)
    assert state_of(sending) == State.ANSWERED
    assert Evidence.objects.filter(kind="raw_answer").exists()
    assert pauses == list(PAUSES_S[:1])


def test_a_database_that_stays_away_is_said(sending: Send, runtime: Runtime) -> None:
    def down() -> datetime:
        raise OperationalError("gone")

    with pytest.raises(OperationalError):
        settle(sending, ANSWERED, runtime=replace(runtime, now=down), sleep=lambda _s: None)
    assert state_of(sending) == State.SENDING
