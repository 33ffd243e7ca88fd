"""What every change of a review has in common: the row is locked, a step and its entry are kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.utils.translation import gettext_noop as _

from verification.identifiers import uuid7
from verification.models import Review, ReviewStep
from verification.models.review import ReviewState, StepKind
from verification.policy.terms import Decision
from verification.selectors.reviews import standings_of
from verification.services.entries import key_of, review_entry, utc_text
from verification.services.errors import (
    BadReasonError,
    ReviewStateError,
    ReviewTakenError,
    UnknownReviewError,
)
from verification.services.settlement import visible
from verification.services.staging import stage

MAX_NOTE = 2000


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something, and when; each service makes one."""

    by: AbstractUser
    at: datetime


def lock_review(attempt_id: UUID) -> Review:
    """Lock the review of an attempt until the end of the transaction. UnknownReviewError."""
    review = (
        Review.objects.select_for_update(of=("self",))
        .select_related("attempt", "leased_by")
        .filter(pk=attempt_id)
        .first()
    )
    if review is None:
        raise UnknownReviewError(_("There is nothing to decide about this attempt."))
    return review


def refuse_if_taken(review: Review, act: Act) -> None:
    """Raise ReviewTakenError while somebody else has the lease."""
    holder, until = review.leased_by, review.leased_until
    if holder is not None and until is not None and until > act.at and holder.pk != act.by.pk:
        raise ReviewTakenError(holder.get_username(), until)


def refuse_if_changed(review: Review, seen: str | None) -> None:
    """Raise ReviewStateError if it is not as it was read: `seen` is the `standing` of then."""
    if seen is not None and standings_of([review])[review.pk] != seen:
        raise ReviewStateError(_("Something was added since you read this. Read it, then decide."))


def read_note(text: str, *, is_needed: bool) -> str | None:
    """Return a note as it is stored, None for an empty one. Line breaks stay. BadReasonError."""
    note = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not note:
        if is_needed:
            raise BadReasonError(_("Say why, in a note."))
        return None
    if len(note) > MAX_NOTE:
        raise BadReasonError(_("A note has at most %(most)s characters."), {"most": MAX_NOTE})
    lines = note.split("\n")
    if any(visible(line, MAX_NOTE) != line for line in lines):
        raise BadReasonError(_("The note holds control characters or others that do not show."))
    return note


def take_step(
    review: Review,
    kind: StepKind,
    act: Act,
    *,
    note: str | None = None,
    decision: Decision | None = None,
    reason_code: str | None = None,
    assignee: AbstractUser | None = None,
    priority: int | None = None,
    until: datetime | None = None,
) -> ReviewStep:
    """Keep a step of a locked review and stage its entry; the caller changes the row."""
    step = ReviewStep.objects.create(
        id=uuid7(act.at),
        review=review,
        round=review.round,
        kind=kind,
        by_id=act.by.pk,
        by_name=act.by.get_username(),
        at=act.at,
        decision=decision.value if decision else None,
        reason_code=reason_code,
        note=note,
        assignee_id=assignee.pk if assignee else None,
        priority=priority,
        until=until,
    )
    stage([_entry(step, key_of(review.attempt))])
    return step


def _entry(step: ReviewStep, key: bytes) -> bytes:
    return review_entry(
        key=key,
        at=utc_text(step.at),
        attempt=str(step.review_id),
        step=str(step.pk),
        kind=step.kind,
        round_no=step.round,
        by=step.by_name,
        by_id=str(step.by_id),
        decision=step.decision,
        reason_code=step.reason_code,
        note=step.note,
        assignee=str(step.assignee_id) if step.assignee_id else None,
        priority=step.priority,
        until=utc_text(step.until) if step.until else None,
    )


def is_open(review: Review) -> bool:
    """Return whether somebody still has to decide."""
    return review.state != ReviewState.DECIDED
