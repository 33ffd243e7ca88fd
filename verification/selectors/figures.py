"""Figures of the dashboard: sums of the rollups, and what the reviews themselves tell."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Count, F, Min, Q
from django.utils import timezone

from verification.models import Review, ReviewStep, Rollup, RollupPosition
from verification.models.review import ReviewState, StepKind
from verification.models.rollup import Figure

# A year has 8,760 hours and a hundred times as many rows: the step of an hour is found once.
SERIES = """
    WITH step AS MATERIALIZED (
        SELECT hour, date_trunc(%(step)s, hour AT TIME ZONE %(zone)s) AS at
        FROM generate_series(
            date_trunc('hour', %(start)s::timestamptz), %(end)s, interval '1 hour'
        ) AS hour
    )
    SELECT r.figure, step.at, r.member, sum(r.count)::bigint
    FROM verification_rollup AS r JOIN step ON step.hour = r.hour
    WHERE r.figure = ANY(%(figures)s) AND r.hour >= %(start)s AND r.hour < %(end)s
        AND (%(client)s::uuid IS NULL OR r.client_id = %(client)s)
        AND (%(region)s::text IS NULL OR r.region = %(region)s)
    GROUP BY 1, 2, 3
"""
SHARES = """
    SELECT client_id, region, member, sum(count)::bigint
    FROM verification_rollup
    WHERE figure = 'outcome' AND hour >= %(start)s AND hour < %(end)s
        AND (%(client)s::uuid IS NULL OR client_id = %(client)s)
        AND (%(region)s::text IS NULL OR region = %(region)s)
    GROUP BY 1, 2, 3
"""
MEDIAN = """
    SELECT extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY decided_at - opened_at))
    FROM verification_review
    WHERE state = 'decided' AND decided_at >= %(start)s AND decided_at < %(end)s
        AND (%(client)s::uuid IS NULL OR client_id = %(client)s)
"""
MOST_OFFICERS = 50


class Step(StrEnum):
    """How wide a bar of a chart is."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Span:
    """What a dashboard is about: from `start` until before `end`, of a client and region if named.

    Times of attempts are rounded down to whole hours of UTC.
    """

    start: datetime
    end: datetime
    client_id: UUID | None = None
    region: str | None = None

    @property
    def step(self) -> Step:
        """Return the step that gives a readable number of bars."""
        width = self.end - self.start
        if width <= timedelta(days=2):
            return Step.HOUR
        return Step.DAY if width <= timedelta(days=62) else Step.WEEK


Counts = Mapping[str, int]
"""Counts by member."""


@dataclass(frozen=True, slots=True)
class FigureSeries:
    """One figure: counts in each step that has any, by the local time of its start, and sums."""

    steps: Mapping[datetime, Counts]
    totals: Counts

    @property
    def total(self) -> int:
        """Return the sum of all."""
        return sum(self.totals.values())


class Share(NamedTuple):
    """Outcomes of one client or region."""

    client_id: UUID
    region: str
    outcome: str
    attempts: int


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """The queue now, and what was decided in the span. Times in seconds, None without any."""

    open: int
    proposed: int
    overdue: int
    oldest_at: datetime | None
    decided: int
    in_time: int
    median_s: float | None


class Load(NamedTuple):
    """What one person did with reviews in the span."""

    name: str
    decided: int
    proposed: int
    returned: int
    noted: int


def figure_series(span: Span) -> Mapping[Figure, FigureSeries]:
    """Return every figure of the span, in one query."""
    steps: dict[str, dict[datetime, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    values = {
        **_values(span),
        "figures": list(Figure.values),
        "step": span.step.value,
        "zone": timezone.get_current_timezone_name(),
    }
    with connection.cursor() as cursor:
        cursor.execute(SERIES, values)
        for figure, at, member, count in cursor.fetchall():
            steps[figure][at][member] = count
    return MappingProxyType({each: _series(steps.get(each.value, {})) for each in Figure})


def shares(span: Span) -> list[Share]:
    """Return the outcomes by client and region, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(SHARES, _values(span))
        return [Share(*row) for row in cursor.fetchall()]


def queue_figures(span: Span, *, at: datetime) -> QueueFigures:
    """Return how the queue stands now and how it was worked on in the span, in three queries."""
    reviews = Review.objects.filter(client_id=span.client_id) if span.client_id else Review.objects
    waiting = reviews.exclude(state=ReviewState.DECIDED).aggregate(
        open=Count("pk", filter=Q(state=ReviewState.OPEN)),
        proposed=Count("pk", filter=Q(state=ReviewState.PROPOSED)),
        overdue=Count("pk", filter=Q(due_at__lt=at)),
        oldest_at=Min("opened_at"),
    )
    decided = reviews.filter(
        state=ReviewState.DECIDED, decided_at__gte=span.start, decided_at__lt=span.end
    ).aggregate(decided=Count("pk"), in_time=Count("pk", filter=Q(decided_at__lte=F("due_at"))))
    with connection.cursor() as cursor:
        cursor.execute(MEDIAN, _values(span))
        median = cursor.fetchone()[0]
    return QueueFigures(**waiting, **decided, median_s=None if median is None else float(median))


def officer_loads(span: Span) -> list[Load]:
    """Return what each person did, the busiest first."""
    deciding = [StepKind.DECIDED, StepKind.GLASS_BROKEN]
    found = ReviewStep.objects.filter(at__gte=span.start, at__lt=span.end)
    if span.client_id:
        found = found.filter(review__client_id=span.client_id)
    model = get_user_model()
    rows = (
        found.values(name=F(f"by__{model.USERNAME_FIELD}"))
        .annotate(
            decided=Count("pk", filter=Q(kind__in=deciding)),
            proposed=Count("pk", filter=Q(kind=StepKind.PROPOSED)),
            returned=Count("pk", filter=Q(kind=StepKind.RETURNED)),
            noted=Count("pk", filter=Q(kind=StepKind.NOTED)),
        )
        .order_by("-decided", "-proposed", "name")
    )
    return [Load(**row) for row in rows[:MOST_OFFICERS]]


def counted_at() -> datetime | None:
    """Return when the rollups were last brought up to the log; None if they never were."""
    position = RollupPosition.objects.filter(pk=1).first()
    return position.counted_at if position else None


def has_rollups() -> bool:
    """Return whether anything was counted yet."""
    return Rollup.objects.exists()


def quantile(buckets: Counts, share: float, tops: Sequence[int]) -> int | None:
    """Return the upper end of the bucket that holds a quantile, None in the open one or of none."""
    due = share * sum(buckets.values())
    if not due:
        return None
    seen = 0
    for top in tops:
        seen += buckets.get(str(top), 0)
        if seen >= due:
            return top
    return None


def _series(steps: Mapping[datetime, Counts]) -> FigureSeries:
    totals: dict[str, int] = defaultdict(int)
    for counts in steps.values():
        for member, count in counts.items():
            totals[member] += count
    return FigureSeries(dict(sorted(steps.items())), dict(totals))


def _values(span: Span) -> dict[str, Any]:
    return {
        "start": span.start,
        "end": span.end,
        "client": span.client_id,
        "region": span.region,
    }
