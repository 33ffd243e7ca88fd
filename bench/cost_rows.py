"""What a month costs and a bill of it: `python -m bench.child cost_rows ATTEMPTS DOUBLED`.

Spreads ATTEMPTS over a month, prices them, reports them, and holds a bill against them that lists
each call with an id DOUBLED times. Prints seconds and megabytes as JSON.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from django.contrib.auth.models import User
from django.db import connection

from bench.memory import peak_bytes
from bench.rows import insert_attempts
from verification.billing.bills import Layout
from verification.billing.comparing import Finding, Terms
from verification.billing.months import Month
from verification.billing.prices import CallKind
from verification.selectors.costs import month_report
from verification.services.prices import set_price
from verification.services.reconciling import reconcile_bill
from verification.services.runtime import get_runtime

Result = TypeVar("Result")

MONTH = Month(2025, 1)
MONTH_S = 31 * 24 * 3600
# Their bill agrees, but for every thousandth amount; what is doubled they bill twice.
BILL = """
    COPY (
        SELECT request_id AS id, CASE WHEN billable THEN 'yes' ELSE 'no' END AS billed,
            CASE WHEN NOT coalesce(billable, false) THEN '0'
                WHEN packet_size_bytes % 1000 = 0 THEN '0.09' ELSE '0.085' END AS cost,
            result_code AS code
        FROM verification_attempt, generate_series(1, {doubled})
        WHERE request_id IS NOT NULL
    ) TO STDOUT (FORMAT csv, HEADER)
"""
LAYOUT = Layout("id", "billed", "cost", "code")
TERMS = Terms(has_amount=True, has_code=True, currency="USD")


def main(arguments: list[str]) -> None:
    """Fill an empty database and measure."""
    attempts, doubled = int(arguments[0]), int(arguments[1])
    insert_attempts(
        attempts, every=2**40, first=datetime(2025, 1, 1, tzinfo=UTC), every_s=MONTH_S / attempts
    )
    for amount, day in (("0.085", "2025-01-01"), ("0.085", "2025-01-17")):
        _price(amount, day)
    before = peak_bytes(os.getpid())
    report_s, report = _timed(lambda: month_report(MONTH))
    report_mb = (peak_bytes(os.getpid()) - before) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bill.csv"
        _write_bill(path, doubled)
        before = peak_bytes(os.getpid())
        bill_s, counts = _timed(lambda: _reconcile(path))
        bill_mb = (peak_bytes(os.getpid()) - before) / 1e6
    found = {
        "calls": report.totals.calls,
        "rows": len(report.rows),
        "report": report_s,
        "report_mb": report_mb,
        "lines": counts["lines"],
        "findings": sum(counts.get(each, 0) for each in Finding),
        "bill": bill_s,
        "bill_mb": bill_mb,
    }
    print(json.dumps(found))


def _timed(act: Callable[[], Result]) -> tuple[float, Result]:
    began = time.perf_counter()
    found = act()
    return time.perf_counter() - began, found


def _price(amount: str, day: str) -> None:
    set_price(
        kind="verify",
        region=None,
        amount=amount,
        currency="USD",
        valid_from=day,
        note="of the benchmark",
        by=User.objects.get(username="bench-first"),
        runtime=get_runtime(),
    )


def _write_bill(path: Path, doubled: int) -> None:
    with (
        path.open("wb") as file,
        connection.cursor() as cursor,
        cursor.copy(BILL.format(doubled=doubled)) as copy,
    ):
        file.writelines(copy)


def _reconcile(path: Path) -> dict[str, int]:
    with path.open("rb") as file:
        found = reconcile_bill(
            file=file,
            layout=LAYOUT,
            terms=TERMS,
            month=MONTH,
            kinds=frozenset({CallKind.VERIFY}),
            by="bench",
            runtime=get_runtime(),
            write=lambda _line: None,
        )
    return dict(found.counts)
