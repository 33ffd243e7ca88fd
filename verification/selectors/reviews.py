"""Reviews as staff see them: the queue and its figures, one review, and what is related to it."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from verification.models import Mention, Review, ReviewStep, VerificationAttempt
from verification.models.review import ReviewState, StepKind
from verification.policy.judging import raised_tags
from verification.policy.terms import Priority, Reason, Verdict
from verification.selectors.record import listed_attempts

RELATED = 5
DEVICE_SPAN = timedelta(hours=24)
SOON = timedelta(hours=1)
STEERING = frozenset({StepKind.ASSIGNED, StepKind.SNOOZED, StepKind.PRIORITISED})
"""Steps that say when and by whom, and nothing about the attempt."""

IMAGE = "image"
"""Kinds of evidence that begin like this are images."""


class Due(StrEnum):
    """When a review is due, as a filter."""

    OVERDUE = "overdue"
    SOON = "soon"
    TODAY = "today"


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """Which reviews: every field that is not None must hold.

    Without a `state` those that are not decided. `mine` is the id of a person who has the lease or
    the assignment. `identifier` is compared exactly with business number, subject, request id and,
    where it is a UUID, the attempt's id.
    """

    state: ReviewState | None = None
    reason: Reason | None = None
    priority: Priority | None = None
    client_id: UUID | None = None
    due: Due | None = None
    assignee_id: int | None = None
    mine: int | None = None
    snoozed: bool = False
    glass: bool = False
    identifier: str | None = None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many reviews wait, and for what. Snoozed ones count only as such."""

    open: int
    proposed: int
    overdue: int
    due_soon: int
    mine: int
    snoozed: int
    mentions: int
    glass: int


class Relation(StrEnum):
    """Why another attempt is shown beside one."""

    SUBJECT = "subject"
    BIZ_NO = "biz_no"
    DEVICE = "device"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Related:
    """The newest attempts, at most RELATED, that share something with one."""

    relation: Relation
    attempts: tuple[VerificationAttempt, ...]


def in_queue(at: datetime) -> Q:
    """Return the condition that a review waits for somebody now."""
    return ~Q(state=ReviewState.DECIDED) & (
        Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=at)
    )


def reviews_for_list(which: ReviewFilter, *, at: datetime) -> QuerySet[Review]:
    """Return reviews with their attempts and people, the most pressing first."""
    found = Review.objects.select_related(
        "attempt", "client", "assignee", "leased_by", "proposed_by", "decided_by"
    ).defer("attempt__packet_sha256", "attempt__token_digest", "attempt__commitment_key")
    if which.glass:
        found = _glass(found)
    elif which.state is not None:
        found = found.filter(state=which.state)
    elif which.snoozed:
        found = found.exclude(state=ReviewState.DECIDED).filter(snoozed_until__gt=at)
    else:
        found = found.filter(in_queue(at))
    return _narrowed(found, which, at).order_by("priority", "due_at", "attempt_id")


def queue_counts(*, at: datetime, person_id: int) -> QueueCounts:
    """Count the queue, in three queries; only what is not decided is read."""
    waiting, mine = in_queue(at), _mine(person_id)
    counted = Review.objects.exclude(state=ReviewState.DECIDED).aggregate(
        open=Count("pk", filter=waiting & Q(state=ReviewState.OPEN)),
        proposed=Count("pk", filter=waiting & Q(state=ReviewState.PROPOSED)),
        overdue=Count("pk", filter=waiting & Q(due_at__lt=at)),
        due_soon=Count("pk", filter=waiting & Q(due_at__gte=at, due_at__lt=at + SOON)),
        mine=Count("pk", filter=waiting & mine),
        snoozed=Count("pk", filter=Q(snoozed_until__gt=at)),
    )
    return QueueCounts(
        **counted,
        mentions=Mention.objects.filter(person_id=person_id, seen_at=None).count(),
        glass=_glass(Review.objects.all()).count(),
    )


def find_review(attempt_id: UUID) -> Review | None:
    """Return the review of an attempt with all who have a part in it."""
    found = Review.objects.select_related("assignee", "leased_by", "proposed_by", "decided_by")
    return found.filter(pk=attempt_id).first()


def steps_of(attempt_id: UUID) -> QuerySet[ReviewStep]:
    """Return what was done with a review, oldest first."""
    return ReviewStep.objects.filter(review_id=attempt_id).select_related("assignee")


def standing(attempt_state: str, steps: Iterable[ReviewStep]) -> str:
    """Return a word for how an attempt stands: another one after every answer, note and decision.

    A page carries it, so that nobody decides about what they have not read.
    """
    told = sum(each.kind not in STEERING for each in steps)
    return f"{attempt_state}.{told}"


def standings_of(reviews: Iterable[Review]) -> dict[UUID, str]:
    """Return the `standing` of each; the reviews come with their attempts."""
    states = {each.pk: each.attempt.state for each in reviews}
    steps: dict[UUID, list[ReviewStep]] = defaultdict(list)
    for step in ReviewStep.objects.filter(review_id__in=states).only("review_id", "kind"):
        steps[step.review_id].append(step)
    return {each: standing(state, steps[each]) for each, state in states.items()}


def unseen_mentions(person_id: int) -> QuerySet[Mention]:
    """Return the notes in which somebody was named and that they have not opened, newest first."""
    found = Mention.objects.filter(person_id=person_id, seen_at=None)
    return found.select_related("step", "step__review__attempt").order_by("-step__at", "-pk")


def related_of(attempt: VerificationAttempt) -> tuple[Related, ...]:
    """Return attempts that share something with one, by what they share; four queries at most.

    The same raised device tags count within 24 hours, for the same client, and among attempts
    that were to be reviewed.
    """
    conditions = {
        Relation.SUBJECT: Q(subject=attempt.subject) if attempt.subject else None,
        Relation.BIZ_NO: Q(biz_no=attempt.biz_no) if attempt.biz_no else None,
        Relation.DEVICE: _same_device(attempt),
        Relation.IMAGE: _same_image(attempt),
    }
    found = (
        Related(relation, _newest(attempt, condition))
        for relation, condition in conditions.items()
        if condition is not None
    )
    return tuple(each for each in found if each.attempts)


def _newest(attempt: VerificationAttempt, condition: Q) -> tuple[VerificationAttempt, ...]:
    rows = listed_attempts()
    return tuple(
        rows.filter(condition).exclude(pk=attempt.pk).order_by("-created_at", "-id")[:RELATED]
    )


def _same_device(attempt: VerificationAttempt) -> Q | None:
    if not raised_tags(attempt.device_tags):
        return None
    return Q(
        verdict=Verdict.REVIEW,
        created_at__range=(attempt.created_at - DEVICE_SPAN, attempt.created_at + DEVICE_SPAN),
        client_id=attempt.client_id,
        device_tags=attempt.device_tags,
    )


def _same_image(attempt: VerificationAttempt) -> Q | None:
    digests = [bytes(each.sha256) for each in attempt.evidence.all() if each.kind.startswith(IMAGE)]
    if not digests:
        return None
    return Q(evidence__kind__startswith=IMAGE, evidence__sha256__in=digests)


def _narrowed(found: QuerySet[Review], which: ReviewFilter, at: datetime) -> QuerySet[Review]:
    if which.reason is not None:
        found = found.filter(reasons__contains=[which.reason.value])
    if which.priority is not None:
        found = found.filter(priority=which.priority.value)
    if which.client_id is not None:
        found = found.filter(client_id=which.client_id)
    if which.assignee_id is not None:
        found = found.filter(assignee_id=which.assignee_id)
    if which.mine is not None:
        found = found.filter(_mine(which.mine))
    if which.due is not None:
        found = found.filter(_due(which.due, at))
    if which.identifier:
        found = found.filter(_identified(which.identifier))
    return found


def _mine(person_id: int) -> Q:
    return Q(leased_by_id=person_id) | Q(assignee_id=person_id)


def _due(due: Due, at: datetime) -> Q:
    if due is Due.OVERDUE:
        return Q(due_at__lt=at)
    if due is Due.SOON:
        return Q(due_at__gte=at, due_at__lt=at + SOON)
    tomorrow = timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0)
    return Q(due_at__lt=tomorrow + timedelta(days=1))


def _identified(text: str) -> Q:
    # All of one table, so that each alternative has its index: with two tables none would.
    condition = Q(biz_no=text) | Q(subject=text) | Q(request_id=text)
    with suppress(ValueError):
        condition |= Q(pk=UUID(text))
    return Q(attempt_id__in=VerificationAttempt.objects.filter(condition).values("pk"))


def _glass(found: QuerySet[Review]) -> QuerySet[Review]:
    """Return decisions by broken glass that nobody else has looked at."""
    looked = ReviewStep.objects.filter(
        review_id=OuterRef("pk"), round=OuterRef("round"), kind=StepKind.GLASS_REVIEWED
    )
    return found.filter(glass_broken=True).exclude(Exists(looked))
