"""Exports of ten million attempts: rate, first byte, memory, and what submissions notice of one."""

import json
import sys
import time
from statistics import median, quantiles
from typing import Any

from bench.caller import PACKET_100_KB, Caller
from bench.csv_export import psql_seconds
from bench.report import Finding
from bench.servers import new_key, upstream, web
from bench.site import Site, background

ROWS, QUICK_ROWS = 10_000_000, 100_000
TARGET_RATE, TARGET_FIRST_S, TARGET_MB, TARGET_P95 = 0.7, 1.0, 50.0, 1.2
ROUNDS = 2
PHASES, SUBMISSIONS = 8, 500
READER = ["-m", "bench.export_reader"]


def exports(site: Site, *, quick: bool) -> list[Finding]:
    """Export all attempts, with all columns; then submit beside it and without it, in turns."""
    rows = QUICK_ROWS if quick else ROWS
    site.child("rows", str(rows))
    psql_s, ours = [], []
    for _ in range(ROUNDS):
        psql_s.append(psql_seconds(site))
        ours.append(json.loads(site.run([sys.executable, *READER])))
    return [*_read(rows, median(psql_s), ours), _beside(site)]


def _read(rows: int, psql_s: float, ours: list[dict[str, Any]]) -> list[Finding]:
    ours_s = median(each["seconds"] for each in ours)
    detail = f"{rows / ours_s:,.0f} rows/s, psql \\copy {rows / psql_s:,.0f} rows/s, {rows:,} rows"
    first_s = max(each["first_s"] for each in ours)
    grown = max(each["grown_bytes"] for each in ours)
    return [
        Finding("export, all columns", psql_s / ours_s, "x", TARGET_RATE, detail, at_least=True),
        Finding("export, first byte", first_s, "s", TARGET_FIRST_S, f"slowest of {ROUNDS}"),
        Finding("export, memory", grown / 1e6, "MB", TARGET_MB, f"peak growth of {ROUNDS}"),
    ]


def _beside(site: Site) -> Finding:
    """Compare the 95th percentile of submissions beside an export and without one, in turns."""
    idle, busy = [], []
    with (
        upstream(site) as url,
        web(site, url, key=new_key(site)) as ours,
        Caller(ours.port, key=ours.key, packet_bytes=PACKET_100_KB) as caller,
    ):
        _p95(caller)
        for _ in range(PHASES):
            idle.append(_p95(caller))
            with background(site, READER):
                time.sleep(2)  # until it reads
                busy.append(_p95(caller))
    ratio = median(busy) / median(idle)
    detail = f"p95 {median(busy) * 1000:.1f} ms, idle {median(idle) * 1000:.1f} ms, 100 KB"
    return Finding("submission beside an export", ratio, "x", TARGET_P95, detail)


def _p95(caller: Caller) -> float:
    return quantiles((caller.submit() for _ in range(SUBMISSIONS)), n=20)[-1]
