"""Small pieces of markup that more than one page uses. Everything given is escaped here."""

from datetime import datetime
from decimal import Decimal

from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from verification.services.settlement import visible

MAX_TEXT = 2_000
ABSENT = SafeString('<span class="absent">not given</span>')
NOT_YET = SafeString('<span class="absent">not yet</span>')


def plain(value: str) -> str:
    """Return a text from outside for a place that takes no markup, such as a window's title."""
    return visible(value, MAX_TEXT) or ""


def text(value: str | None, *, absent: SafeString = ABSENT) -> SafeString:
    """Show a text from outside, isolated so that its direction cannot reorder the page."""
    shown = visible(value, MAX_TEXT)
    return format_html("<bdi>{}</bdi>", shown) if shown else absent


def code(value: str | None, *, absent: SafeString = ABSENT) -> SafeString:
    """Show an identifier or a name out of a contract, in fixed-width type."""
    shown = visible(value, MAX_TEXT)
    return format_html("<bdi><code>{}</code></bdi>", shown) if shown else absent


def figure(value: Decimal | int | None, unit: str = "", *, grouped: bool = True) -> SafeString:
    """Show a number with exactly the digits it was given with; integers grouped by thousands."""
    if value is None:
        return ABSENT
    pattern = "f" if isinstance(value, Decimal) else "," if grouped else "d"
    return format_html(
        '<span class="figure">{}{}</span>', format(value, pattern), unit and f" {unit}"
    )


def icon(name: str) -> SafeString:
    """Draw a symbol of `icons.svg`; text beside it carries the meaning."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>',
        static("verification/icons.svg"),
        name,
    )


def pill(label: str, *, tone: str, shape: str) -> SafeString:
    """Draw a pill: a symbol and words; the colour of `tone` only repeats them."""
    return format_html(
        '<span class="pill pill-{}">{}<span>{}</span></span>', tone, icon(shape), label
    )


def moment(at: datetime | None, *, absent: SafeString = NOT_YET) -> SafeString:
    """Show a time of the site's zone to the millisecond, with the zone's name."""
    if at is None:
        return absent
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}">{} <span class="clock">{}.{}</span> {}</time>',
        at.isoformat(),
        date_format(local, "j M Y"),
        local.strftime("%H:%M:%S"),
        format(local.microsecond // 1000, "03d"),
        local.tzname(),
    )


def brief_moment(at: datetime) -> SafeString:
    """Show a time of the site's zone to the second; the column's heading names the zone."""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}">{} <span class="clock">{}</span></time>',
        at.isoformat(),
        date_format(local, "j M Y"),
        local.strftime("%H:%M:%S"),
    )


def joined(parts: list[SafeString]) -> SafeString:
    """Put fragments side by side."""
    return format_html_join(" ", "{}", ((each,) for each in parts))
