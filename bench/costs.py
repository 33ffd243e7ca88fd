"""What calls cost: the report of a month, and a bill of twice as many lines held against it."""

import json

from bench.report import Finding
from bench.site import Site

TARGET_REPORT_S, TARGET_MB = 60.0, 100.0
ATTEMPTS, ATTEMPTS_QUICK = 3_000_000, 100_000
DOUBLED = 2


def costs(site: Site, *, quick: bool) -> list[Finding]:
    """Report a month, then reconcile it, in a process whose memory is watched."""
    attempts = ATTEMPTS_QUICK if quick else ATTEMPTS
    found = json.loads(site.child("cost_rows", str(attempts), str(DOUBLED)))
    calls = f"{found['calls']:,} calls in one month, {found['rows']:,} rows"
    lines = f"{found['lines']:,} lines, {found['findings']:,} of them differ"
    return [
        Finding("costs of a month", found["report"], "s", TARGET_REPORT_S, calls),
        Finding("memory of that", found["report_mb"], "MB", TARGET_MB, "more at its peak"),
        Finding("a bill of a month", found["bill"], "s", None, lines),
        Finding("memory of that", found["bill_mb"], "MB", TARGET_MB, "more at its peak"),
    ]
