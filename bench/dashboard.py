"""The dashboard: how long its page takes over five million attempts, and counting what comes."""

import json

from bench.report import Finding
from bench.site import Site

TARGET_PAGE_MS = 300.0
TARGET_MINUTE_S = 0.2
TARGET_BACKLOG_S = 60.0
ATTEMPTS, ATTEMPTS_QUICK = 5_000_000, 200_000
BUSY_HOUR, BUSY_HOUR_QUICK = 150 * 3600, 15 * 3600


def dashboard(site: Site, *, quick: bool) -> list[Finding]:
    """Count a minute and a backlog of a busy hour, then read the page over 1 to 366 days."""
    attempts, busy = (ATTEMPTS_QUICK, BUSY_HOUR_QUICK) if quick else (ATTEMPTS, BUSY_HOUR)
    found = json.loads(site.child("dashboard_rows", str(attempts), str(busy)))
    made_of = (
        f"p50 over {attempts:,} attempts, {found['reviews']:,} reviews by {found['people']} people,"
        f" {found['rows']:,} rollups"
    )
    return [
        Finding(
            "dashboard, a minute", found["minute"] / 1000, "s", TARGET_MINUTE_S,
            f"{busy // 60:,} attempts within an hour of {busy:,}",
        ),
        Finding(
            "dashboard, a backlog", found["backlog"] / 1000, "s", TARGET_BACKLOG_S,
            f"{busy:,} attempts of one hour, nothing counted yet",
        ),
        *(
            Finding(f"dashboard, {days} days", ms, "ms", TARGET_PAGE_MS, made_of)
            for days, ms in found["pages"].items()
        ),
    ]  # fmt: skip
