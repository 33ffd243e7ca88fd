"""Count attempts for the dashboard, by following the log: what it tells of is counted anew.

The entries after the last position name the attempts that changed; every minute and client that
they belong to is counted again from the attempts themselves, their hours from the minutes, and
their days from the hours. So nothing that was committed late is missed, and repeating changes
nothing. Minutes are kept for some days; an hour before them is counted again as a whole. Reviews
are counted in the same transaction.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, Min

from verification.models import ApiClient, ReviewStep, RollupPosition, VerificationAttempt
from verification.models.rollup import LATENCY_MS
from verification.selectors.ledger import log_size
from verification.selectors.listing import span_of
from verification.services.rollup_reviews import count_days, days_touched
from verification.services.rollup_statements import (
    COUNT_INTO_HOURS,
    COUNT_INTO_MINUTES,
    FORGET_DAYS,
    FORGET_HOURS,
    FORGET_MINUTES,
    PLANNED,
    PRUNE_MINUTES,
    SUM_INTO_DAYS,
    SUM_INTO_HOURS,
    TOUCHED,
    WITH_MINUTES,
)
from verification.services.runtime import Runtime

LOCK = "verification.rollups"
BATCH = 250_000
"""Entries at a time."""

MINUTES_KEPT = timedelta(days=2)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BUCKETS = {
    "latency": [timedelta(milliseconds=each) for each in LATENCY_MS],
    "latency_ms": list(LATENCY_MS),
}

Place = tuple[datetime, UUID]
"""A minute, hour or day of UTC, by its beginning, and a client."""

Report = Callable[[int, int], None]
"""Told how many days of how many are done."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How far a run came: entries read, and whether there are more."""

    entries: int
    is_behind: bool


def count_changes(*, runtime: Runtime) -> Counted:
    """Count what the log tells since the last run, at most BATCH entries; safe to repeat.

    All of it is one transaction with the new position: killed anywhere, it did nothing. Somebody
    else who counts at the same moment is not waited for.
    """
    with transaction.atomic():
        if not _lock("pg_try_advisory_xact_lock"):
            return Counted(0, is_behind=False)
        position = RollupPosition.objects.filter(pk=1).first()
        first, size = position.index if position else 0, log_size()
        end = min(size, first + BATCH)
        if end <= first:
            return Counted(0, is_behind=False)
        _run(PLANNED)
        kept_from = _begin_of(runtime.now() - MINUTES_KEPT, DAY)
        _run(PRUNE_MINUTES, {"before": kept_from})
        touched = {(at, client) for at, client in _run(TOUCHED, {"first": first, "end": end})}
        _count(touched, kept_from)
        count_days(days_touched(first=first, end=end))
        _move(end, runtime)
    return Counted(end - first, is_behind=end < size)


def rebuild(*, runtime: Runtime, report: Report = lambda _done, _total: None) -> None:
    """Count everything anew, a day a transaction; then go on from where the log ended before."""
    size = log_size()
    clients = list(ApiClient.objects.values_list("pk", flat=True))
    days = _days()
    for number, day in enumerate(days, 1):
        with transaction.atomic():
            _lock("pg_advisory_xact_lock")
            _run(PLANNED)
            places = [(day, each) for each in clients]
            _run(FORGET_MINUTES, _spans(places, DAY))
            _count_hours(places, DAY)
            _sum_days(places)
            count_days([day])
        report(number, len(days))
    with transaction.atomic():
        _lock("pg_advisory_xact_lock")
        _move(size, runtime)


def _days() -> list[datetime]:
    """Return the midnights of UTC from the first attempt or step of a review to the last."""
    span = span_of(VerificationAttempt.objects.all())
    if span is None:
        return []
    steps = ReviewStep.objects.aggregate(first=Min("at"), last=Max("at"))
    first = _begin_of(min(span.first, steps["first"] or span.first), DAY)
    last = max(span.last, steps["last"] or span.last)
    return [first + timedelta(days=each) for each in range((last - first).days + 1)]


def _count(touched: Collection[Place], kept_from: datetime) -> None:
    """Count minutes, or old hours as a whole; then hours and days from what they are made of."""
    old = {(_begin_of(at, HOUR), client) for at, client in touched if at < kept_from}
    _count_hours(old, HOUR)
    minutes = {(at, client) for at, client in touched if at >= kept_from}
    hours = {(_begin_of(at, HOUR), client) for at, client in minutes}
    begun = {(at, client) for at, client in _run(WITH_MINUTES, _spans(hours, HOUR))}
    _count_minutes({p for p in minutes if (_begin_of(p[0], HOUR), p[1]) in begun}, MINUTE)
    _count_minutes(hours - begun, HOUR)
    _run(FORGET_HOURS, _spans(hours, HOUR))
    _run(SUM_INTO_HOURS, _spans(hours, HOUR))
    _sum_days({(_begin_of(at, DAY), client) for at, client in old | hours})


def _count_minutes(places: Collection[Place], width: timedelta) -> None:
    spans = _spans(places, width)
    _run(FORGET_MINUTES, spans)
    _run(COUNT_INTO_MINUTES, {**spans, **BUCKETS})


def _count_hours(places: Collection[Place], width: timedelta) -> None:
    spans = _spans(places, width)
    _run(FORGET_HOURS, spans)
    _run(COUNT_INTO_HOURS, {**spans, **BUCKETS})


def _sum_days(places: Collection[Place]) -> None:
    spans = _spans(places, DAY)
    _run(FORGET_DAYS, spans)
    _run(SUM_INTO_DAYS, spans)


def _begin_of(at: datetime, width: timedelta) -> datetime:
    """Return the beginning of the hour or day of UTC that a time lies in."""
    return at - (at - EPOCH) % width


def _spans(places: Collection[Place], width: timedelta) -> dict[str, list[Any]]:
    return {
        "begins": [at for at, _client in places],
        "ends": [at + width for at, _client in places],
        "clients": [client for _at, client in places],
    }


def _run(statement: str, values: Mapping[str, Any] | None = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def _lock(function: str) -> bool:
    (held,) = _run(f"SELECT {function}(hashtextextended(%(lock)s, 0))", {"lock": LOCK})
    return held[0] is not False


def _move(index: int, runtime: Runtime) -> None:
    RollupPosition.objects.update_or_create(
        pk=1, defaults={"index": index, "counted_at": runtime.now()}
    )
