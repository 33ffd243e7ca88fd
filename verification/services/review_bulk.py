"""One decision on many reviews: looked at before, and each a step and an entry of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.utils.translation import gettext_noop as _

from verification.models import Review
from verification.models.review import ReviewState
from verification.policy.terms import Decision
from verification.selectors.reviews import standings_of
from verification.services.errors import (
    ReviewStateError,
    ReviewTakenError,
    ServiceError,
    UnknownReviewError,
)
from verification.services.reasons import check_permission
from verification.services.review_steps import Act, refuse_if_taken
from verification.services.reviews import check_reason_code, decide
from verification.services.runtime import Runtime

MOST = 200
"""How many reviews one decision can be about."""

NOTHING_SEEN: Mapping[UUID, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One review of a bulk decision: what would become, or became, of it; or why nothing.

    `seen` is its `standing` in a preview.
    """

    attempt_id: UUID
    biz_no: str | None
    becomes: ReviewState | None
    refused: ServiceError | None
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Bulk:
    """What a decision on many means for each, in the order in which they were named."""

    items: tuple[BulkItem, ...]

    @property
    def decided(self) -> int:
        """How many are decided by it."""
        return sum(each.becomes == ReviewState.DECIDED for each in self.items)

    @property
    def proposed(self) -> int:
        """How many wait for a second person after it."""
        return sum(each.becomes == ReviewState.PROPOSED for each in self.items)

    @property
    def refused(self) -> int:
        """How many stay as they are."""
        return sum(each.refused is not None for each in self.items)


def preview_bulk(
    *,
    attempt_ids: Sequence[UUID],
    decision: Decision,
    reason_code: str,
    by: AbstractUser,
    runtime: Runtime,
) -> Bulk:
    """Say what `decide_bulk` would do now. Changes nothing. BadDecisionError, NotPermittedError."""
    check_permission(by, "work_review")
    check_reason_code(decision, reason_code)
    act = Act(by, runtime.now())
    chosen = list(dict.fromkeys(attempt_ids))[:MOST]
    rows = Review.objects.select_related("attempt", "leased_by").in_bulk(chosen)
    seen = standings_of(rows.values())
    items = (_foretold(each, rows.get(each), act) for each in chosen)
    return Bulk(tuple(replace(each, seen=seen.get(each.attempt_id, "")) for each in items))


def decide_bulk(
    *,
    attempt_ids: Sequence[UUID],
    decision: Decision,
    reason_code: str,
    note: str,
    by: AbstractUser,
    runtime: Runtime,
    seen: Mapping[UUID, str] = NOTHING_SEEN,
) -> Bulk:
    """Decide on each in a transaction of its own; what is refused does not hold up the others.

    `seen` is how each stood in the preview; one that changed since is refused.
    Repeating is safe: what was decided or proposed is refused then.
    """
    check_permission(by, "work_review")
    check_reason_code(decision, reason_code)
    chosen = list(dict.fromkeys(attempt_ids))[:MOST]
    rows = Review.objects.select_related("attempt").in_bulk(chosen)
    items = []
    for attempt_id in chosen:
        row = rows.get(attempt_id)
        biz_no = row.attempt.biz_no if row else None
        try:
            review = decide(
                attempt_id=attempt_id,
                decision=decision,
                reason_code=reason_code,
                note=note,
                by=by,
                runtime=runtime,
                seen=seen.get(attempt_id),
            )
        except ServiceError as error:
            items.append(BulkItem(attempt_id, biz_no, None, error))
        else:
            items.append(BulkItem(attempt_id, biz_no, ReviewState(review.state), None))
    return Bulk(tuple(items))


def _foretold(attempt_id: UUID, review: Review | None, act: Act) -> BulkItem:
    if review is None:
        unknown = UnknownReviewError(_("There is nothing to decide about this attempt."))
        return BulkItem(attempt_id, None, None, unknown)
    biz_no = review.attempt.biz_no
    try:
        refuse_if_taken(review, act)
    except ReviewTakenError as error:
        return BulkItem(attempt_id, biz_no, None, error)
    if review.state != ReviewState.OPEN:
        moved = ReviewStateError(_("Somebody has proposed or decided meanwhile."))
        return BulkItem(attempt_id, biz_no, None, moved)
    becomes = ReviewState.PROPOSED if review.needs_second else ReviewState.DECIDED
    return BulkItem(attempt_id, biz_no, becomes, None)
