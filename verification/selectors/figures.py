"""Figures of the dashboard about attempts: sums of the rollups."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.utils import timezone

from verification.models import Rollup, RollupPosition
from verification.models.rollup import Figure

# Whole days of UTC are read as such where all of their hours belong to one step, hours elsewhere:
# a year has 8,760 hours, and a hundred times as many rows.
PARTS = """
    WITH hour AS MATERIALIZED (
        SELECT h AS at, date_trunc('day', h, 'UTC') AS day,
            date_trunc(%(step)s, h AT TIME ZONE %(zone)s) AS step
        FROM generate_series(
            date_trunc('hour', %(start)s::timestamptz), %(end)s, interval '1 hour'
        ) AS h
        WHERE h >= %(start)s AND h < %(end)s
    ), day AS MATERIALIZED (
        SELECT day AS at, min(step) AS step FROM hour
        GROUP BY day HAVING count(*) = 24 AND min(step) = max(step)
    ), part AS (
        SELECT r.figure, day.step, r.client_id, r.region, r.member, r.count
        FROM verification_rollup_day AS r JOIN day ON r.day = day.at
        WHERE r.figure = ANY(%(figures)s) AND {narrowed}
        UNION ALL
        SELECT r.figure, hour.step, r.client_id, r.region, r.member, r.count
        FROM hour JOIN verification_rollup AS r ON r.hour = hour.at
        WHERE NOT EXISTS (SELECT FROM day WHERE day.at = hour.day)
            AND r.figure = ANY(%(figures)s) AND {narrowed}
    )
""".format(  # noqa: S608 - our own words
    narrowed="""(%(client)s::uuid IS NULL OR r.client_id = %(client)s)
            AND (%(region)s::text IS NULL OR r.region = %(region)s)"""
)
SERIES = f"""{PARTS}
    SELECT figure, step, member, sum(count)::bigint FROM part GROUP BY 1, 2, 3
"""  # noqa: S608 - our own words
SUMS = f"""{PARTS}
    SELECT figure, member, CASE WHEN figure = 'state' THEN client_id END,
        CASE WHEN figure = 'state' THEN region END, sum(count)::bigint
    FROM part GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - our own words
BILLED = f"""{PARTS}
    SELECT step, region, member, sum(count)::bigint FROM part GROUP BY 1, 2, 3
"""  # noqa: S608 - our own words
WHOLE = "millennium"
"""The step of a query that reads sums only: a day of UTC lies within it in any zone."""

BY_STEP = (Figure.OUTCOME, Figure.VERDICT, Figure.ATTACK)
"""Figures that a chart draws over time; of the others only the sums are read."""


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
    """Attempts of one client and region."""

    client_id: UUID
    region: str
    attempts: int


@dataclass(frozen=True, slots=True)
class AttemptFigures:
    """What was counted of the attempts of a span: figures over time, sums of all others."""

    series: Mapping[Figure, FigureSeries]
    sums: Mapping[Figure, Counts]
    shares: Sequence[Share]

    @property
    def total(self) -> int:
        """Return how many attempts there are."""
        return sum(self.sums[Figure.STATE].values())


def attempt_figures(span: Span) -> AttemptFigures:
    """Return every figure of the attempts of the span, in two queries."""
    steps: dict[Figure, dict[datetime, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for figure, at, member, count in _rows(SERIES, _parts(span, BY_STEP, span.step.value)):
        steps[Figure(figure)][at][member] = count
    sums: dict[Figure, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    shares: dict[tuple[UUID, str], int] = defaultdict(int)
    others = [each for each in Figure if each not in BY_STEP]
    for figure, member, client_id, region, count in _rows(SUMS, _parts(span, others, WHOLE)):
        sums[Figure(figure)][member] += count
        if figure == Figure.STATE:
            shares[client_id, region] += count
    return AttemptFigures(
        MappingProxyType({each: _series(steps[each]) for each in BY_STEP}),
        MappingProxyType({each: sums[each] for each in others}),
        [Share(*place, number) for place, number in shares.items()],
    )


def billed_by_day(span: Span) -> list[tuple[date, str, str, int]]:
    """Return the answers of each day of UTC and region: `yes`, `no` or `unknown`, how often."""
    parts = {**_parts(span, [Figure.BILLABLE], "day"), "zone": "UTC"}
    return [
        (at.date(), region, member, count) for at, region, member, count in _rows(BILLED, parts)
    ]


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


def _rows(statement: str, values: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _parts(span: Span, figures: Iterable[Figure], step: str) -> dict[str, Any]:
    return {
        **_values(span),
        "figures": [each.value for each in figures],
        "step": step,
        "zone": timezone.get_current_timezone_name(),
    }


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
