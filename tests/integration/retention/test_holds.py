"""A hold keeps a key whoever asks; another person lifts it; the text of a subject is nowhere."""

import threading
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, connections, transaction

from tests.factories import make_attempt
from tests.integration.erasing.erasures import ask, decide, erase
from tests.integration.ledger.lives import Lives, seal
from tests.integration.retention.runs import People, entries, hold
from tests.integration.retention.test_rules import execute
from tests.integration.reveals.conftest import make_person
from tests.owner import unguarded
from verification.models import EvidenceKey, LegalHold, VerificationAttempt
from verification.models.hold import HOLD_LIFTED, HOLD_PLACED
from verification.selectors.holds import held_attempts, holds_on
from verification.services.errors import (
    BadReasonError,
    EvidenceHeldError,
    FourEyesError,
    HoldLiftedError,
    HoldStandsError,
    NotPermittedError,
    UnknownAttemptError,
    UnknownHoldError,
)
from verification.services.holding import lift_hold, place_hold_on_subject, subject_digest
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

DESTROY = "UPDATE verification_evidence_key SET sealed = NULL, erased_at = now()"
WHY = "the court has decided"


def test_a_hold_on_an_attempt_keeps_its_key_until_another_lifts_it(
    lives: Lives, people: People, runtime: Runtime
) -> None:
    attempt_id, other = lives.settled(), lives.settled()
    asked = ask(attempt_id, people.officer, runtime)
    row = hold(attempt_id, people.officer, runtime)
    assert held_attempts([attempt_id, other]) == {attempt_id}
    with pytest.raises(EvidenceHeldError):
        decide(asked, people.approver, runtime)
    asked.refresh_from_db()
    assert asked.decision is None
    with pytest.raises(HoldStandsError):
        hold(attempt_id, people.approver, runtime)
    with pytest.raises(FourEyesError):
        lift_hold(hold_id=row.pk, reason=WHY, by=people.officer, runtime=runtime)
    lift_hold(hold_id=row.pk, reason=WHY, by=people.approver, runtime=runtime)
    with pytest.raises(HoldLiftedError):
        lift_hold(hold_id=row.pk, reason=WHY, by=people.approver, runtime=runtime)
    decide(asked, people.approver, runtime)
    assert EvidenceKey.objects.get(pk=attempt_id).sealed is None
    [placed], [lifted] = entries(HOLD_PLACED), entries(HOLD_LIFTED)
    assert (placed["attempt"], placed["by"]) == (str(attempt_id), "olga")
    assert (lifted["hold"], lifted["by"]) == (str(row.pk), "anna")
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


def test_a_refusal_of_an_erasure_needs_no_key_and_is_let_pass(
    lives: Lives, people: People, runtime: Runtime
) -> None:
    attempt_id = lives.settled()
    asked = ask(attempt_id, people.officer, runtime)
    hold(attempt_id, people.officer, runtime)
    decide(asked, people.approver, runtime, approve=False)
    assert held_attempts([attempt_id]) == {attempt_id}


def test_a_hold_on_a_subject_covers_its_attempts_those_to_come_too(
    lives: Lives, people: People, runtime: Runtime
) -> None:
    first = lives.submitted("ONB-1", uuid="Zo\u00eb")
    row = hold(first, people.officer, runtime, whole_subject=True)
    later, other = lives.submitted("ONB-2", uuid="Zo\u00eb"), lives.submitted("ONB-3", uuid="Zoe")
    assert held_attempts([first, later, other]) == {first, later}
    digest = subject_digest("Zo\u00eb", digest_key=runtime.conf.digest_key)
    assert list(holds_on(VerificationAttempt.objects.get(pk=later), digest)) == [row]
    for attempt_id in (first, later):
        asked = ask(attempt_id, people.officer, runtime)
        with pytest.raises(EvidenceHeldError):
            decide(asked, people.approver, runtime)
    erase(other, people.officer, people.approver, runtime)
    stored = LegalHold.objects.values_list("subject_digest", "subject_check").get()
    digests = [bytes(each) for each in stored if each is not None]
    assert len(digests) == 2
    assert all("Zo\u00eb".encode() not in each for each in digests)
    [entry] = entries(HOLD_PLACED)
    assert "Zo" not in str(entry)
    assert digests[0].hex() not in str(entry)
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


def test_a_subject_is_held_by_its_text_and_an_attempt_without_one_is_not(
    lives: Lives, people: People, runtime: Runtime
) -> None:
    first = lives.submitted("ONB-1", uuid="one")
    place_hold_on_subject(subject="one", reason=WHY, by=people.officer, runtime=runtime)
    with pytest.raises(HoldStandsError):
        hold(first, people.approver, runtime, whole_subject=True)
    nobody = make_attempt("verified", subject=None).pk
    with pytest.raises(UnknownAttemptError):
        hold(nobody, people.officer, runtime, whole_subject=True)
    assert held_attempts([first, nobody]) == {first}


def test_who_may_not_or_says_nothing_is_refused(
    lives: Lives, people: People, runtime: Runtime
) -> None:
    attempt_id = lives.settled()
    for person in (people.administrator, make_person("carl", "auditor")):
        with pytest.raises(NotPermittedError):
            hold(attempt_id, person, runtime)
    row = hold(attempt_id, people.officer, runtime)
    with pytest.raises(NotPermittedError):
        lift_hold(hold_id=row.pk, reason=WHY, by=people.administrator, runtime=runtime)
    with pytest.raises(BadReasonError):
        lift_hold(hold_id=row.pk, reason="no", by=people.approver, runtime=runtime)
    with pytest.raises(UnknownHoldError):
        lift_hold(hold_id=uuid4(), reason=WHY, by=people.approver, runtime=runtime)
    with pytest.raises(UnknownAttemptError):
        hold(uuid4(), people.officer, runtime)


def test_the_database_destroys_no_key_under_hold_whoever_asks(
    lives: Lives, people: People, runtime: Runtime
) -> None:
    one, other = lives.submitted("ONB-1", uuid="one"), lives.submitted("ONB-2", uuid="two")
    for attempt_id in (one, other):
        asked = ask(attempt_id, people.officer, runtime)
        execute(
            "UPDATE verification_erasure SET decision = 'approved', decided_by_id = %s,"
            " decided_at = now() WHERE id = %s",
            people.approver.pk,
            asked.pk,
        )
    hold(one, people.officer, runtime)
    hold(other, people.officer, runtime, whole_subject=True)
    for attempt_id in (one, other):
        with pytest.raises(DatabaseError, match="legal hold"):
            execute(f"{DESTROY} WHERE attempt_id = %s", attempt_id)
    assert not EvidenceKey.objects.filter(sealed=None).exists()
    with pytest.raises(DatabaseError, match="by what is committed"), transaction.atomic():
        execute_in_snapshot(one)


def execute_in_snapshot(attempt_id: UUID) -> None:
    """Try it from a snapshot that could be older than a hold."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(f"{DESTROY} WHERE attempt_id = %s", [attempt_id])


def test_the_database_lets_nobody_lift_alone_or_change_a_hold(
    lives: Lives, people: People, root: User, runtime: Runtime
) -> None:
    attempt_id = lives.settled()
    row = hold(attempt_id, root, runtime)
    lift = (
        "UPDATE verification_legal_hold SET lifted_by_id = %s, lifted_at = now(),"
        " lift_reason = 'by hand'"
    )
    with pytest.raises(IntegrityError):
        execute(lift, root.pk)
    with unguarded("verification_legal_hold"), pytest.raises(IntegrityError, match="four_eyes"):
        execute(lift, root.pk)
    with pytest.raises(DatabaseError, match="who is allowed to"):
        execute(lift, people.administrator.pk)
    with pytest.raises(DatabaseError, match="lifted now"):
        execute(lift.replace("now()", "now() - interval '1 day'"), people.approver.pk)
    for statement in (
        "UPDATE verification_legal_hold SET reason = 'another'",
        "UPDATE verification_legal_hold SET placed_at = now()",
        "DELETE FROM verification_legal_hold",
    ):
        with pytest.raises(DatabaseError):
            execute(statement)
    with pytest.raises(DatabaseError, match="must be allowed to"):
        LegalHold.objects.create(
            id=uuid4(),
            attempt_id=lives.settled(),
            reason=WHY,
            placed_by=people.administrator,
            placed_at=runtime.now(),
        )
    lift_hold(hold_id=row.pk, reason=WHY, by=people.approver, runtime=runtime)
    with pytest.raises(DatabaseError, match="lifted once"):
        execute("UPDATE verification_legal_hold SET lift_reason = 'another'")


def test_what_the_owner_lifted_or_destroyed_under_hold_shows(
    lives: Lives, people: People, runtime: Runtime
) -> None:
    one, other = lives.settled(), lives.submitted("ONB-1", uuid="two")
    first = hold(one, people.officer, runtime)
    second = hold(other, people.officer, runtime, whole_subject=True)
    seal(runtime)
    with unguarded("verification_evidence_key"):
        execute(f"{DESTROY} WHERE attempt_id = %s", other)
    with unguarded("verification_legal_hold"):
        execute("DELETE FROM verification_legal_hold WHERE id = %s", first.pk)
        execute("UPDATE verification_legal_hold SET subject_check = subject_digest")
    found = " / ".join(str(each) for each in verify(runtime=runtime).faults)
    assert f"hold {first.pk} was placed, but its row says otherwise" in found
    assert f"hold {second.pk} differs from what was recorded: subject_sha256" in found
    with unguarded("verification_legal_hold"):
        execute(
            "UPDATE verification_legal_hold SET"
            " subject_check = sha256(subject_digest || convert_to('two', 'UTF8'))"
        )
    found = " / ".join(str(each) for each in verify(runtime=runtime).faults)
    assert f"the key of {other} was destroyed under the hold {second.pk}" in found


def test_a_hold_that_is_confirmed_comes_before_every_destruction_that_follows(
    lives: Lives, people: People, runtime: Runtime
) -> None:
    """Who decides at the same moment waits for the hold, and then sees it."""
    attempt_id = lives.settled()
    asked = ask(attempt_id, people.officer, runtime)
    refused: list[bool] = []

    def deciding() -> None:
        try:
            decide(asked, people.approver, runtime)
        except EvidenceHeldError:
            refused.append(True)
        finally:
            connections.close_all()

    with transaction.atomic():
        hold(attempt_id, people.officer, runtime)
        other = threading.Thread(target=deciding)
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join(20)
    assert refused == [True]
    assert EvidenceKey.objects.get(pk=attempt_id).sealed is not None
