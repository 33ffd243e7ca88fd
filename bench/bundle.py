"""Bundles: how long one takes to write, and how long an auditor's machine takes to check it."""

import json

from bench.report import Finding
from bench.site import Site

TARGET_CHECK_S = 60
ROWS, QUICK_ROWS = 1_000_000, 20_000


def bundle(site: Site, *, quick: bool) -> list[Finding]:
    """Write and check a bundle of all attempts of a log."""
    rows = QUICK_ROWS if quick else ROWS
    site.child("log_rows", "day", str(rows))
    read = json.loads(site.child("bundle_reader"))
    size = f"{read['rows']:,} rows, {read['entries']:,} entries, {read['size_bytes'] / 1e6:,.0f} MB"
    grown = f"this process grew by {read['grown_bytes'] / 1e6:.0f} MB"
    return [
        Finding("file as of, first byte", read["first_byte_s"], "s", 1.0, "CSV, all columns"),
        Finding("file as of against one of now", read["as_of_ratio"], "x", 1.2, "time, paired"),
        Finding("bundle written", read["written_s"], "s", None, f"{size}; {grown}"),
        Finding(
            "bundle checked offline",
            read["checked_s"],
            "s",
            None if quick else TARGET_CHECK_S,
            f"{read['rows'] / read['checked_s']:,.0f} rows/s in {read['processes']} processes",
        ),
    ]
