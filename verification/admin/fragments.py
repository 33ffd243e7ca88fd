"""Small pieces of markup that more than one page uses. Everything given is escaped here."""

from datetime import date, datetime
from decimal import Decimal

from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from verification.admin.numbers import localised
from verification.services.settlement import visible

MAX_TEXT = 2_000


def plain(value: str) -> str:
    """Return a text from outside for a place that takes no markup, such as a window's title."""
    return visible(value, MAX_TEXT) or ""


def quiet(words: str) -> SafeString:
    """Show what stands in the place of something that is not there."""
    return format_html('<span class="absent">{}</span>', words)


def text(value: str | None, *, absent: str | None = None) -> SafeString:
    """Show a text from outside, isolated so that its direction cannot reorder the page."""
    shown = visible(value, MAX_TEXT)
    return format_html("<bdi>{}</bdi>", shown) if shown else _instead(absent)


def code(value: str | None, *, absent: str | None = None) -> SafeString:
    """Show an identifier or a name out of a contract, in fixed-width type."""
    shown = visible(value, MAX_TEXT)
    return format_html("<bdi><code>{}</code></bdi>", shown) if shown else _instead(absent)


def number_or_none(biz_no: str | None) -> SafeString:
    """Show a business number, or say that there is none."""
    return text(biz_no, absent=_("no business number"))


def number_as_heading(biz_no: str | None) -> SafeString:
    """Show a business number, or say that there is none, where a line begins."""
    return text(biz_no, absent=_("No business number"))


def figure(value: Decimal | int | None, unit: str = "", *, grouped: bool = True) -> SafeString:
    """Show a number with exactly the digits it was given with; integers grouped by thousands."""
    if value is None:
        return _instead(None)
    pattern = "f" if isinstance(value, Decimal) else "," if grouped else "d"
    shown = localised(format(value, pattern))
    return format_html('<span class="figure">{}{}</span>', shown, unit and f" {unit}")


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


def day(at: date) -> str:
    """Return a day as the reader's language writes it."""
    return date_format(at, pgettext("a day, in letters of Django's date filter", "j M Y"))


def day_of_year(at: date) -> str:
    """Return a day without its year, where space is short."""
    return date_format(at, pgettext("a day without year, as for Django's date filter", "j M"))


def moment(at: datetime | None) -> SafeString:
    """Show a time of the reader's zone to the millisecond, with the zone's name."""
    if at is None:
        return quiet(_("not yet"))
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}">{} <span class="clock">{}.{}</span> {}</time>',
        at.isoformat(),
        day(local),
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
        day(local),
        local.strftime("%H:%M:%S"),
    )


def _instead(words: str | None) -> SafeString:
    return quiet(_("not given")) if words is None else format_html("{}", words)


def joined(parts: list[SafeString]) -> SafeString:
    """Put fragments side by side."""
    return format_html_join(" ", "{}", ((each,) for each in parts))
