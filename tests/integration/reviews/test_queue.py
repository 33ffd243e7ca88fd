"""The queue: each review to one person, in the right order, and back when a lease ends."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test import Client

from tests.factories import NOON, make_attempt, make_client, make_evidence
from tests.integration.database.conftest import waits_for_a_lock
from tests.integration.reveals.conftest import make_person
from tests.integration.reviews.conftest import make_review
from verification.models import Review, ReviewStep
from verification.models.review import ReviewState
from verification.policy.terms import Decision, Priority, Reason
from verification.selectors.record import find_attempt
from verification.selectors.reviews import (
    Due,
    Relation,
    ReviewFilter,
    queue_counts,
    related_of,
    reviews_for_list,
)
from verification.services import review_queue, reviews
from verification.services.errors import (
    BadReasonError,
    NotPermittedError,
    ReviewStateError,
    ReviewTakenError,
    UnknownReviewError,
)
from verification.services.review_bulk import decide_bulk, preview_bulk
from verification.services.runtime import Runtime

EVERYTHING = ReviewFilter()
NOBODY = UUID(int=1)
At = Callable[[datetime], Runtime]


def take_next(by: User, runtime: Runtime, which: ReviewFilter = EVERYTHING) -> Review | None:
    return review_queue.take_next(by=by, runtime=runtime, which=which)


@pytest.mark.django_db
def test_the_most_pressing_comes_first(officer: User, noon: Runtime) -> None:
    late = make_review(due_at=NOON + timedelta(hours=2))
    soon = make_review(due_at=NOON + timedelta(hours=1))
    urgent = make_review(priority=1, due_at=NOON + timedelta(hours=3))
    for expected in (urgent, soon, late):
        found = take_next(officer, noon)
        assert found == expected
        assert found.leased_until == NOON + timedelta(minutes=30)
        reviews.decide(
            attempt_id=found.pk, decision=Decision.APPROVED, reason_code="same_person", note="",
            by=officer, runtime=noon,
        )  # fmt: skip
    assert take_next(officer, noon) is None


@pytest.mark.django_db
def test_taking_again_gives_the_same_one(officer: User, noon: Runtime) -> None:
    make_review()
    make_review()
    assert take_next(officer, noon) == take_next(officer, noon)
    assert Review.objects.exclude(leased_by=None).count() == 1


@pytest.mark.django_db
def test_what_others_have_is_passed_over_until_their_lease_ends(
    officer: User, colleague: User, noon: Runtime, at: At
) -> None:
    review = make_review()
    assert take_next(officer, noon) == review
    assert take_next(colleague, noon) is None
    assert take_next(colleague, at(NOON + timedelta(minutes=30))) == review


@pytest.mark.django_db
def test_a_filter_and_an_assignment_narrow_what_comes(
    officer: User, colleague: User, approver: User, noon: Runtime
) -> None:
    first, second = make_review("device_tag", needs_second=True), make_review("near_threshold")
    which = ReviewFilter(reason=Reason.NEAR_THRESHOLD)
    assert take_next(officer, noon, which) == second
    review_queue.assign(attempt_id=first.pk, assignee_id=officer.pk, by=approver, runtime=noon)
    assert take_next(colleague, noon) is None
    review_queue.release(attempt_id=second.pk, by=officer, runtime=noon)
    assert take_next(colleague, noon) == second


@pytest.mark.django_db
def test_nobody_is_given_what_they_proposed(officer: User, approver: User, noon: Runtime) -> None:
    review = make_review(needs_second=True)
    reviews.decide(
        attempt_id=review.pk, decision=Decision.APPROVED, reason_code="same_person", note="",
        by=approver, runtime=noon,
    )  # fmt: skip
    assert take_next(approver, noon) is None
    assert take_next(officer, noon) == review


@pytest.mark.django_db
def test_a_snoozed_review_comes_back_and_is_due_as_before(
    officer: User, noon: Runtime, at: At
) -> None:
    review = make_review()
    until = NOON + timedelta(hours=4)
    review_queue.snooze(
        attempt_id=review.pk, until=until, note="Papers come.", by=officer, runtime=noon
    )
    assert take_next(officer, noon) is None
    assert reviews_for_list(ReviewFilter(snoozed=True), at=NOON).get() == review
    assert take_next(officer, at(until)) == review
    assert Review.objects.get().due_at == review.due_at


@pytest.mark.django_db
@pytest.mark.parametrize("hours", [0, -1, 24 * 31])
def test_nobody_sleeps_for_ever(hours: int, officer: User, noon: Runtime) -> None:
    with pytest.raises(BadReasonError):
        review_queue.snooze(
            attempt_id=make_review().pk, until=NOON + timedelta(hours=hours), note="Later.",
            by=officer, runtime=noon,
        )  # fmt: skip


@pytest.mark.django_db
def test_a_priority_moves_when_it_is_due(approver: User, noon: Runtime) -> None:
    review = make_review()
    changed = review_queue.prioritise(
        attempt_id=review.pk, priority=Priority.URGENT, note="He waits.", by=approver, runtime=noon
    )
    assert (changed.priority, changed.due_at) == (1, review.opened_at + timedelta(hours=1))
    assert ReviewStep.objects.get().priority == 1


@pytest.mark.django_db
def test_only_who_may_work_is_assigned(auditor: User, approver: User, noon: Runtime) -> None:
    with pytest.raises(NotPermittedError):
        review_queue.assign(
            attempt_id=make_review().pk, assignee_id=auditor.pk, by=approver, runtime=noon
        )


@pytest.mark.django_db
def test_an_officer_assigns_nobody(officer: User, noon: Runtime) -> None:
    with pytest.raises(NotPermittedError):
        review_queue.assign(
            attempt_id=make_review().pk, assignee_id=officer.pk, by=officer, runtime=noon
        )


@pytest.mark.django_db
def test_leases_end_with_the_session(officer: User, colleague: User, noon: Runtime) -> None:
    mine, other = make_review(), make_review()
    review_queue.take(attempt_id=mine.pk, by=officer, runtime=noon)
    review_queue.take(attempt_id=other.pk, by=colleague, runtime=noon)
    assert review_queue.release_all(by=officer, runtime=noon) == 1
    assert list(Review.objects.exclude(leased_by=None)) == [other]


@pytest.mark.django_db
def test_who_logs_out_gives_back_what_they_had_taken(
    officer: User, noon: Runtime, client: Client
) -> None:
    client.force_login(officer)
    review_queue.take(attempt_id=make_review().pk, by=officer, runtime=noon)
    assert client.post("/admin/logout/").status_code == 200
    assert not Review.objects.exclude(leased_by=None).exists()


@pytest.mark.django_db
def test_a_lease_is_renewed_while_nobody_else_has_it(
    officer: User, colleague: User, noon: Runtime, at: At
) -> None:
    review = make_review()
    review_queue.take(attempt_id=review.pk, by=officer, runtime=noon)
    later = at(NOON + timedelta(minutes=20))
    until = review_queue.renew(attempt_id=review.pk, by=officer, runtime=later)
    assert until == NOON + timedelta(minutes=50)
    with pytest.raises(ReviewTakenError):
        review_queue.renew(attempt_id=review.pk, by=colleague, runtime=later)


@pytest.mark.django_db
def test_what_is_decided_or_nothing_is_not_taken(officer: User, noon: Runtime) -> None:
    review = make_review()
    reviews.decide(
        attempt_id=review.pk, decision=Decision.APPROVED, reason_code="same_person", note="",
        by=officer, runtime=noon,
    )  # fmt: skip
    with pytest.raises(ReviewStateError):
        review_queue.take(attempt_id=review.pk, by=officer, runtime=noon)
    with pytest.raises(UnknownReviewError):
        review_queue.take(attempt_id=make_attempt("verified").pk, by=officer, runtime=noon)


@pytest.mark.django_db
def test_what_is_decided_is_listed_along_an_index() -> None:
    decided = reviews_for_list(ReviewFilter(state=ReviewState.DECIDED), at=NOON)
    assert "review_decided_listed" in _plan(decided, without=("seqscan", "sort"))


@pytest.mark.django_db
def test_what_is_looked_for_by_any_number_is_found_by_indexes() -> None:
    sought = ReviewFilter(state=ReviewState.DECIDED, identifier=str(NOBODY))
    plan = _plan(reviews_for_list(sought, at=NOON), without=("seqscan", "indexscan", "nestloop"))
    for index in ("biz_no", "subject", "request_id"):
        assert f"attempt_{index}" in plan, plan
    assert "verification_attempt_pkey" in plan


def _plan(found: QuerySet[Review], *, without: tuple[str, ...]) -> str:
    """Return how the first page would be read if these ways to read it were dear."""
    with connection.cursor() as cursor:
        for each in without:
            cursor.execute(f"SET LOCAL enable_{each} = off")
    return found[:51].explain()


@pytest.mark.django_db(transaction=True)
def test_who_decides_in_one_window_takes_the_next_in_another(officer: User, noon: Runtime) -> None:
    own, other = make_review(), make_review(due_at=NOON + timedelta(days=9))
    review_queue.take(attempt_id=own.pk, by=officer, runtime=noon)

    def other_window() -> Review | None:
        try:
            return take_next(officer, noon)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            reviews.decide(
                attempt_id=own.pk, decision=Decision.APPROVED, reason_code="same_person",
                note="", by=officer, runtime=noon,
            )  # fmt: skip
            taken = pool.submit(other_window)
            while not waits_for_a_lock():
                assert not taken.done()
                time.sleep(0.01)
        assert taken.result() == other


@pytest.mark.django_db(transaction=True)
def test_many_hands_never_take_the_same(noon: Runtime) -> None:
    reviews_ = [make_review() for _ in range(30)]
    people = [make_person(f"officer-{number}", "officer") for number in range(12)]

    def work(person: User) -> list[str]:
        done = []
        try:
            while review := take_next(person, noon):
                reviews.decide(
                    attempt_id=review.pk, decision=Decision.APPROVED, reason_code="same_person",
                    note="", by=person, runtime=noon,
                )  # fmt: skip
                done.append(str(review.pk))
        finally:
            connection.close()
        return done

    with ThreadPoolExecutor(len(people)) as pool:
        done = [each for found in pool.map(work, people) for each in found]
    assert sorted(done) == sorted(str(each.pk) for each in reviews_)


@pytest.mark.django_db
def test_the_queue_is_counted(officer: User, colleague: User, noon: Runtime) -> None:
    make_review(due_at=NOON - timedelta(minutes=1))
    make_review(due_at=NOON + timedelta(minutes=59))
    make_review(snoozed_until=NOON + timedelta(hours=1), due_at=NOON - timedelta(hours=1))
    review_queue.take(attempt_id=make_review().pk, by=officer, runtime=noon)
    noted = make_review()
    reviews.note(attempt_id=noted.pk, text="@olga look", by=colleague, runtime=noon)
    counts = queue_counts(at=NOON, person_id=officer.pk)
    assert (counts.open, counts.overdue, counts.due_soon) == (4, 1, 1)
    assert (counts.mine, counts.snoozed, counts.mentions, counts.glass) == (1, 1, 1, 0)


@pytest.mark.django_db
def test_a_list_is_narrowed_by_everything(officer: User) -> None:
    review = make_review(
        "device_tag",
        needs_second=True,
        priority=1,
        due_at=NOON - timedelta(hours=1),
        assignee=officer,
    )
    make_review()
    attempt = review.attempt
    for which in (
        ReviewFilter(reason=Reason.DEVICE_TAG),
        ReviewFilter(priority=Priority.URGENT),
        ReviewFilter(client_id=review.client_id),
        ReviewFilter(due=Due.OVERDUE),
        ReviewFilter(assignee_id=officer.pk),
        ReviewFilter(mine=officer.pk),
        ReviewFilter(identifier=str(review.pk)),
        ReviewFilter(identifier=attempt.biz_no),
        ReviewFilter(identifier=attempt.request_id),
    ):
        assert list(reviews_for_list(which, at=NOON)) == [review], which


@pytest.mark.django_db
def test_one_decision_on_many_is_looked_at_first_and_each_is_a_step(
    officer: User, colleague: User, noon: Runtime
) -> None:
    plain, flagged, taken = make_review(), make_review(needs_second=True), make_review()
    review_queue.take(attempt_id=taken.pk, by=colleague, runtime=noon)
    chosen = [plain.pk, flagged.pk, taken.pk, plain.pk, make_attempt("verified").pk]
    common: dict[str, Any] = {"decision": Decision.APPROVED, "reason_code": "same_person"}
    before = preview_bulk(attempt_ids=chosen, by=officer, runtime=noon, **common)
    assert ReviewStep.objects.count() == 0
    after = decide_bulk(attempt_ids=chosen, by=officer, runtime=noon, note="One case.", **common)
    assert [each.becomes for each in before.items] == [each.becomes for each in after.items]
    assert (after.decided, after.proposed, after.refused) == (1, 1, 2)
    assert ReviewStep.objects.count() == 2
    again = decide_bulk(attempt_ids=chosen, by=officer, runtime=noon, note="One case.", **common)
    assert again.refused == 4


@pytest.mark.django_db
def test_what_is_shared_brings_attempts_together() -> None:
    client = make_client()
    raised = {"is_root": 1}
    said: dict[str, Any] = {
        "client": client,
        "policy_version": 1,
        "verdict": "review",
        "reasons": ["device_tag"],
    }
    one = make_attempt("verified", device_tags=raised, subject="s", biz_no="b", **said)
    same_subject = make_attempt("verified", client=client, subject="s")
    same_number = make_attempt("verified", client=client, biz_no="b")
    same_device = make_attempt("verified", device_tags=raised, **said)
    same_image = make_attempt("verified")
    make_evidence(one, "image_best", "raw_answer")
    make_evidence(same_image, "image_best")
    attempt = find_attempt(one.pk)
    assert attempt is not None
    found = {each.relation: [a.pk for a in each.attempts] for each in related_of(attempt)}
    assert found == {
        Relation.SUBJECT: [same_subject.pk],
        Relation.BIZ_NO: [same_number.pk],
        Relation.DEVICE: [same_device.pk],
        Relation.IMAGE: [same_image.pk],
    }
