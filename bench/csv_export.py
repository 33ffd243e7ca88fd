"""The CSV export against `psql \\copy` of the same columns as they stand in the tables."""

import json
import sys
import time
from statistics import median

from bench.report import Finding
from bench.site import Site

TARGET = 0.75
TARGET_MB = 30.0
ROUNDS = 3

# The export's columns without anything done to them.
OWN = """
    a.id, a.state, a.outcome, r.decision, c.name, a.region, a.biz_no, a.subject, a.request_id,
    a.result_code, a.result_message, a.error_code, a.error_argument, a.billable, a.time_used_ms,
    a.attack_score, a.attack_threshold, a.is_attack,
    a.ref1_confidence, a.ref1_threshold_1e3, a.ref1_threshold_1e4, a.ref1_threshold_1e5,
    a.ref1_threshold_1e6,
    a.ref2_confidence, a.ref2_threshold_1e3, a.ref2_threshold_1e4, a.ref2_threshold_1e5,
    a.ref2_threshold_1e6,
    a.idcard_confidence, a.idcard_threshold_1e3, a.idcard_threshold_1e4, a.idcard_threshold_1e5,
    a.idcard_threshold_1e6,
    a.device_level, a.device_tags, a.verify_tags, a.visual_attributes, {evidence}
    a.packet_sha256, a.packet_size_bytes, r.state, r.due_at, NULL, NULL, a.created_at, a.settled_at,
    a.policy_version, a.verdict, a.reasons, r.reason_code, r.decided_at
"""
EVIDENCE = """
    (SELECT json_agg(json_build_object('kind', e.kind, 'size_bytes', e.size_bytes,
         'sha256', e.sha256, 'erased_at', k.erased_at) ORDER BY e.kind)
     FROM verification_evidence e WHERE e.attempt_id = a.id),
"""
TABLES = """
    FROM verification_attempt a JOIN verification_client c ON c.id = a.client_id
    LEFT JOIN verification_evidence_key k ON k.attempt_id = a.id
    LEFT JOIN verification_review r ON r.attempt_id = a.id
    ORDER BY a.created_at, a.id
"""


def csv_export(site: Site, *, quick: bool) -> list[Finding]:
    """Compare rows a second, with and without the evidence list, and look at memory."""
    rows = 100_000 if quick else 1_000_000
    site.child("rows", str(rows))
    return [
        *_compare(site, rows, label="csv, attempts only", evidence="", left_out=["evidence"]),
        *_compare(site, rows, label="csv, all columns", evidence=EVIDENCE, left_out=[]),
    ]


def _compare(
    site: Site, rows: int, *, label: str, evidence: str, left_out: list[str]
) -> list[Finding]:
    psql_s, ours_s, grown = [], [], []
    for _ in range(ROUNDS):
        psql_s.append(psql_seconds(site, evidence=evidence))
        ours = json.loads(site.run([sys.executable, "-m", "bench.export_reader", *left_out]))
        ours_s.append(ours["seconds"])
        grown.append(ours["grown_bytes"])
    rate, plain_rate = rows / median(ours_s), rows / median(psql_s)
    detail = f"{rate:,.0f} rows/s, psql \\copy {plain_rate:,.0f} rows/s, {rows:,} rows"
    peak = f"peak growth of {ROUNDS} exports"
    return [
        Finding(label, rate / plain_rate, "x", TARGET, detail, at_least=True),
        Finding(f"{label}: memory", max(grown) / 1e6, "MB", TARGET_MB, peak),
    ]


def psql_seconds(site: Site, *, evidence: str = EVIDENCE) -> float:
    """Return the seconds of one \\copy, its own start included: some hundredths of a second."""
    select = f"SELECT {OWN.format(evidence=evidence)} {TABLES}"
    command = f"\\copy ({' '.join(select.split())}) TO '/dev/null' WITH (FORMAT csv, HEADER)"
    began = time.perf_counter()
    site.run([site.psql, "--no-psqlrc", "--quiet", site.database_url, "--command", command])
    return time.perf_counter() - began
