"""Who works on which review: leases, which end by themselves, and the order of the queue.

A lease is no record: it only keeps two people from doing the same work. What changes the queue
for everybody (assignment, snooze, priority) is a step.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop as _

from verification.models import Review
from verification.models.review import StepKind
from verification.policy.terms import Priority
from verification.selectors.policies import policy_in_force
from verification.selectors.reviews import ReviewFilter, in_queue, reviews_for_list
from verification.services.errors import BadReasonError, NotPermittedError, ReviewStateError
from verification.services.reasons import check_permission
from verification.services.review_steps import (
    Act,
    is_open,
    lock_review,
    read_note,
    refuse_if_taken,
    take_step,
)
from verification.services.runtime import Runtime

DEFAULT_LEASE_MINUTES = 30
LONGEST_SNOOZE = timedelta(days=30)


def take_next(*, by: AbstractUser, runtime: Runtime, which: ReviewFilter) -> Review | None:
    """Lease the most pressing review of a list that nobody else works on; None if there is none.

    One that the person has already comes first, so that repeating does not hoard. Rows that others
    are just taking are skipped, not waited for. What somebody proposed is nothing for themselves.
    """
    check_permission(by, "work_review")
    act = Act(by, runtime.now())
    with transaction.atomic():
        found = reviews_for_list(which, at=act.at)
        own = found.filter(leased_by_id=by.pk, leased_until__gt=act.at)
        free = (
            found.filter(in_queue(act.at))
            .filter(Q(leased_by=None) | Q(leased_until__lte=act.at))
            .filter(Q(assignee=None) | Q(assignee_id=by.pk))
            .exclude(proposed_by_id=by.pk)
        )
        # Waited for, and read anew: another window of theirs may be about to decide it.
        review = own.select_for_update(of=("self",)).first()
        review = review or free.select_for_update(skip_locked=True, of=("self",)).first()
        if review is None:
            return None
        return _lease(review, act)


def take(*, attempt_id: UUID, by: AbstractUser, runtime: Runtime) -> Review:
    """Lease one review. UnknownReviewError, ReviewStateError, ReviewTakenError."""
    check_permission(by, "work_review")
    act = Act(by, runtime.now())
    with transaction.atomic():
        review = lock_review(attempt_id)
        refuse_if_taken(review, act)
        _refuse_decided(review)
        return _lease(review, act)


def renew(*, attempt_id: UUID, by: AbstractUser, runtime: Runtime) -> datetime:
    """Lease it anew; return until when. As `take`: one whose lease ran out may have it again."""
    review = take(attempt_id=attempt_id, by=by, runtime=runtime)
    assert review.leased_until is not None  # noqa: S101 - narrows the type
    return review.leased_until


def release(*, attempt_id: UUID, by: AbstractUser, runtime: Runtime) -> None:  # noqa: ARG001
    """Give one back; nothing happens if it is not theirs."""
    _drop_leases(by, attempt_id)


def release_all(*, by: AbstractUser, runtime: Runtime) -> int:  # noqa: ARG001 - as the others
    """Give all back, at logout; return how many."""
    return _drop_leases(by)


def assign(
    *, attempt_id: UUID, assignee_id: int | None, by: AbstractUser, runtime: Runtime
) -> Review:
    """Say who shall do it, or that anybody may. A lease of somebody else ends."""
    check_permission(by, "assign_review")
    act = Act(by, runtime.now())
    assignee = _colleague(assignee_id) if assignee_id is not None else None
    with transaction.atomic():
        review = lock_review(attempt_id)
        _refuse_decided(review)
        take_step(review, StepKind.ASSIGNED, act, assignee=assignee)
        review.assignee = assignee  # type: ignore[assignment] # any user model
        if assignee is not None and review.leased_by_id != assignee.pk:
            review.leased_by = review.leased_until = None
        review.save(update_fields=["assignee", "leased_by", "leased_until"])
    return review


def snooze(
    *, attempt_id: UUID, until: datetime | None, note: str, by: AbstractUser, runtime: Runtime
) -> Review:
    """Take it out of the queue until then, or put it back; when it is due stays as it was."""
    check_permission(by, "work_review")
    act = Act(by, runtime.now())
    said = read_note(note, is_needed=until is not None)
    if until is not None and not act.at < until <= act.at + LONGEST_SNOOZE:
        raise BadReasonError(
            _("Choose a time within the next %(most)s days."), {"most": LONGEST_SNOOZE.days}
        )
    with transaction.atomic():
        review = lock_review(attempt_id)
        refuse_if_taken(review, act)
        _refuse_decided(review)
        take_step(review, StepKind.SNOOZED, act, note=said, until=until)
        review.snoozed_until = until
        review.leased_by = review.leased_until = None
        review.save(update_fields=["snoozed_until", "leased_by", "leased_until"])
    return review


def prioritise(
    *, attempt_id: UUID, priority: Priority, note: str, by: AbstractUser, runtime: Runtime
) -> Review:
    """Change how pressing it is; when it is due follows the priority, from when it was opened."""
    check_permission(by, "assign_review")
    act = Act(by, runtime.now())
    said = read_note(note, is_needed=True)
    with transaction.atomic():
        review = lock_review(attempt_id)
        _refuse_decided(review)
        take_step(review, StepKind.PRIORITISED, act, note=said, priority=priority.value)
        review.priority = priority.value
        found = policy_in_force()
        if found is not None:
            minutes = found.policy.sla_minutes[priority]
            review.due_at = review.opened_at + timedelta(minutes=minutes)
        review.save(update_fields=["priority", "due_at"])
    return review


def _lease(review: Review, act: Act) -> Review:
    found = policy_in_force()
    minutes = found.policy.lease_minutes if found else DEFAULT_LEASE_MINUTES
    review.leased_by_id = act.by.pk
    review.leased_until = act.at + timedelta(minutes=minutes)
    review.save(update_fields=["leased_by", "leased_until"])
    return review


def _drop_leases(by: AbstractUser, attempt_id: UUID | None = None) -> int:
    leased = Review.objects.filter(leased_by_id=by.pk).exclude(state="decided")
    if attempt_id is not None:
        leased = leased.filter(pk=attempt_id)
    return leased.update(leased_by=None, leased_until=None)


def _refuse_decided(review: Review) -> None:
    if not is_open(review):
        raise ReviewStateError(_("It is decided: reopen it first."))


def _colleague(person_id: int) -> AbstractUser:
    person = get_user_model().objects.filter(pk=person_id, is_active=True, is_staff=True).first()
    if not isinstance(person, AbstractUser) or not person.has_perm("verification.work_review"):
        raise NotPermittedError(_("This person cannot work on reviews."))
    return person
