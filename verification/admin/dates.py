"""Choosing a time: presets, and a way down from years to days.

The way down is computed from the first and the last time in the table, both read off an index;
it offers a year, month or day without asking the database whether it holds a row.
"""

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from verification.selectors.listing import Span


class Preset(StrEnum):
    """A span of time that ends today."""

    TODAY = "today"
    WEEK = "7d"
    MONTH = "30d"


DAYS = {Preset.TODAY: 1, Preset.WEEK: 7, Preset.MONTH: 30}
LABELS = {
    Preset.TODAY: gettext_lazy("Today"),
    Preset.WEEK: gettext_lazy("Last 7 days"),
    Preset.MONTH: gettext_lazy("Last 30 days"),
}


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days of the site's time zone, both ends included; None leaves an end open."""

    since: date | None = None
    until: date | None = None

    @property
    def start(self) -> datetime | None:
        """The first moment."""
        return _midnight(self.since) if self.since else None

    @property
    def end(self) -> datetime | None:
        """The first moment that no longer belongs to it."""
        return _midnight(self.until + timedelta(days=1)) if self.until else None


@dataclass(frozen=True, slots=True)
class Choice:
    """One link of the date bar."""

    label: str
    address: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class DateBar:
    """`presets`, then the `trail` walked so far, then the next `steps` down."""

    presets: tuple[Choice, ...]
    trail: tuple[Choice, ...]
    steps: tuple[Choice, ...]


Address = Callable[[dict[str, str]], str]
"""Turns the parameters of a choice of time into an address that keeps the other filters."""


def days_of(preset: Preset | None, since: date | None, until: date | None, today: date) -> Days:
    """Return the chosen days: given dates win over a preset."""
    if since or until or preset is None:
        return Days(since, until)
    return Days(today - timedelta(days=DAYS[preset] - 1), None)


def date_bar(span: Span, chosen: Days, preset: Preset | None, address: Address) -> DateBar:
    """Return the links for a table that holds rows of `span`."""
    first, last = timezone.localdate(span.first), timezone.localdate(span.last)
    trail = tuple(_trail(chosen))
    anytime = Choice(_("Any time"), address({}), is_current=chosen == Days())
    presets = (
        Choice(
            str(LABELS[each]), address({"period": each}), is_current=each == preset and not trail
        )
        for each in Preset
    )
    below = _years(first, last) if not trail else _below(trail[-1][1], first, last)
    return DateBar(
        (anytime, *presets),
        tuple(Choice(label, address(_dates(days)), days == chosen) for label, days in trail),
        tuple(Choice(label, address(_dates(days))) for label, days in below),
    )


def _trail(chosen: Days) -> Iterator[tuple[str, Days]]:
    """Yield the year, month and day that the chosen days are or lie in, if they are one of them."""
    if not (since := chosen.since) or not (until := chosen.until):
        return
    year, month = _year(since.year), _month(since.year, since.month)
    if chosen not in {year, month} and since != until:
        return
    yield str(since.year), year
    if chosen != year:
        yield date_format(since, "F"), month
    if since == until:
        yield str(since.day), chosen


def _below(days: Days, first: date, last: date) -> Iterator[tuple[str, Days]]:
    """Yield the months of a year or the days of a month, as far as there can be rows."""
    if not (since := days.since) or since == days.until:
        return
    if days == _year(since.year):
        for number in range(1, 13):
            month = _month(since.year, number)
            if _meet(month, first, last):
                yield date_format(date(since.year, number, 1), "M"), month
        return
    for number in range(1, monthrange(since.year, since.month)[1] + 1):
        day = since.replace(day=number)
        if first <= day <= last:
            yield str(number), Days(day, day)


def _years(first: date, last: date) -> Iterator[tuple[str, Days]]:
    for number in range(first.year, last.year + 1):
        yield str(number), _year(number)


def _meet(days: Days, first: date, last: date) -> bool:
    return bool(days.since and days.until and days.since <= last and days.until >= first)


def _year(number: int) -> Days:
    return Days(date(number, 1, 1), date(number, 12, 31))


def _month(year: int, number: int) -> Days:
    return Days(date(year, number, 1), date(year, number, monthrange(year, number)[1]))


def _dates(days: Days) -> dict[str, str]:
    ends = {"since": days.since, "until": days.until}
    return {name: value.isoformat() for name, value in ends.items() if value}


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
