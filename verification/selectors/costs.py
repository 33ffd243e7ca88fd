"""What the calls of a month cost: one pass over them in the database, priced here.

PostgreSQL counts calls that are alike; the rule of what is billed stays in `billing.lines`. A
price that begins within the month parts it, so that each count has one price.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from verification.billing.lines import (
    EXACT,
    Billed,
    Call,
    CostLine,
    Totals,
    add_up,
    cost_line,
    line_at,
)
from verification.billing.months import Month
from verification.billing.prices import CallKind, PriceList
from verification.lifecycle import State
from verification.outcomes import BILLED
from verification.selectors.csv_lines import csv_line
from verification.selectors.figures import Span, billed_by_day
from verification.selectors.prices import recorded_prices
from verification.selectors.record import client_names

# Messages that the contract does not list share a row: their number has no end.
CALLS = """
    SELECT 'verify', client_id, region, state, result_code,
        CASE WHEN (result_code || ' ' || result_message) = ANY(%(listed)s)
            THEN result_message END,
        width_bucket(sent_at, %(parts)s::timestamptz[]), count(*)
    FROM verification_attempt
    WHERE sent_at >= %(start)s AND sent_at < %(end)s
    GROUP BY 2, 3, 4, 5, 6, 7
    UNION ALL
    SELECT 'biz_token', client_id, region, NULL, NULL, NULL,
        width_bucket(created_at, %(parts)s::timestamptz[]), count(*)
    FROM verification_session
    WHERE created_at >= %(start)s AND created_at < %(end)s
    GROUP BY 2, 3, 7
"""
COLUMNS = (
    "month", "call", "client", "client_name", "region", "state", "result_code", "result_message",
    "billed", "calls", "currency", "amount",
)  # fmt: skip


COUNTED = {"yes": Billed.YES, "no": Billed.NO, "unknown": Billed.NOT_KNOWN}
"""What the rollups call it."""


class Group(NamedTuple):
    """What a row of the report is about; the fields that do not apply are None."""

    kind: CallKind
    client_id: UUID
    region: str
    state: State | None
    result_code: int | None
    result_message: str | None


@dataclass(frozen=True, slots=True)
class ReportRow:
    """Calls that are alike, and what they cost; of two currencies there are two rows.

    `line.amount` of calls of which it is not known is what they cost if they are billed.
    """

    group: Group
    client_name: str
    line: CostLine


@dataclass(frozen=True, slots=True)
class MonthReport:
    """All calls that were sent in a month of UTC."""

    month: Month
    rows: tuple[ReportRow, ...]
    totals: Totals


def month_report(month: Month) -> MonthReport:
    """Return what the calls of a month cost by the prices as they stand now, in three queries."""
    prices = recorded_prices()
    names = dict(client_names())
    merged: dict[tuple[Group, Billed, str | None, bool], CostLine] = {}
    for group, line in _lines(month, prices):
        key = (group, line.billed, line.currency, line.amount is None)
        held = merged.get(key)
        merged[key] = line if held is None else _merged(held, line)
    rows = [ReportRow(key[0], names.get(key[0].client_id, ""), it) for key, it in merged.items()]
    rows.sort(key=_place)
    return MonthReport(month, tuple(rows), add_up(each.line for each in rows))


def report_csv(report: MonthReport) -> Iterator[bytes]:
    """Yield the lines of a report, the names of the columns first."""
    yield csv_line(COLUMNS)
    for row in report.rows:
        kind, client_id, *rest = row.group
        line = row.line
        yield csv_line((
            str(report.month), kind, str(client_id), row.client_name, *rest, line.billed,
            line.calls, line.currency, line.amount,
        ))  # fmt: skip


def span_totals(span: Span) -> Totals:
    """Return what the answers of a span of the dashboard cost, in two queries.

    Counted by the time of acceptance, as the rollups are. They hold answers of verify calls only.
    """
    prices = recorded_prices()
    return add_up(
        line_at(COUNTED[member], prices.price_of(CallKind.VERIFY, region, day)).times(number)
        for day, region, member, number in billed_by_day(span)
    )


def _lines(month: Month, prices: PriceList) -> Iterator[tuple[Group, CostLine]]:
    """Yield each count of the database with its price."""
    days = (month.first, *prices.changes_between(month.first, month.following.first))
    values: dict[str, Any] = {
        "listed": [f"{code} {message}" for code, message in BILLED],
        "parts": [datetime.combine(each, time.min, UTC) for each in days],
        "start": month.start,
        "end": month.end,
    }
    with connection.cursor() as cursor:
        cursor.execute(CALLS, values)
        found = cursor.fetchall()
    for kind, client_id, region, state, code, message, part, number in found:
        known = State(state) if state else None
        group = Group(CallKind(kind), client_id, region, known, code, message)
        call = Call(group.kind, region, days[part - 1], known, code, message)
        yield group, cost_line(call, prices).times(number)


def _merged(one: CostLine, two: CostLine) -> CostLine:
    """Add lines of one group, currency and answer to whether they are billed."""
    calls = one.calls + two.calls
    if one.amount is None or two.amount is None:
        return replace(one, calls=calls)
    return replace(one, calls=calls, amount=EXACT.add(one.amount, two.amount))


def _place(row: ReportRow) -> tuple[object, ...]:
    kind, client_id, region, state, code, message = row.group
    what = (state or "", -1 if code is None else code, message or "")
    return (kind, row.client_name, str(client_id), region, what, row.line.currency or "")
