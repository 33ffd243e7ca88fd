"""A run destroys what two people agreed on, once, and nothing that is held, in doubt or not due."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError

from tests.integration.ledger.lives import IN_DOUBT, Lives, ahead, seal
from tests.integration.retention.conftest import DAY_S
from tests.integration.retention.runs import (
    REASON,
    People,
    approved,
    entries,
    finished,
    hold,
    rule,
)
from tests.integration.retention.test_rules import execute
from tests.owner import unguarded
from verification.models import Evidence, EvidenceKey, Expiry, RetentionRule, RetentionRun
from verification.models.retention import (
    EXPIRED,
    RUN_APPROVED,
    RUN_ENDED,
    RUN_REFUSED,
    RUN_REQUESTED,
    RunState,
)
from verification.models.reveal import Purpose
from verification.selectors.due import preview_of
from verification.services.errors import (
    EvidenceErasedError,
    FourEyesError,
    NothingDueError,
    NotPermittedError,
    RulesChangedError,
    RunDecidedError,
    RunOpenError,
    UnknownRunError,
)
from verification.services.expiring import continue_runs
from verification.services.record_audit import check_attempt
from verification.services.retention import cancel_run, decide_run, request_run
from verification.services.reveals import reveal
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)


def erased() -> set[UUID]:
    """Return the attempts whose key is gone."""
    return set(EvidenceKey.objects.filter(sealed=None).values_list("pk", flat=True))


def test_what_is_due_expires_and_the_rest_stays(
    old: Lives, lives: Lives, people: People, runtime: Runtime
) -> None:
    due, held, doubtful, young = (
        old.settled(),
        old.settled(),
        old.settled(IN_DOUBT),
        lives.settled(),
    )
    of_subject = old.settled()
    hold(held, people.officer, runtime)
    preview = preview_of(runtime.now())
    assert (preview.due, preview.expiring, preview.held, preview.doubtful) == (4, 2, 1, 1)
    assert {each.kind: each.count for each in preview.items} == {"image_best": 2, "raw_answer": 2}
    assert {each.region for each in preview.items} == {"sandbox"}
    assert erased() == set()
    run = finished(people, runtime)
    assert erased() == {due, of_subject}
    assert (run.state, run.seen, run.expired, run.held, run.doubtful) == ("done", 4, 2, 1, 1)
    said = {entry["attempt"]: entry for entry in entries(EXPIRED)}
    assert set(said) == {str(due), str(of_subject)}
    entry = said[str(due)]
    assert entry["run"] == str(run.pk)
    assert entry["rule"] == str(RetentionRule.objects.get(what="evidence").pk)
    assert {each["kind"] for each in entry["evidence"]} == {"image_best", "raw_answer"}
    key = EvidenceKey.objects.get(pk=due)
    assert key.erased_at == Expiry.objects.get(pk=due).expired_at
    for attempt_id in (due, held, doubtful, young):
        assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


def test_who_asked_approved_and_how_it_ended_are_entries(
    old: Lives, people: People, runtime: Runtime
) -> None:
    old.settled()
    run = finished(people, runtime)
    [asked], [yes], [end] = (entries(each) for each in (RUN_REQUESTED, RUN_APPROVED, RUN_ENDED))
    assert (asked["by"], yes["by"], end["by"]) == ("anna", "bela", None)
    assert (end["state"], end["expired"]) == ("done", 1)
    assert {each["run"] for each in (asked, yes, end)} == {str(run.pk)}
    assert run.preview["expiring"] == 1
    assert REASON not in str(asked)


def test_a_reveal_after_it_says_when_the_evidence_was_erased(
    old: Lives, people: People, runtime: Runtime
) -> None:
    attempt_id = old.settled()
    finished(people, runtime)
    with pytest.raises(EvidenceErasedError):
        reveal(
            evidence_id=Evidence.objects.filter(attempt_id=attempt_id)[0].pk,
            officer=people.officer,
            purpose=Purpose.REVIEW,
            reason="a second pair of eyes",
            runtime=runtime,
        )


def test_the_longest_rule_counts_and_pages_go_on_where_the_last_one_ended(
    old: Lives, people: People, runtime: Runtime
) -> None:
    rule(people, runtime, 120, kind="raw_answer")
    kept = old.settled()
    rule(people, runtime, 10, kind="image_best")
    with pytest.raises(NothingDueError):
        request_run(reason=REASON, by=people.approver, runtime=runtime)
    newest = rule(people, runtime, 95, kind="raw_answer")
    due = [kept, *(old.settled() for _ in range(4))]
    run = approved(people, runtime)
    steps = []
    while continue_runs(runtime=runtime, slice_s=0, page_size=2):
        run.refresh_from_db()
        steps.append((run.state, run.expired))
    assert steps == [("running", 2), ("running", 4)]
    assert erased() == set(due)
    assert {each["rule"] for each in entries(EXPIRED)} == {str(newest.pk)}


def test_one_run_at_a_time_and_another_person_decides(
    old: Lives, people: People, root: User, runtime: Runtime
) -> None:
    old.settled()
    for person in (people.officer, None):
        with pytest.raises(NotPermittedError):
            request_run(reason=REASON, by=person or people.officer, runtime=runtime)
    run = request_run(reason=REASON, by=people.approver, runtime=runtime)
    with pytest.raises(RunOpenError):
        request_run(reason=REASON, by=people.second, runtime=runtime)
    with pytest.raises(FourEyesError):
        decide_run(run_id=run.pk, approve=True, by=people.approver, runtime=runtime)
    with pytest.raises(NotPermittedError):
        decide_run(run_id=run.pk, approve=True, by=people.officer, runtime=runtime)
    with pytest.raises(UnknownRunError):
        decide_run(run_id=uuid4(), approve=True, by=people.second, runtime=runtime)
    assert not continue_runs(runtime=runtime)
    assert erased() == set()
    decide_run(run_id=run.pk, approve=False, by=people.second, runtime=runtime)
    with pytest.raises(RunDecidedError):
        decide_run(run_id=run.pk, approve=True, by=people.second, runtime=runtime)
    [entry] = entries(RUN_REFUSED)
    assert entry["by"] == "bela"
    again = request_run(reason=REASON, by=root, runtime=runtime)
    with pytest.raises(FourEyesError):
        decide_run(run_id=again.pk, approve=True, by=root, runtime=runtime)
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


def test_a_run_is_cancelled_and_what_has_expired_stays_gone(
    old: Lives, people: People, runtime: Runtime
) -> None:
    for _ in range(3):
        old.settled()
    run = approved(people, runtime)
    assert continue_runs(runtime=runtime, slice_s=0, page_size=1)
    with pytest.raises(NotPermittedError):
        cancel_run(run_id=run.pk, by=people.officer, runtime=runtime)
    cancel_run(run_id=run.pk, by=people.administrator, runtime=runtime)
    assert not continue_runs(runtime=runtime)
    assert len(erased()) == 1
    [end] = entries(RUN_ENDED)
    assert (end["state"], end["by"], end["expired"]) == ("cancelled", "adam", 1)
    with pytest.raises(RunDecidedError):
        cancel_run(run_id=run.pk, by=people.administrator, runtime=runtime)
    assert finished(people, runtime).expired == 2
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


def test_a_rule_that_changes_meanwhile_stops_it(
    old: Lives, people: People, runtime: Runtime
) -> None:
    old.settled()
    run = request_run(reason=REASON, by=people.approver, runtime=runtime)
    rule(people, runtime, 95)
    with pytest.raises(RulesChangedError):
        decide_run(run_id=run.pk, approve=True, by=people.second, runtime=runtime)
    cancel_run(run_id=run.pk, by=people.approver, runtime=runtime)
    run = approved(people, runtime)
    rule(people, runtime, 1)
    assert not continue_runs(runtime=runtime)
    run.refresh_from_db()
    assert (run.state, run.finished_by, run.expired) == (RunState.CANCELLED, None, 0)
    assert erased() == set()


def test_a_hold_that_comes_after_the_approval_is_honoured(
    old: Lives, people: People, runtime: Runtime
) -> None:
    one, other = old.settled(), old.settled()
    run = approved(people, runtime)
    hold(one, people.officer, runtime)
    continue_runs(runtime=runtime)
    run.refresh_from_db()
    assert erased() == {other}
    assert (run.preview["held"], run.held) == (0, 1)


EXPIRE = (
    "INSERT INTO verification_expiry (attempt_id, run_id, rule_id, expired_at)"
    " VALUES (%s, %s, %s, now())"
)
DESTROY = "UPDATE verification_evidence_key SET sealed = NULL, erased_at = now()"


def test_the_database_lets_nothing_expire_that_is_not_due(
    old: Lives, lives: Lives, people: People, runtime: Runtime
) -> None:
    due, young, doubtful, held = (
        old.settled(),
        lives.settled(),
        old.settled(IN_DOUBT),
        old.settled(),
    )
    hold(held, people.officer, runtime)
    longest = RetentionRule.objects.get(what="evidence")
    other = RetentionRule.objects.get(what="record")
    run = request_run(reason=REASON, by=people.approver, runtime=runtime)
    with pytest.raises(DatabaseError, match="run that was approved"):
        execute(EXPIRE, due, run.pk, longest.pk)
    decide_run(run_id=run.pk, approve=True, by=people.second, runtime=runtime)
    execute("UPDATE verification_retention_run SET state = 'running', started_at = now()")
    wrong: list[tuple[UUID, Any, str]] = [
        (young, longest.pk, "not due"),
        (due, other.pk, "not due"),
        (doubtful, longest.pk, "in doubt"),
        (held, longest.pk, "legal hold"),
    ]
    for attempt_id, rule_id, sentence in wrong:
        with pytest.raises(DatabaseError, match=sentence):
            execute(EXPIRE, attempt_id, run.pk, rule_id)
        with pytest.raises(DatabaseError, match="approval of another"):
            execute(f"{DESTROY} WHERE attempt_id = %s", attempt_id)
    rule(people, runtime, 1)
    with pytest.raises(DatabaseError, match="rules have changed"):
        execute(EXPIRE, due, run.pk, longest.pk)
    assert erased() == set()


def test_the_database_lets_nobody_run_alone_or_rewrite_a_run(
    old: Lives, people: People, root: User, runtime: Runtime
) -> None:
    old.settled()
    run = request_run(reason=REASON, by=root, runtime=runtime)
    approve = (
        "UPDATE verification_retention_run SET state = 'approved', decided_by_id = %s,"
        " decided_at = now()"
    )
    with pytest.raises(DatabaseError, match="somebody else decides"):
        execute(approve, root.pk)
    with pytest.raises(DatabaseError, match="somebody else decides"):
        execute(approve, people.officer.pk)
    with unguarded("verification_retention_run"), pytest.raises(IntegrityError, match="four_eyes"):
        execute(approve, root.pk)
    for statement in (
        "UPDATE verification_retention_run SET state = 'running'",
        "UPDATE verification_retention_run SET asked_at = now()",
        "UPDATE verification_retention_run SET preview = '{}'",
        "UPDATE verification_retention_run SET seen = 1, expired = 1",
        "DELETE FROM verification_retention_run",
    ):
        with pytest.raises(DatabaseError):
            execute(statement)
    with pytest.raises(DatabaseError, match="asked for now"):
        RetentionRun.objects.create(
            id=uuid4(),
            state="asked",
            preview={},
            reason=REASON,
            asked_by=people.approver,
            asked_at=ahead(runtime, DAY_S).now(),
        )
    decide_run(run_id=run.pk, approve=True, by=people.approver, runtime=runtime)
    with pytest.raises(DatabaseError, match="no way from"):
        execute("UPDATE verification_retention_run SET state = 'done', finished_at = now()")


def test_what_the_owner_let_expire_shows(
    old: Lives, lives: Lives, people: People, runtime: Runtime
) -> None:
    gone, young = old.settled(), lives.settled()
    run = finished(people, runtime)
    seal(runtime)
    row = RetentionRule.objects.get(what="evidence")
    with unguarded("verification_expiry", "verification_evidence_key"):
        execute(EXPIRE, young, run.pk, row.pk)
        execute(f"{DESTROY} WHERE attempt_id = %s", young)
        execute("UPDATE verification_expiry SET expired_at = now() WHERE attempt_id = %s", gone)
    found = " / ".join(str(each) for each in verify(runtime=runtime).faults)
    assert "expiries and their entries differ in number" in found
    assert "the key is gone without an entry" in found
    assert "the expiry that stands behind differs" in found
    assert f"run {run.pk} counts 1, and 2 name it" in found


def test_a_run_that_one_person_made_shows(old: Lives, people: People, runtime: Runtime) -> None:
    attempt_id = old.settled()
    run = finished(people, runtime)
    seal(runtime)
    with unguarded("verification_retention_run"):
        execute("ALTER TABLE verification_retention_run DROP CONSTRAINT retention_run_four_eyes")
        execute("UPDATE verification_retention_run SET decided_by_id = asked_by_id")
    try:
        found = " / ".join(str(each) for each in verify(runtime=runtime).faults)
        assert f"run {run.pk}: one person asked and decided" in found
        assert "no run that two people agreed on stands behind it" in found
        assert check_attempt(attempt_id=attempt_id, runtime=runtime)
    finally:
        with unguarded("verification_retention_run"):
            execute("UPDATE verification_retention_run SET decided_by_id = %s", people.second.pk)
            execute(
                "ALTER TABLE verification_retention_run ADD CONSTRAINT retention_run_four_eyes"
                " CHECK (decided_by_id IS NULL OR NOT (decided_by_id = asked_by_id))"
            )
