"""Lists for staff: pages by position instead of number, and counts that stop early.

Nothing here walks a whole table: a page is one index range at any depth, a count ends at its
cap, and the span of time is read from both ends of an index.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from django.db import connections
from django.db.models import Max, Min, Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


class Position(NamedTuple):
    """Where a row stands in a list ordered by time, then id."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows, newest first. `newer` and `older` are None at the ends of the list."""

    rows: tuple[Row, ...]
    newer: Position | None
    older: Position | None


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows match. `is_capped`: there are more than `number`; `is_estimate`: about."""

    number: int
    is_capped: bool = False
    is_estimate: bool = False


class Span(NamedTuple):
    """The first and the last time in a table."""

    first: datetime
    last: datetime


def first_page(found: QuerySet[Row], *, size: int) -> Page[Row]:
    """Return the newest `size` rows, in one query."""
    rows = tuple(_newest_first(found)[: size + 1])
    return Page(rows[:size], None, _position(rows[size - 1]) if len(rows) > size else None)


def older_page(found: QuerySet[Row], *, before: Position, size: int) -> Page[Row]:
    """Return the `size` rows that come just before a position in time, in one query."""
    # The first condition is implied by the second; it is the one that an index can range on.
    older = found.filter(created_at__lte=before.created_at).filter(
        Q(created_at__lt=before.created_at) | Q(id__lt=before.id)
    )
    page = first_page(older, size=size)
    return Page(page.rows, _position(page.rows[0]) if page.rows else before, page.older)


def newer_page(found: QuerySet[Row], *, after: Position, size: int) -> Page[Row]:
    """Return the `size` rows that come just after a position in time, in one query."""
    newer = found.filter(created_at__gte=after.created_at).filter(
        Q(created_at__gt=after.created_at) | Q(id__gt=after.id)
    )
    nearest = tuple(newer.order_by("created_at", "id")[: size + 1])
    rows = nearest[:size][::-1]
    has_more = len(nearest) > size
    return Page(
        rows,
        _position(rows[0]) if has_more else None,
        _position(rows[-1]) if rows else after,
    )


def count_up_to(found: QuerySet[Row], cap: int) -> Count:
    """Count rows, but at most `cap` of them."""
    number = found.order_by()[: cap + 1].count()
    return Count(min(number, cap), is_capped=number > cap)


def count_all(model: type[Model], cap: int) -> Count:
    """Count a whole table: exactly up to `cap`, beyond it by the planner's estimate."""
    rows = model._default_manager.all()  # noqa: SLF001  (documented API)
    estimate = _planner_estimate(rows)
    return Count(estimate, is_estimate=True) if estimate > cap else count_up_to(rows, cap)


def span_of(found: QuerySet[Row]) -> Span | None:
    """Return the first and last `created_at`; None for an empty table."""
    ends = found.order_by().aggregate(first=Min("created_at"), last=Max("created_at"))
    return Span(ends["first"], ends["last"]) if ends["first"] else None


def _newest_first(found: QuerySet[Row]) -> QuerySet[Row]:
    return found.order_by("-created_at", "-id")


def _position(row: Model) -> Position:
    return Position(row.created_at, row.pk)  # type: ignore[attr-defined] # every listed model has it


def _planner_estimate(rows: QuerySet[Row]) -> int:
    """Return the row estimate of the last ANALYZE; -1 before the first."""
    with connections[rows.db].cursor() as cursor:
        table = rows.model._meta.db_table  # noqa: SLF001  (documented API)
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])
