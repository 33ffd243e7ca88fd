"""Small pieces that the desk and the record share: when it is due, why it is here, who has it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from verification.admin.fragments import pill, plain, text
from verification.admin.pills import DECISIONS
from verification.admin.review_wording import PRIORITIES, REASONS, STATES
from verification.models import Review
from verification.models.review import ReviewState

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
TWO_DAYS = timedelta(days=2)
SOON = timedelta(hours=1)


def span_words(span: timedelta) -> str:
    """Return a span, roughly: `35 min`, `2 h`, `3 d`."""
    seconds = int(span.total_seconds())
    if seconds < HOUR_S:
        return _("%(n)d min") % {"n": seconds // MINUTE_S}
    if span < TWO_DAYS:
        return _("%(n)d h") % {"n": seconds // HOUR_S}
    return _("%(n)d d") % {"n": seconds // DAY_S}


def due_pill(review: Review, at: datetime) -> SafeString | None:
    """Say in words how long there is until it is due; None for what is decided."""
    if review.state == ReviewState.DECIDED:
        return None
    if review.due_at < at:
        words = _("overdue %(span)s") % {"span": span_words(at - review.due_at)}
        return pill(words, tone="bad", shape="triangle")
    words = _("due in %(span)s") % {"span": span_words(review.due_at - at)}
    is_soon = review.due_at - at < SOON
    return pill(words, tone="warn" if is_soon else "plain", shape="clock")


def priority_pill(priority: int) -> SafeString:
    """Draw a priority."""
    label, tone, shape = PRIORITIES[priority]
    return pill(str(label), tone=tone, shape=shape)


def review_pill(review: Review) -> SafeString:
    """Draw where a review stands."""
    label, tone, shape = STATES[review.state]
    return pill(str(label), tone=tone, shape=shape)


def decided_pill(decision: str) -> SafeString:
    """Draw a decision or verdict."""
    label, tone, shape = DECISIONS[decision]
    return pill(str(label), tone=tone, shape=shape)


def reason_pills(reasons: Iterable[str]) -> list[SafeString]:
    """Draw why an attempt is here."""
    return [pill(reason_label(each), tone="quiet", shape="dot") for each in reasons]


def reason_label(reason: str) -> str:
    """Return what a reason is called; one that this version does not know as it is."""
    return str(REASONS.get(reason, plain(reason)))


def clock(at: datetime, now: datetime) -> SafeString:
    """Show a time that is near: only the clock on the day of `now`, with the day otherwise."""
    local = timezone.localtime(at)
    is_same_day = local.date() == timezone.localdate(now)
    shape = "%H:%M" if is_same_day else "%Y-%m-%d %H:%M"
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), local.strftime(shape))


def is_leased(review: Review, at: datetime) -> bool:
    """Return whether somebody has it now."""
    return review.leased_until is not None and review.leased_until > at


def said(note: str | None) -> SafeString:
    """Show a note in its own lines, each isolated as `text` does."""
    lines = (note or "").split("\n")
    return format_html_join("\n", "{}", ((text(each, absent=SafeString("")),) for each in lines))
