"""The dashboard: how long its page takes over a year's rollups, and counting a busy hour."""

import json

from bench.report import Finding
from bench.site import Site

TARGET_PAGE_MS = 300.0
TARGET_COUNT_S = 2.0
BUSY_HOUR, BUSY_HOUR_QUICK = 150 * 3600, 15 * 3600
YEAR, YEAR_QUICK = 24 * 365, 24 * 120


def dashboard(site: Site, *, quick: bool) -> list[Finding]:
    """Count an hour of 150 attempts a second anew, then read the page over 7 to 100 days."""
    attempts, hours = (BUSY_HOUR_QUICK, YEAR_QUICK) if quick else (BUSY_HOUR, YEAR)
    found = json.loads(site.child("dashboard_rows", str(attempts), str(hours)))
    counting = found["counting"] / 1000
    counted = f"one hour of {attempts:,} attempts"
    made_of = f"p50 over {found['rows']:,} rollups"
    return [
        Finding("dashboard, counting", counting, "s", TARGET_COUNT_S, counted),
        *(
            Finding(f"dashboard, {days} days", ms, "ms", TARGET_PAGE_MS, made_of)
            for days, ms in found["pages"].items()
        ),
    ]
