"""Decisions: who may, in which state, and what is left on record."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User

from tests.factories import NOON, make_attempt
from tests.integration.reviews.conftest import make_review
from verification.models import Mention, Review, ReviewStep, StagedEntry
from verification.models.review import ReviewState
from verification.policy.terms import Decision, Priority
from verification.selectors.reviews import ReviewFilter, reviews_for_list, standings_of
from verification.services import review_queue, reviews
from verification.services.errors import (
    BadDecisionError,
    BadReasonError,
    FourEyesError,
    NotPermittedError,
    ReviewStateError,
    ReviewTakenError,
    ServiceError,
    UnknownAttemptError,
    UnknownReviewError,
)
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db

APPROVE: dict[str, Any] = {"decision": Decision.APPROVED, "reason_code": "same_person"}
REJECT: dict[str, Any] = {"decision": Decision.REJECTED, "reason_code": "other_person"}


def decide(review: Review, by: User, runtime: Runtime, **more: Any) -> Review:
    return reviews.decide(
        attempt_id=review.pk, by=by, runtime=runtime, **{**APPROVE, "note": "", **more}
    )


def second(review: Review, by: User, runtime: Runtime) -> Review:
    return reviews.second(attempt_id=review.pk, note="", by=by, runtime=runtime)


def entries() -> list[dict[str, Any]]:
    rows = StagedEntry.objects.order_by("no").values_list("raw", flat=True)
    said = [json.loads(bytes(raw)) for raw in rows]
    return [each for each in said if each["kind"].startswith("review.")]


def test_one_person_decides_where_one_is_enough(officer: User, noon: Runtime) -> None:
    review = decide(make_review(), officer, noon, note="Same face, new glasses.")
    assert (review.state, review.decision, review.decided_by) == ("decided", "approved", officer)
    (step,) = ReviewStep.objects.filter(review=review)
    assert (step.kind, step.by_name, step.at) == ("decided", "olga", NOON)
    (entry,) = entries()
    assert entry["kind"] == "review.decided"
    assert (entry["by"], entry["decision"], entry["reason_code"]) == (
        "olga",
        "approved",
        "same_person",
    )
    assert set(entry["commitments"]) == {"note"}
    assert "glasses" not in json.dumps(entry)


def test_where_two_are_due_one_proposes_and_another_agrees(
    officer: User, approver: User, noon: Runtime
) -> None:
    review = decide(make_review(needs_second=True), officer, noon, **REJECT)
    assert (review.state, review.decided_by) == ("proposed", None)
    review = second(review, approver, noon)
    assert (review.state, review.decision, review.reason_code) == (
        "decided",
        "rejected",
        "other_person",
    )
    assert (review.proposed_by, review.decided_by) == (officer, approver)
    assert [each["kind"] for each in entries()] == ["review.proposed", "review.decided"]


def test_nobody_agrees_with_themselves(approver: User, chief: User, noon: Runtime) -> None:
    for person in (approver, chief):
        review = decide(make_review(needs_second=True), person, noon)
        with pytest.raises(FourEyesError):
            second(review, person, noon)


def test_an_officer_cannot_agree(officer: User, colleague: User, noon: Runtime) -> None:
    review = decide(make_review(needs_second=True), officer, noon)
    with pytest.raises(NotPermittedError):
        second(review, colleague, noon)


def test_an_auditor_does_nothing(auditor: User, noon: Runtime) -> None:
    review = make_review()
    acts = (
        lambda: decide(review, auditor, noon),
        lambda: reviews.note(attempt_id=review.pk, text="hello", by=auditor, runtime=noon),
        lambda: reviews.reopen(attempt_id=review.pk, note="why", by=auditor, runtime=noon),
        lambda: review_queue.take(attempt_id=review.pk, by=auditor, runtime=noon),
        lambda: reviews.break_glass(
            attempt_id=review.pk, note="why", by=auditor, runtime=noon, **APPROVE
        ),
    )
    for act in acts:
        with pytest.raises(NotPermittedError):
            act()
    assert entries() == []


def test_who_only_reads_is_told_so_before_how_things_stand(
    auditor: User, officer: User, noon: Runtime
) -> None:
    proposal = decide(make_review(needs_second=True), officer, noon)
    for review in (make_review(), proposal):
        for note in ("", "why"):
            with pytest.raises(NotPermittedError):
                reviews.give_back(attempt_id=review.pk, note=note, by=auditor, runtime=noon)


def test_nobody_agrees_to_what_they_have_not_read(
    officer: User, approver: User, noon: Runtime, at: Any
) -> None:
    review = make_review(needs_second=True)
    decide(review, officer, noon, **REJECT)
    seen = standings_of([review])[review.pk]
    later = at(NOON + timedelta(minutes=1))
    reviews.give_back(attempt_id=review.pk, note="Wrong one.", by=officer, runtime=later)
    decide(review, officer, at(NOON + timedelta(minutes=2)))
    for act in (reviews.second, reviews.give_back):
        with pytest.raises(ReviewStateError, match="Read it, then decide"):
            act(attempt_id=review.pk, note="Agreed.", by=approver, runtime=later, seen=seen)
    review.refresh_from_db()
    assert (review.state, review.decision) == ("proposed", "approved")
    now = standings_of([review])[review.pk]
    done = reviews.second(attempt_id=review.pk, note="", by=approver, runtime=later, seen=now)
    assert done.state == "decided"


def test_a_note_that_came_meanwhile_is_read_first(
    officer: User, colleague: User, approver: User, noon: Runtime
) -> None:
    review = make_review()
    seen = standings_of([review])[review.pk]
    steer = {"attempt_id": review.pk, "by": approver, "runtime": noon}
    review_queue.prioritise(priority=Priority.URGENT, note="Now.", **steer)
    assert standings_of([review])[review.pk] == seen
    reviews.note(attempt_id=review.pk, text="He is dead.", by=colleague, runtime=noon)
    with pytest.raises(ReviewStateError, match="Read it"):
        decide(review, officer, noon, seen=seen)
    assert decide(review, officer, noon, seen=standings_of([review])[review.pk]).decision


def test_an_answer_that_came_meanwhile_is_read_first(officer: User, noon: Runtime) -> None:
    review = make_review()
    with pytest.raises(ReviewStateError, match="Read it"):
        decide(review, officer, noon, seen="in_doubt.0")


def test_a_reason_code_must_explain_the_decision(officer: User, noon: Runtime) -> None:
    review = make_review()
    for code in ("other_person", "", "nonsense"):
        with pytest.raises(BadDecisionError):
            decide(review, officer, noon, reason_code=code)


def test_what_is_decided_stays_so(officer: User, colleague: User, noon: Runtime) -> None:
    review = decide(make_review(), officer, noon)
    for person in (officer, colleague):
        with pytest.raises(ReviewStateError):
            decide(review, person, noon, **REJECT)


def test_a_lease_keeps_others_away_until_it_ends(
    officer: User, colleague: User, noon: Runtime, at: Any
) -> None:
    review = make_review()
    review_queue.take(attempt_id=review.pk, by=officer, runtime=noon)
    with pytest.raises(ReviewTakenError, match=r"olga works on it until .* at 12:30 UTC"):
        decide(review, colleague, noon)
    later = at(NOON + timedelta(minutes=31))
    assert decide(review, colleague, later).decided_by == colleague
    with pytest.raises(ReviewStateError):
        decide(review, officer, later)


def test_a_proposal_is_returned_with_a_reason(officer: User, approver: User, noon: Runtime) -> None:
    review = decide(make_review(needs_second=True), officer, noon)
    with pytest.raises(BadReasonError):
        reviews.give_back(attempt_id=review.pk, note=" ", by=approver, runtime=noon)
    review = reviews.give_back(
        attempt_id=review.pk, note="Look at the ears.", by=approver, runtime=noon
    )
    assert (review.state, review.decision, review.proposed_by) == ("open", None, None)
    assert decide(review, approver, noon).state == "proposed"


def test_who_proposed_may_take_it_back_and_a_colleague_may_not(
    officer: User, colleague: User, noon: Runtime
) -> None:
    review = decide(make_review(needs_second=True), officer, noon)
    with pytest.raises(NotPermittedError):
        reviews.give_back(attempt_id=review.pk, note="No.", by=colleague, runtime=noon)
    taken = reviews.give_back(attempt_id=review.pk, note="My error.", by=officer, runtime=noon)
    assert taken.state == "open"


def test_what_is_reopened_needs_two(officer: User, approver: User, noon: Runtime) -> None:
    review = decide(make_review(), officer, noon)
    review = reviews.reopen(attempt_id=review.pk, note="New facts.", by=approver, runtime=noon)
    assert (review.state, review.round, review.needs_second) == ("open", 2, True)
    review = decide(review, officer, noon, **REJECT)
    assert second(review, approver, noon).decision == "rejected"


def test_a_policys_own_decision_is_overridden_by_two(
    officer: User, approver: User, noon: Runtime
) -> None:
    attempt = make_attempt("verified", policy_version=1, verdict="approved", reasons=[])
    review = reviews.reopen(attempt_id=attempt.pk, note="He called.", by=approver, runtime=noon)
    assert (review.state, review.round, review.needs_second) == ("open", 1, True)
    assert decide(review, officer, noon, **REJECT).state == "proposed"
    assert [each["kind"] for each in entries()] == ["review.opened", "review.proposed"]


def test_what_was_never_judged_is_not_reopened(approver: User, noon: Runtime) -> None:
    attempt = make_attempt("verified")
    with pytest.raises(ReviewStateError):
        reviews.reopen(attempt_id=attempt.pk, note="Why not.", by=approver, runtime=noon)
    with pytest.raises(UnknownAttemptError):
        reviews.reopen(attempt_id=NOBODY, note="Why not.", by=approver, runtime=noon)


NOBODY = UUID("01941f29-a3fa-7aab-8323-8922bcc25a6f")


def test_broken_glass_is_loud_and_has_to_be_looked_at(
    officer: User, chief: User, approver: User, noon: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    review = decide(make_review(needs_second=True), officer, noon)
    broken = reviews.break_glass(
        attempt_id=review.pk, note="Nobody else is here.", by=chief, runtime=noon, **REJECT
    )
    assert (broken.state, broken.decision, broken.glass_broken) == ("decided", "rejected", True)
    assert "glass broken" in caplog.text
    assert "Nobody else" not in caplog.text
    kinds = [each["kind"] for each in entries()]
    assert kinds == ["review.proposed", "review.returned", "review.glass_broken"]
    waiting = reviews_for_list(ReviewFilter(glass=True), at=NOON)
    assert [each.pk for each in waiting] == [review.pk]
    with pytest.raises(FourEyesError):
        reviews.review_glass(attempt_id=review.pk, note="Fine.", by=chief, runtime=noon)
    reviews.review_glass(attempt_id=review.pk, note="Right.", by=approver, runtime=noon)
    assert not waiting.all().exists()
    with pytest.raises(ReviewStateError):
        reviews.review_glass(attempt_id=review.pk, note="Again.", by=approver, runtime=noon)


def test_glass_is_not_broken_where_one_person_may(chief: User, noon: Runtime) -> None:
    review = make_review()
    with pytest.raises(ReviewStateError):
        reviews.break_glass(
            attempt_id=review.pk, note="Why not.", by=chief, runtime=noon, **APPROVE
        )


@pytest.mark.parametrize("text", ["", "   ", "\n", "x" * 2001, "a\x00b", "a\u202eb"])
def test_a_note_that_says_nothing_or_hides_something_is_refused(
    text: str, officer: User, noon: Runtime
) -> None:
    review = make_review()
    with pytest.raises(BadReasonError):
        reviews.note(attempt_id=review.pk, text=text, by=officer, runtime=noon)
    assert entries() == []


def test_whoever_is_named_in_a_note_finds_it(
    officer: User, colleague: User, auditor: User, noon: Runtime
) -> None:
    review = make_review()
    User.objects.create_user("gone", is_staff=True, is_active=False)
    text = "@carl, please; not @olga, @aude, @gone, @nobody nor carl@example.com. @carl."
    step = reviews.note(attempt_id=review.pk, text=text, by=officer, runtime=noon)
    assert [each.person for each in Mention.objects.all()] == [colleague]
    assert step.note == text


def test_an_attempt_without_a_review_has_nothing_to_decide(officer: User, noon: Runtime) -> None:
    attempt = make_attempt("verified", policy_version=1, verdict="approved", reasons=[])
    with pytest.raises(UnknownReviewError):
        reviews.decide(attempt_id=attempt.pk, note="", by=officer, runtime=noon, **APPROVE)


def test_every_refusal_is_a_sentence(officer: User, noon: Runtime) -> None:
    review = decide(make_review(), officer, noon)
    with pytest.raises(ServiceError) as refused:
        decide(review, officer, noon)
    assert str(refused.value).endswith(".")
    assert Review.objects.get(pk=review.pk).state == ReviewState.DECIDED
