"""Hold the vendor's usage file of a month against the record, call by call, on record.

Nothing of the record changes. PostgreSQL joins, in constant memory of ours; the rules of what is
billed, and of what differs, are those of `verification.billing`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from django.db import connection, transaction

from verification.billing.bills import Bill, BillLine, Layout
from verification.billing.comparing import NOTED, Finding, Terms, compare, is_missed
from verification.billing.lines import Call, CostLine, cost_line
from verification.billing.months import Month
from verification.billing.prices import CallKind
from verification.lifecycle import SENDABLE, State
from verification.selectors.csv_lines import csv_line
from verification.selectors.prices import recorded_prices
from verification.services.bill_statements import JOIN, LOOK, TAKE, THEIRS
from verification.services.price_entries import reconciled_entry
from verification.services.runtime import Runtime
from verification.services.staging import stage

COLUMNS = (
    "findings", "line", "request_id", "call", "id", "client", "region", "sent_at", "state",
    "our_code", "their_code", "our_billed", "their_billed", "our_amount", "our_currency",
    "their_amount",
)  # fmt: skip
AGREE, LINES, CALLS = "agree", "lines", "calls"
FETCHED = 5000
REMEMBERED = 4096

Write = Callable[[bytes], object]
Price = Callable[[Call], CostLine]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was found, how often: by Finding, `agree`, `lines` of theirs and `calls` of ours."""

    counts: Mapping[str, int]
    file_sha256: str

    @property
    def agrees(self) -> bool:
        """Return whether nothing differs."""
        return not any(self.counts.get(each) for each in Finding if each not in NOTED)


class _Ours(NamedTuple):
    """A call of ours, as the join gives it."""

    kind: str
    id: object
    client_id: object
    region: str
    state: str | None
    code: int | None
    message: str | None
    request_id: str | None
    sent_at: Any


def reconcile_bill(
    *,
    file: BinaryIO,
    layout: Layout,
    terms: Terms,
    month: Month,
    kinds: frozenset[CallKind],
    by: str,
    runtime: Runtime,
    write: Write,
) -> Reconciliation:
    """Compare, and give `write` the lines of a CSV with everything that was found.

    `kinds` are the calls that the file lists. Safe to repeat: each run is another entry. Raises
    BillError, and then nothing is on record.
    """
    bill = Bill(file, layout)
    counts: Counter[str] = Counter()
    write(csv_line(COLUMNS))
    with transaction.atomic(durable=True):
        counts[LINES] = _take(bill)
        price = _pricing()
        for theirs, n, ours in _joined(month, kinds):
            counts[CALLS] += ours is not None and month.start <= ours.sent_at < month.end
            line = None if ours is None else price(_call(ours))
            found = _findings(theirs, n, ours, line, month, terms)
            counts.update(found)
            counts[AGREE] += not found and theirs is not None
            if found:
                write(_written(found, theirs, ours, line))
        said = {str(name): counts[name] for name in sorted(counts)}
        entry = reconciled_entry(
            at=runtime.now(),
            by=by,
            month=str(month),
            file_sha256=bill.sha256,
            calls=next(iter(kinds)).value if len(kinds) == 1 else "both",
            counts=said,
        )
        stage([entry])
    return Reconciliation(said, bill.sha256)


def _take(bill: Bill) -> int:
    """Put the file into a temporary table; return how many calls it lists."""
    lines = 0
    with connection.cursor() as cursor:
        cursor.execute(THEIRS)
        with cursor.copy(TAKE) as copy:
            for each in bill:
                copy.write_row((each.line, each.request_id, each.billed, each.amount, each.code))
                lines += 1
        cursor.execute(LOOK)
    return lines


def _joined(
    month: Month, kinds: frozenset[CallKind]
) -> Iterator[tuple[BillLine | None, int, _Ours | None]]:
    values: dict[str, Any] = {
        "start": month.start,
        "end": month.end,
        "kinds": [each.value for each in kinds],
    }
    with connection.chunked_cursor() as cursor:
        cursor.execute(JOIN, values)
        while rows := cursor.fetchmany(FETCHED):
            for line, request_id, billed, amount, code, n, *ours in rows:
                theirs = None
                if line is not None:
                    theirs = BillLine(line, request_id, billed, amount, code)
                yield theirs, n, _Ours(*ours) if ours[0] is not None else None


def _pricing() -> Price:
    """Return what prices a call; most calls of a month are like some other one."""
    prices = recorded_prices()

    @lru_cache(maxsize=REMEMBERED)
    def price(call: Call) -> CostLine:
        return cost_line(call, prices)

    return price


def _call(ours: _Ours) -> Call:
    state = State(ours.state) if ours.state else None
    day = ours.sent_at.astimezone(UTC).date()
    return Call(CallKind(ours.kind), ours.region, day, state, ours.code, ours.message)


def _findings(
    theirs: BillLine | None,
    n: int,
    ours: _Ours | None,
    line: CostLine | None,
    month: Month,
    terms: Terms,
) -> tuple[Finding, ...]:
    if ours is None or line is None:
        return (Finding.TWICE if n > 1 else Finding.ONLY_THEIRS,)
    if theirs is None:
        was_sent = ours.state not in SENDABLE
        has_id = ours.request_id is not None
        missed = is_missed(line, terms, was_sent=was_sent, has_id=has_id)
        return () if missed is None else (missed,)
    outside = () if month.start <= ours.sent_at < month.end else (Finding.OTHER_MONTH,)
    return (*outside, *compare(line, ours.code, theirs, terms))


def _written(
    found: tuple[Finding, ...],
    theirs: BillLine | None,
    ours: _Ours | None,
    line: CostLine | None,
) -> bytes:
    billed = {True: "yes", False: "no", None: None}[theirs.billed if theirs else None]
    request_id = theirs.request_id if theirs else ours.request_id if ours else None
    return csv_line((
        " ".join(found),
        theirs.line if theirs else None,
        request_id,
        *_told(ours),
        ours.code if ours else None,
        theirs.code if theirs else None,
        line.billed if line else None,
        billed,
        line.amount if line else None,
        line.currency if line else None,
        theirs.amount if theirs else None,
    ))  # fmt: skip


def _told(ours: _Ours | None) -> tuple[Any, ...]:
    if ours is None:
        return (None,) * 6
    ids = (str(ours.id), str(ours.client_id))
    return (ours.kind, *ids, ours.region, ours.sent_at.astimezone(UTC), ours.state)
