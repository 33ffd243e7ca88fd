"""Scheduled exports: each period that has ended becomes a file, once, also after an outage."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo

from django.db import IntegrityError
from django.utils import timezone

from verification.models import ExportRequest
from verification.models.export import Repeats
from verification.selectors.as_of import newest_repeatable
from verification.selectors.export_jobs import newest_period, schedules
from verification.services.export_jobs import start_scheduled
from verification.services.runtime import Runtime
from verification.services.staff_exports import COUNTED, read_filter, size_of

SETTLED_AFTER = timedelta(minutes=5)
"""A period is exported so long after its end: what was sent in it has been answered or given up."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to `end`, exclusive."""

    start: datetime
    end: datetime


def start_due_exports(*, runtime: Runtime) -> int:
    """Ask for the next file of each schedule that is behind; return of how many. Safe to repeat."""
    started = 0
    for row in schedules(runtime.now()):
        period = next(due_periods(row, now=runtime.now()), None)
        if period is not None and may_export(row) and _is_told(period):
            started += _start(row, period, runtime)
    return started


def due_periods(row: ExportRequest, *, now: datetime) -> Iterator[Period]:
    """Yield the periods that no file was asked for yet, oldest first.

    The first one is that in which the schedule was approved. Days begin at midnight of Django's
    TIME_ZONE, weeks on Monday.
    """
    zone = timezone.get_default_timezone()
    assert row.decided_at is not None  # noqa: S101 - narrows the type: it was approved
    newest = newest_period(row.pk)
    repeats = Repeats(str(row.repeats))
    period = period_of(repeats, newest or row.decided_at, zone)
    if newest is not None:
        period = period_of(repeats, period.end, zone)
    while period.end + SETTLED_AFTER <= now:
        yield period
        period = period_of(repeats, period.end, zone)


def period_of(repeats: Repeats, at: datetime, zone: tzinfo) -> Period:
    """Return the day, week or month that a moment is in."""
    day = at.astimezone(zone).date()
    if repeats is Repeats.WEEKLY:
        day -= timedelta(days=day.weekday())
    elif repeats is Repeats.MONTHLY:
        day = day.replace(day=1)
    days = {Repeats.DAILY: 1, Repeats.WEEKLY: 7}.get(repeats)
    following = day + timedelta(days=days) if days else (day + timedelta(days=32)).replace(day=1)
    start, end = (datetime.combine(each, time(), zone) for each in (day, following))
    return Period(start, end)


def may_export(row: ExportRequest) -> bool:
    """Return whether who asked still may; the database asks again."""
    by = row.requested_by
    return by.is_active and by.is_staff and by.has_perm("verification.export_attempts")


def _is_told(period: Period) -> bool:
    """Return whether the log, where one is kept, has a checkpoint of after the period's end."""
    newest = newest_repeatable()
    return newest is None or newest.made_at >= period.end


def _start(row: ExportRequest, period: Period, runtime: Runtime) -> int:
    which = replace(read_filter(row.filters), created_from=period.start, created_before=period.end)
    rows = size_of(which, cap=COUNTED).number
    try:
        start_scheduled(row, which, period_start=period.start, rows=rows, runtime=runtime)
    except IntegrityError:
        return 0  # another worker was faster, or somebody has just ended it
    return 1
