"""What an insider does to a review with the guards off is found, and named as what it is."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.conftest import OpenToken
from tests.integration.ledger.lives import Lives
from tests.integration.reveals.conftest import make_person
from tests.owner import unguarded
from verification.identifiers import uuid7
from verification.lifecycle import State
from verification.models import ApiClient, Review, ReviewStep, StagedEntry, VerificationAttempt
from verification.policy.terms import Decision, Priority
from verification.services import review_queue, reviews
from verification.services.entries import key_of, review_entry, utc_text
from verification.services.reconciliation import reconcile
from verification.services.record_audit import check_attempt
from verification.services.runtime import Runtime
from verification.services.settlement import Settlement
from verification.services.settling import settle
from verification.services.staging import stage

pytestmark = pytest.mark.django_db(transaction=True)

APPROVE: dict[str, Any] = {"decision": Decision.APPROVED, "reason_code": "same_person"}


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)


@pytest.fixture
def people(transactional_db: None) -> tuple[User, User, User]:
    """Return an officer, an approver and somebody who may all."""
    return (
        make_person("olga", "officer"),
        make_person("anna", "approver"),
        User.objects.create_superuser("boss"),
    )


@pytest.fixture
def review(lives: Lives, people: tuple[User, User, User], runtime: Runtime) -> Review:
    """Return a review that the corridor opened for raised tags, and that two people decided."""
    officer, approver, _ = people
    attempt_id = lives.submitted("sandbox:risk-tags", verbose="1", device_risk="1")
    review = Review.objects.get(pk=attempt_id)
    assert review.needs_second
    common = {"attempt_id": review.pk, "runtime": runtime}
    review_queue.take(**common, by=officer)
    reviews.note(**common, text="Rooted phone.", by=officer)
    review_queue.assign(**common, assignee_id=officer.pk, by=approver)
    reviews.decide(**common, **APPROVE, note="Known tester.", by=officer)
    reviews.second(**common, note="Agreed.", by=approver)
    return Review.objects.get(pk=attempt_id)


def found(review: Review, runtime: Runtime) -> set[str]:
    return {each.code.value for each in check_attempt(attempt_id=review.pk, runtime=runtime)}


@pytest.fixture(autouse=True)
def off_guard() -> Iterator[None]:
    """Leave no row behind that the guards would not have let in."""
    yield
    with unguarded(), connection.cursor() as cursor:
        for table in ("mention", "review_step", "review"):
            cursor.execute(f"DELETE FROM verification_{table}")


def sql(statement: str, *values: Any) -> None:
    tables = ("verification_review", "verification_review_step")
    with unguarded(*tables), connection.cursor() as cursor:
        cursor.execute(statement, values)


ROW = "UPDATE verification_review SET"
STEP = "UPDATE verification_review_step SET"
ATTACKS: dict[str, tuple[str, str]] = {
    "another decision": (f"{ROW} decision = 'rejected'", "review_differs"),
    "another reason code": (f"{ROW} reason_code = 'other'", "review_differs"),
    "decided by another": (
        f"{ROW} decided_by_id = (SELECT id FROM auth_user WHERE username = 'boss')",
        "review_differs",
    ),
    "decided at another time": (
        f"{ROW} decided_at = decided_at - interval '1 day'",
        "review_differs",
    ),
    "put back": (
        (
            f"{ROW} state = 'open', decision = NULL, reason_code = NULL, proposed_by_id = NULL,"
            " proposed_at = NULL, decided_by_id = NULL, decided_at = NULL"
        ),
        "review_differs",
    ),
    "one person is enough": (f"{ROW} needs_second = false", "four_eyes"),
    "another assignee": (f"{ROW} assignee_id = NULL", "review_differs"),
    "opened earlier": (f"{ROW} opened_at = opened_at - interval '1 hour'", "review_differs"),
    "due later": (f"{ROW} due_at = due_at + interval '90 days'", "review_differs"),
    "less pressing": (f"{ROW} priority = 3", "review_differs"),
    "less pressing, and due then": (
        f"{ROW} priority = 3, due_at = opened_at + interval '1 day'",
        "review_differs",
    ),
    "other reasons": (f"{ROW} reasons = '{{near_threshold}}'", "review_differs"),
    "glass never broken": (f"{ROW} glass_broken = true", "review_differs"),
    "a round more": (f"{ROW} round = 2", "review_differs"),
    "another note": (f"{STEP} note = 'Nothing.' WHERE kind = 'noted'", "review_differs"),
    "a step by another": (f"{STEP} by_name = 'nobody' WHERE kind = 'noted'", "review_differs"),
    "a step at another time": (f"{STEP} at = at - interval '1 hour'", "review_differs"),
    "another proposal": (
        f"{STEP} decision = 'rejected' WHERE kind = 'proposed'",
        "review_differs",
    ),
    "a note taken away": (
        "DELETE FROM verification_review_step WHERE kind = 'noted'",
        "review_differs",
    ),
    "all steps taken away": ("DELETE FROM verification_review_step", "review_differs"),
    "the decision of one": (
        (
            "UPDATE verification_review_step SET by_id ="
            " (SELECT by_id FROM verification_review_step WHERE kind = 'proposed')"
            " WHERE kind = 'decided'"
        ),
        "four_eyes",
    ),
}


def test_an_honest_review_holds(review: Review, runtime: Runtime) -> None:
    assert found(review, runtime) == set()


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_is_found(attack: str, review: Review, runtime: Runtime) -> None:
    statement, code = ATTACKS[attack]
    sql(statement)
    assert code in found(review, runtime)


def test_a_review_taken_away_is_missed(review: Review, runtime: Runtime) -> None:
    sql("DELETE FROM verification_review_step")
    sql("DELETE FROM verification_review")
    assert "review_differs" in found(review, runtime)


def test_a_review_that_nothing_asked_for_is_found(lives: Lives, runtime: Runtime) -> None:
    attempt = VerificationAttempt.objects.get(pk=lives.submitted("ONB-1", verbose="1"))
    assert attempt.verdict == "approved"
    assert attempt.settled_at is not None
    Review.objects.create(
        attempt=attempt, client=attempt.client, reasons=[], needs_second=True, state="open",
        round=1, priority=3, opened_at=attempt.settled_at, due_at=attempt.settled_at,
    )  # fmt: skip
    assert found(Review.objects.get(), runtime) == {"review_differs"}


def test_a_forged_decision_with_a_forged_entry_still_lacks_the_second_person(
    lives: Lives, people: tuple[User, User, User], runtime: Runtime
) -> None:
    boss = people[2]
    attempt_id = lives.submitted("sandbox:risk-tags", verbose="1", device_risk="1")
    at = runtime.now() + timedelta(minutes=1)
    attempt = VerificationAttempt.objects.get(pk=attempt_id)
    step = ReviewStep.objects.create(
        id="01941f29-a3fa-7aab-8323-8922bcc25a6f", review_id=attempt_id, round=1, kind="decided",
        by=boss, by_name="boss", at=at, decision="approved", reason_code="same_person",
    )  # fmt: skip
    stage([_entry(step, key_of(attempt))])
    sql(
        f"{ROW} state = 'decided', decision = 'approved', reason_code = 'same_person',"
        " needs_second = false, decided_by_id = %s, decided_at = %s",
        boss.pk,
        at,
    )
    assert found(Review.objects.get(), runtime) == {"four_eyes"}


def _entry(step: ReviewStep, key: bytes) -> bytes:
    return review_entry(
        key=key, at=utc_text(step.at), attempt=str(step.review_id), step=str(step.pk),
        kind=step.kind, round_no=step.round, by=step.by_name, by_id=str(step.by_id),
        decision=step.decision, reason_code=step.reason_code, note=step.note, assignee=None,
        priority=None, until=None,
    )  # fmt: skip


def test_glass_that_was_looked_at_by_who_broke_it_is_found(
    lives: Lives, people: tuple[User, User, User], runtime: Runtime
) -> None:
    boss = people[2]
    attempt_id = lives.submitted("sandbox:risk-tags", verbose="1", device_risk="1")
    common: dict[str, Any] = {"attempt_id": attempt_id, "runtime": runtime}
    reviews.break_glass(**common, **APPROVE, note="Alone.", by=boss)
    attempt = VerificationAttempt.objects.get(pk=attempt_id)
    with unguarded("verification_review_step"):
        step = ReviewStep.objects.create(
            id=uuid7(runtime.now()), review_id=attempt_id, round=1, kind="glass_reviewed",
            by=boss, by_name="boss", at=runtime.now(),
        )  # fmt: skip
    stage([_entry(step, key_of(attempt))])
    assert found(Review.objects.get(), runtime) == {"four_eyes"}


ATTACKED = (
    b'{"request_id": "1,2", "result_code": 1000, "result_message": "SUCCESS",'
    b' "attack_result": {"score": 0.9, "threshold": 0.5, "result": true}}'
)


def test_an_answer_that_asks_for_two_gets_two(
    lives: Lives, people: tuple[User, User, User], runtime: Runtime
) -> None:
    officer, approver, _ = people
    send = lives.reaped()
    assert not Review.objects.get(pk=send.attempt_id).needs_second
    settle(send, Settlement(State.ANSWERED, {}, {"raw_answer": ATTACKED}), runtime=runtime)
    assert reconcile(attempt_id=send.attempt_id, runtime=runtime)
    attempt = VerificationAttempt.objects.get(pk=send.attempt_id)
    assert "attack_beside_comparison" in (attempt.reasons or [])
    common: dict[str, Any] = {"attempt_id": send.attempt_id, "runtime": runtime}
    assert reviews.decide(**common, **APPROVE, note="", by=officer).state == "proposed"
    assert check_attempt(**common) == ()
    assert reviews.second(**common, note="", by=approver).state == "decided"
    assert check_attempt(**common) == ()


def test_what_was_decided_before_an_answer_came_holds(
    lives: Lives, people: tuple[User, User, User], runtime: Runtime
) -> None:
    officer, approver, _ = people
    send = lives.reaped()
    common: dict[str, Any] = {"attempt_id": send.attempt_id, "runtime": runtime}
    lost: dict[str, Any] = {"decision": Decision.RETRY, "reason_code": "answer_lost"}
    reviews.decide(**common, **lost, note="", by=officer)
    settle(send, Settlement(State.ANSWERED, {}, {"raw_answer": ATTACKED}), runtime=runtime)
    assert reconcile(attempt_id=send.attempt_id, runtime=runtime)
    assert check_attempt(**common) == ()
    reviews.reopen(**common, note="It came.", by=approver)
    reviews.decide(**common, **APPROVE, note="", by=officer)
    reviews.second(**common, note="", by=approver)
    assert check_attempt(**common) == ()


Act = Callable[[], object]


def test_every_way_through_a_review_holds(
    lives: Lives, people: tuple[User, User, User], runtime: Runtime
) -> None:
    officer, approver, boss = people
    attempt_id = lives.submitted("sandbox:risk-tags", verbose="1", device_risk="1")
    common: dict[str, Any] = {"attempt_id": attempt_id, "runtime": runtime}
    until = runtime.now() + timedelta(hours=1)
    acts: list[Act] = [
        lambda: review_queue.snooze(**common, until=until, note="Later.", by=officer),
        lambda: review_queue.snooze(**common, until=None, note="", by=officer),
        lambda: review_queue.prioritise(
            **common, priority=Priority.URGENT, note="Now.", by=approver
        ),
        lambda: reviews.decide(**common, **APPROVE, note="", by=officer),
        lambda: reviews.give_back(**common, note="Look again.", by=approver),
        lambda: reviews.decide(**common, **APPROVE, note="", by=officer),
        lambda: reviews.break_glass(**common, **APPROVE, note="Alone.", by=boss),
        lambda: reviews.review_glass(**common, note="Right.", by=approver),
        lambda: reviews.reopen(**common, note="New facts.", by=approver),
        lambda: reviews.decide(**common, **APPROVE, note="", by=boss),
        lambda: reviews.second(**common, note="", by=approver),
    ]
    for number, act in enumerate(acts):
        act()
        assert check_attempt(attempt_id=attempt_id, runtime=runtime) == (), number


def test_what_was_opened_by_hand_holds(
    lives: Lives, people: tuple[User, User, User], runtime: Runtime
) -> None:
    attempt_id = lives.submitted("ONB-1", verbose="1")
    reviews.reopen(attempt_id=attempt_id, note="He called.", by=people[1], runtime=runtime)
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()


def test_what_left_doubt_with_a_review_holds(lives: Lives, runtime: Runtime) -> None:
    attempt_id = lives.late()
    assert Review.objects.filter(pk=attempt_id).exists()
    assert StagedEntry.objects.exists()
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()
