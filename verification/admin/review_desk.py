"""The desk's figures as doors, its rows, and where colleagues named somebody."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from verification.admin.attempts import attempt_address
from verification.admin.fragments import brief_moment, text
from verification.admin.review_fragments import (
    clock,
    decided_pill,
    due_pill,
    is_leased,
    priority_pill,
    reason_pills,
    review_pill,
    said,
)
from verification.models import Mention, Review
from verification.models.review import ReviewState
from verification.selectors.reviews import QueueCounts

NO_NUMBER = _("no business number")


@dataclass(frozen=True, slots=True)
class Door:
    """One figure of the queue, and the list that it counts."""

    label: Promise
    count: int
    address: str
    tone: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One review as the desk lists it; `holder` is who has it now, until `held_until`."""

    id: UUID
    address: str
    biz_no: SafeString
    subject: SafeString | None
    due: SafeString | None
    due_at: SafeString
    priority: SafeString
    reasons: list[SafeString]
    client: SafeString
    state: SafeString
    decision: SafeString | None
    holder: SafeString | None
    held_until: SafeString | None
    is_mine: bool
    assignee: SafeString | None
    snoozed: SafeString | None
    can_choose: bool


@dataclass(frozen=True, slots=True)
class MentionRow:
    """A note in which somebody was named."""

    id: int
    address: str
    biz_no: SafeString
    when: SafeString
    who: SafeString
    note: SafeString


def desk_address() -> str:
    """Return the path of the desk."""
    return reverse("admin:verification_review_changelist")


def doors(counts: QueueCounts, given: dict[str, str]) -> list[Door]:
    """Return the figures of the queue; each leads to what it counts."""
    kinds: list[tuple[Promise, int, dict[str, str], str]] = [
        (_("Open"), counts.open, {"show": "open"}, "plain"),
        (_("Overdue"), counts.overdue, {"due": "overdue"}, "bad"),
        (_("Due within an hour"), counts.due_soon, {"due": "soon"}, "warn"),
        (_("Wait for a second person"), counts.proposed, {"show": "proposed"}, "doubt"),
        (_("Mine"), counts.mine, {"mine": "yes"}, "plain"),
        (_("Snoozed"), counts.snoozed, {"show": "snoozed"}, "plain"),
        (_("Break-glass to review"), counts.glass, {"show": "glass"}, "bad"),
    ]
    found = [
        Door(label, count, f"?{urlencode(which)}", tone if count else "plain", given == which)
        for label, count, which, tone in kinds
    ]
    named = reverse("admin:verification_review_mentions")
    tone = "warn" if counts.mentions else "plain"
    return [*found, Door(_("You were named"), counts.mentions, named, tone, is_current=False)]


def review_rows(found: Iterable[Review], person: AbstractUser, at: datetime) -> list[ReviewRow]:
    """Return the rows of a list."""
    return [_row(each, person, at) for each in found]


def mention_rows(found: Iterable[Mention]) -> list[MentionRow]:
    """Return the notes, newest first."""
    return [
        MentionRow(
            each.pk,
            attempt_address(each.step.review_id),
            text(each.step.review.attempt.biz_no, absent=format_html("{}", NO_NUMBER)),
            brief_moment(each.step.at),
            text(each.step.by_name),
            said(each.step.note),
        )
        for each in found
    ]


def _row(review: Review, person: AbstractUser, at: datetime) -> ReviewRow:
    attempt = review.attempt
    held = is_leased(review, at) and review.leased_by is not None
    is_mine = held and review.leased_by_id == person.pk
    snoozed = review.snoozed_until
    return ReviewRow(
        id=review.pk,
        address=attempt_address(review.pk),
        biz_no=text(attempt.biz_no, absent=format_html("{}", NO_NUMBER)),
        subject=text(attempt.subject) if attempt.subject else None,
        due=due_pill(review, at),
        due_at=brief_moment(review.due_at),
        priority=priority_pill(review.priority),
        reasons=reason_pills(review.reasons),
        client=text(review.client.name),
        state=review_pill(review),
        decision=decided_pill(review.decision) if review.decision else None,
        holder=text(review.leased_by.get_username()) if held and review.leased_by else None,
        held_until=clock(review.leased_until, at) if held and review.leased_until else None,
        is_mine=is_mine,
        assignee=text(review.assignee.get_username()) if review.assignee else None,
        snoozed=clock(snoozed, at) if snoozed and snoozed > at else None,
        can_choose=review.state == ReviewState.OPEN and (is_mine or not held),
    )
