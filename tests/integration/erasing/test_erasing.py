"""Two people destroy a key; everything else stays, holds and says so."""

import threading
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, connections

from tests.integration.erasing.erasures import REASON, ask, decide, erase
from tests.integration.ledger.lives import UNREAD, Lives, attempt, seal
from tests.integration.reveals.conftest import make_person
from verification.ledger.canonical import parse
from verification.models import Erasure, Evidence, EvidenceKey, LedgerEntry, StagedEntry
from verification.models.erasure import (
    ERASED,
    ERASURE_REFUSED,
    ERASURE_REQUESTED,
    LegalBasis,
)
from verification.services import reconciliation
from verification.services.erasing import request_erasure
from verification.services.errors import (
    BadReasonError,
    ErasureDecidedError,
    ErasurePendingError,
    EvidenceErasedError,
    FourEyesError,
    NothingToEraseError,
    NotPermittedError,
    ServiceError,
    UnknownErasureError,
)
from verification.services.record_audit import check_attempt
from verification.services.replay import stored_answer
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)


def _entries(kind: str) -> list[dict[str, Any]]:
    raw = [*LedgerEntry.objects.values_list("raw", flat=True)]
    raw += StagedEntry.objects.values_list("raw", flat=True)
    return [said for each in raw if (said := parse(bytes(each)))["kind"] == kind]


def _execute(statement: str, *values: int | UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_an_approved_erasure_destroys_the_key_and_says_what_is_gone(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    row = erase(attempt_id, officer, approver, runtime)
    key = EvidenceKey.objects.get(pk=attempt_id)
    assert key.sealed is None
    assert key.erased_at == row.decided_at
    [entry] = _entries(ERASED)
    assert (entry["requested_by"], entry["approved_by"]) == ("olga", "anna")
    assert (entry["legal_basis"], entry["erasure"]) == ("subject_request", str(row.pk))
    kinds = set(Evidence.objects.filter(attempt_id=attempt_id).values_list("kind", flat=True))
    assert {each["kind"] for each in entry["evidence"]} == kinds
    assert len(kinds) > 1
    [asked] = _entries(ERASURE_REQUESTED)
    assert (asked["by"], asked["erasure"]) == ("olga", str(row.pk))
    assert REASON not in str(_entries(ERASED) + _entries(ERASURE_REQUESTED))


def test_after_an_erasure_log_and_record_hold_as_before(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    seal(runtime)
    erase(attempt_id, officer, approver, runtime)
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()
    seal(runtime)
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()
    assert list(verify(runtime=runtime).faults) == []


def test_a_refusal_leaves_everything_and_another_request_may_come(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    decide(ask(attempt_id, officer, runtime), approver, runtime, approve=False)
    assert EvidenceKey.objects.get(pk=attempt_id).sealed is not None
    [entry] = _entries(ERASURE_REFUSED)
    assert (entry["by"], entry["requested_by"]) == ("anna", "olga")
    ask(attempt_id, officer, runtime)
    seal(runtime)
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()


def test_nobody_decides_on_their_own_request(
    lives: Lives, approver: User, runtime: Runtime
) -> None:
    superuser = User.objects.create_superuser("root")
    for person in (approver, superuser):
        row = ask(lives.submitted(), person, runtime)
        for approve in (True, False):
            with pytest.raises(FourEyesError):
                decide(row, person, runtime, approve=approve)
    assert not EvidenceKey.objects.filter(sealed=None).exists()


def test_not_even_the_owner_decides_on_their_own_request_by_sql(
    lives: Lives, approver: User, runtime: Runtime
) -> None:
    row = ask(lives.submitted(), approver, runtime)
    with pytest.raises(IntegrityError, match="erasure_four_eyes"):
        _execute(
            "UPDATE verification_erasure SET decision = 'approved', decided_by_id = %s, "
            "decided_at = now() WHERE id = %s",
            approver.pk,
            row.pk,
        )


def test_no_key_is_destroyed_by_sql_without_an_approval(
    lives: Lives, officer: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    ask(attempt_id, officer, runtime)
    with pytest.raises(DatabaseError, match="approval of another"):
        _execute("UPDATE verification_evidence_key SET sealed = NULL, erased_at = now()")
    with pytest.raises(DatabaseError):
        _execute("DELETE FROM verification_evidence_key")
    with pytest.raises(DatabaseError):
        _execute("DELETE FROM verification_erasure")


@pytest.mark.parametrize("roles", [(), ("auditor",)])
def test_who_may_not_ask_or_decide_is_refused(
    roles: tuple[str, ...], lives: Lives, officer: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    other = make_person("otto", *roles)
    with pytest.raises(NotPermittedError):
        ask(attempt_id, other, runtime)
    row = ask(attempt_id, officer, runtime)
    for person in (other, make_person("olaf", "officer")):
        with pytest.raises(NotPermittedError):
            decide(row, person, runtime)


def test_what_cannot_be_erased_is_said(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    with pytest.raises(NothingToEraseError):
        ask(lives.accepted(), officer, runtime)
    with pytest.raises(NothingToEraseError):
        ask(uuid4(), officer, runtime)
    attempt_id = lives.submitted()
    row = ask(attempt_id, officer, runtime)
    with pytest.raises(ErasurePendingError):
        ask(attempt_id, approver, runtime)
    decide(row, approver, runtime)
    with pytest.raises(ErasureDecidedError):
        decide(row, approver, runtime)
    with pytest.raises(EvidenceErasedError):
        ask(attempt_id, officer, runtime)
    row.pk = uuid4()
    with pytest.raises(UnknownErasureError):
        decide(row, approver, runtime)


def test_a_reason_that_tells_nothing_is_refused(
    lives: Lives, officer: User, runtime: Runtime
) -> None:
    with pytest.raises(BadReasonError):
        request_erasure(
            attempt_id=lives.submitted(),
            legal_basis=LegalBasis.UNLAWFUL,
            reason="why not",
            by=officer,
            runtime=runtime,
        )
    assert not Erasure.objects.exists()


def test_what_cannot_be_put_on_record_is_not_erased(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    row = ask(attempt_id, officer, runtime)
    _execute(
        "CREATE FUNCTION refuse_all() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no room'; END $$"
    )
    _execute(
        "CREATE TRIGGER zz_refuse_all BEFORE INSERT ON verification_ledger_stage "
        "FOR EACH ROW EXECUTE FUNCTION refuse_all()"
    )
    try:
        with pytest.raises(DatabaseError, match="no room"):
            decide(row, approver, runtime)
    finally:
        _execute("DROP TRIGGER zz_refuse_all ON verification_ledger_stage")
        _execute("DROP FUNCTION refuse_all()")
    assert Erasure.objects.get().decision is None
    assert EvidenceKey.objects.get(pk=attempt_id).sealed is not None


def _at_once(number: int, work: Any) -> list[str]:
    gate = threading.Barrier(number)
    outcomes: list[str] = []

    def one() -> None:
        gate.wait()
        try:
            work()
            outcomes.append("done")
        except ServiceError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(number)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sorted(outcomes)


def test_of_many_requests_and_decisions_at_once_one_counts(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    asked = _at_once(12, lambda: ask(attempt_id, officer, runtime))
    assert asked == ["done", *["erasure_pending"] * 11]
    row = Erasure.objects.get()
    decided = _at_once(12, lambda: decide(row, approver, runtime))
    assert decided == ["done", *["erasure_decided"] * 11]
    assert len(_entries(ERASED)) == 1


def test_an_erased_answer_is_not_replayed(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    assert stored_answer(attempt=attempt(attempt_id), runtime=runtime) is not None
    erase(attempt_id, officer, approver, runtime)
    assert stored_answer(attempt=attempt(attempt_id), runtime=runtime) is None


def test_an_attempt_in_doubt_whose_evidence_is_erased_stays_in_doubt(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    for attempt_id in (lives.settled(UNREAD), lives.late()):
        erase(attempt_id, officer, approver, runtime)
        assert not reconciliation.reconcile(attempt_id=attempt_id, runtime=runtime)
        assert attempt(attempt_id).state == "in_doubt"
    call_command("attempts_reconcile")
    seal(runtime)
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()
