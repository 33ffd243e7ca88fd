"""Figures of the dashboard about reviews: the queue now, and how it was worked on in a span."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Count, Min, Q

from verification.models import Review
from verification.models.review import ReviewState
from verification.models.rollup import HANDLING_S
from verification.selectors.figures import Span
from verification.selectors.review_counts import COUNTS, HANDLING, WORK, Stretch, spans_of
from verification.selectors.reviews import in_queue

DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SEQUENCED = timedelta(hours=1)
"""A step that is older than this when the worker counts is in the log, and so was counted."""

FRESH_DAYS = 2
"""So many days that the worker has not counted to their end are read directly."""

# Whole days are sums, all else is counted from the reviews.
PARTS = """
    FROM (
        SELECT {columns} FROM {table} AS r
        JOIN unnest(%(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) AS d (first, last)
            ON r.day >= d.first AND r.day < d.last
        UNION ALL SELECT {columns} FROM ({direct}) AS direct
    ) AS part WHERE %(client)s::uuid IS NULL OR client_id = %(client)s GROUP BY 1
"""
WORK_DONE = f"SELECT by_id, {', '.join(f'sum({each})' for each in COUNTS)}" + PARTS.format(
    columns=", ".join(("client_id", "by_id", *COUNTS)),
    table="verification_rollup_review_day",
    direct=WORK,
)
TIMES = "SELECT bucket, sum(count)" + PARTS.format(
    columns="client_id, bucket, count", table="verification_rollup_handling_day", direct=HANDLING
)


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """The queue now; what is snoozed is not in it."""

    open: int
    proposed: int
    overdue: int
    oldest_at: datetime | None


class Load(NamedTuple):
    """What one person did with reviews in the span."""

    name: str
    decided: int
    proposed: int
    returned: int
    noted: int


@dataclass(frozen=True, slots=True)
class WorkFigures:
    """The reviews that stand decided in the span, steps of people, the busiest first.

    `median_s` is the time from opening to decision, None without reviews; it lies in the same
    bucket of HANDLING_S as the exact one.
    """

    approved: int
    rejected: int
    retry: int
    in_time: int
    seconded: int
    glass: int
    returned: int
    median_s: float | None
    loads: Sequence[Load]

    @property
    def decided(self) -> int:
        """Return how many reviews were decided."""
        return self.approved + self.rejected + self.retry


def queue_figures(span: Span, *, at: datetime) -> QueueFigures:
    """Return how the queue of the span's client stands now, in one query."""
    reviews = Review.objects.filter(client_id=span.client_id) if span.client_id else Review.objects
    waiting = reviews.filter(in_queue(at)).aggregate(
        open=Count("pk", filter=Q(state=ReviewState.OPEN)),
        proposed=Count("pk", filter=Q(state=ReviewState.PROPOSED)),
        overdue=Count("pk", filter=Q(due_at__lt=at)),
        oldest_at=Min("opened_at"),
    )
    return QueueFigures(**waiting)


def work_figures(span: Span, *, counted_at: datetime | None) -> WorkFigures:
    """Return what was done in the span, whatever its region, in three queries.

    `counted_at` is when the rollups were brought up to the log; None if they never were.
    """
    values = _values(span, counted_at)
    people = {
        by: dict(zip(COUNTS, map(int, counts), strict=True))
        for by, *counts in _rows(WORK_DONE, values)
    }
    totals: Counter[str] = Counter()
    for counts in people.values():
        totals.update(counts)
    return WorkFigures(
        approved=totals["approved"],
        rejected=totals["rejected"],
        retry=totals["retry"],
        in_time=totals["in_time"],
        seconded=totals["seconded"],
        glass=totals["glass"],
        returned=totals["returned"],
        median_s=median_of({bucket: int(count) for bucket, count in _rows(TIMES, values)}),
        loads=_loads(people),
    )


def parts_of(span: Span, counted_at: datetime | None) -> tuple[list[Stretch], list[Stretch]]:
    """Return which whole days of UTC are read as sums, and what is counted directly.

    Counted are the parts of days at both ends, and at most FRESH_DAYS from the day on that may
    hold what the worker has not counted.
    """
    first, last = -(-(span.start - EPOCH) // DAY), (span.end - EPOCH) // DAY
    if last <= first:
        return [], [(span.start, span.end)]
    fresh = last if counted_at is None else (counted_at - SEQUENCED - EPOCH) // DAY
    fresh = min(max(fresh, first), last)
    counted = min(fresh + FRESH_DAYS, last)
    bounds = [EPOCH + day * DAY for day in (first, fresh, counted, last)]
    sums = [(bounds[0], bounds[1]), (bounds[2], bounds[3])]
    direct = [(span.start, bounds[0]), (bounds[1], bounds[2]), (bounds[3], span.end)]
    return [each for each in sums if each[0] < each[1]], [x for x in direct if x[0] < x[1]]


def median_of(buckets: Mapping[int, int]) -> float | None:
    """Return the median in s, as if times lay evenly within a bucket; None of nothing.

    In the open bucket it is that bucket's lower end.
    """
    edges = (0, *HANDLING_S, HANDLING_S[-1])
    seen, due = 0, sum(buckets.values()) / 2
    for bucket, count in sorted(buckets.items()):
        if seen + count >= due:
            low, high = edges[bucket : bucket + 2]
            return low + (high - low) * (due - seen) / count
        seen += count
    return None


def _loads(people: Mapping[Any, Mapping[str, int]]) -> list[Load]:
    """Return what each did, without those who only assigned, snoozed or opened."""
    found = get_user_model().objects.filter(pk__in=people)
    names = {each.pk: each.get_username() for each in found}
    loads = [_load(names[by], counts) for by, counts in people.items()]
    return sorted(
        (each for each in loads if any(each[1:])),
        key=lambda each: (-each.decided, -each.proposed, each.name),
    )


def _load(name: str, counts: Mapping[str, int]) -> Load:
    return Load(
        name,
        decided=counts["decided"],
        proposed=counts["proposed"],
        returned=counts["returned"],
        noted=counts["noted"],
    )


def _values(span: Span, counted_at: datetime | None) -> dict[str, Any]:
    sums, direct = parts_of(span, counted_at)
    return {
        "firsts": [first for first, _last in sums],
        "lasts": [last for _first, last in sums],
        "client": span.client_id,
        **spans_of(direct),
    }


def _rows(statement: str, values: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
