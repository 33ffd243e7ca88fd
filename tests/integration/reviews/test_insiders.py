"""What somebody who writes as the web role, or a superuser in Python, could do alone."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import connection

from tests.factories import NOON, make_attempt
from tests.integration.database.conftest import execute, refusal
from tests.integration.reviews.conftest import make_review
from tests.integration.reviews.test_four_eyes import GUARD, LATER, decided, proposed, step, update
from verification.models import Erasure, Review, ReviewPolicy
from verification.policy.terms import Decision
from verification.services import reviews
from verification.services.runtime import Runtime

IMMEDIATE = "SET CONSTRAINTS ALL IMMEDIATE"


def at_commit(attack: Callable[[], object]) -> Callable[[], None]:
    """Return an attack that goes as far as the end of a transaction."""

    def all_of_it() -> None:
        attack()
        execute(IMMEDIATE)

    return all_of_it


def test_nobody_switches_the_policy_off_alone(db: None) -> None:
    active = ReviewPolicy.objects.filter(state="active")
    attack = partial(active.update, state="retired", retired_at=NOON)
    assert refusal(at_commit(attack)) == GUARD


def test_a_version_comes_in_the_place_of_another(chief: User, db: None) -> None:
    other = User.objects.create_superuser("other")
    document = ReviewPolicy.objects.get().document
    ReviewPolicy.objects.create(
        version=2, document=document, note="as before", state="proposed",
        proposed_by=chief, proposed_at=NOON,
    )  # fmt: skip

    def replace() -> None:
        active = ReviewPolicy.objects.filter(state="active")
        active.update(state="retired", retired_at=LATER)
        rows = ReviewPolicy.objects.filter(version=2)
        rows.update(state="active", decided_by=other, decided_at=LATER, decision_note="agreed")

    assert refusal(at_commit(replace)) == ""
    rows = ReviewPolicy.objects.filter(version=2)
    assert refusal(partial(rows.update, decision_note="never said")) == GUARD
    retire = partial(rows.update, state="retired", retired_at=LATER, decision_note="forged")
    assert refusal(retire) == GUARD


def test_broken_glass_is_not_looked_at_by_who_broke_it(chief: User, approver: User) -> None:
    review = make_review(needs_second=True)
    assert refusal(partial(step, review, "glass_reviewed", approver)) == GUARD
    step(review, "glass_broken", chief)
    update(review.pk, **{**decided(chief), "glass_broken": True})()
    assert refusal(partial(step, review, "glass_reviewed", chief, LATER)) == GUARD
    assert refusal(partial(step, review, "glass_reviewed", approver, LATER, round=2)) == GUARD
    assert refusal(partial(step, review, "glass_reviewed", approver, LATER)) == ""


def test_broken_glass_is_not_looked_at_by_an_officer(chief: User, officer: User) -> None:
    review = make_review(needs_second=True)
    step(review, "glass_broken", chief)
    update(review.pk, **{**decided(chief), "glass_broken": True})()
    assert refusal(partial(step, review, "glass_reviewed", officer, LATER)) == GUARD


def test_a_proposal_is_returned_by_who_may(
    officer: User, colleague: User, approver: User, auditor: User
) -> None:
    back = {
        "state": "open", "decision": None, "reason_code": None,
        "proposed_by": None, "proposed_at": None,
    }  # fmt: skip
    for person, refused in (
        (colleague, GUARD), (auditor, GUARD), (officer, ""), (approver, ""),
    ):  # fmt: skip
        review = make_review(needs_second=True)
        step(review, "proposed", officer)
        update(review.pk, **proposed(officer))()
        step(review, "returned", person, LATER, decision=None, reason_code=None)
        assert refusal(update(review.pk, **back)) == refused, person


def test_what_the_policy_flags_is_not_opened_for_one(db: None) -> None:
    for reasons, refused in ((["device_tag"], GUARD), (["near_threshold"], "")):
        attempt = make_attempt("verified", policy_version=1, verdict="review", reasons=reasons)
        create = partial(
            Review.objects.create, attempt=attempt, client=attempt.client, reasons=[],
            needs_second=False, state="open", round=1, priority=3, opened_at=NOON, due_at=NOON,
        )  # fmt: skip
        assert refusal(create) == refused


def test_what_an_answer_flags_later_is_not_decided_by_one(officer: User, db: None) -> None:
    doubt = {"verdict": "review", "reasons": ["in_doubt"]}
    attempt = make_attempt(None, state="in_doubt", policy_version=1, **doubt)
    Review.objects.create(
        attempt=attempt, client=attempt.client, reasons=["in_doubt"], needs_second=False,
        state="open", round=1, priority=3, opened_at=NOON, due_at=NOON,
    )  # fmt: skip
    execute(
        "UPDATE verification_attempt SET state = 'answered', reconciled_at = now(),"
        " result_code = 1000, result_message = 'SUCCESS', outcome = 'verified',"
        " http_status = 200, error_code = NULL, reasons = '{attack_beside_comparison}'"
        " WHERE id = %s",
        attempt.pk,
    )
    review = Review.objects.get(pk=attempt.pk)
    step(review, "decided", officer)
    assert refusal(update(review.pk, **decided(officer))) == GUARD


def test_a_review_is_opened_over_the_policy_by_who_may(officer: User, approver: User) -> None:
    attempt = make_attempt("verified", policy_version=1, verdict="approved", reasons=[])
    review = Review.objects.create(
        attempt=attempt, client=attempt.client, reasons=[], needs_second=True,
        state="open", round=1, priority=3, opened_at=NOON, due_at=NOON,
    )  # fmt: skip
    assert refusal(partial(step, review, "opened", officer)) == GUARD
    assert refusal(partial(step, review, "opened", approver)) == ""


def test_erasure_is_asked_for_and_decided_by_who_may(
    officer: User, approver: User, auditor: User
) -> None:
    gone = User.objects.create_user("gone", is_staff=True, is_superuser=True, is_active=False)

    def ask(by: User) -> Erasure:
        return Erasure.objects.create(
            id=uuid4(), attempt=make_attempt("verified"), legal_basis="subject_request",
            reason="asked by letter", requested_by=by, requested_at=NOON,
        )  # fmt: skip

    for nobody in (auditor, gone):
        assert refusal(partial(ask, nobody)) == GUARD
    rows = Erasure.objects.filter(pk=ask(officer).pk)
    for person, refused in ((auditor, GUARD), (gone, GUARD), (approver, "")):
        decide = partial(rows.update, decision="approved", decided_by=person, decided_at=LATER)
        assert refusal(decide) == refused, person


def test_a_superuser_in_python_does_not_break_and_review(chief: User, noon: Runtime) -> None:
    review = make_review(needs_second=True)
    reviews.break_glass(
        attempt_id=review.pk, decision=Decision.APPROVED, reason_code="same_person",
        note="nobody is here", by=chief, runtime=noon,
    )  # fmt: skip
    copy = partial(step, review, "glass_reviewed", chief, NOON + timedelta(hours=1))
    assert refusal(copy) == GUARD
    with connection.cursor() as cursor:
        cursor.execute(IMMEDIATE)
