"""Hold what is on record about the requests of persons against the entries about them."""

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models.subject import SUBJECT_REPORTED
from verification.services.faults import Fault, FaultCode
from verification.services.record_streams import utc_sql

KINDS = (SUBJECT_REPORTED,)
NAMES = ("subject_digest", "client", "attempts", "sessions", "by", "by_id", "at")
REPORTS = f"""
    SELECT id::text, pg_catalog.encode(subject_digest, 'hex'), client_id::text, attempts, sessions,
        by_name, by_id::text, {utc_sql("reported_at")}
    FROM verification_subject_report ORDER BY id
"""  # noqa: S608 - our own columns


def subject_faults(
    connection: psycopg.Connection[Any], entries: Iterable[bytes]
) -> Iterator[Fault]:
    """Yield what does not hold; `entries` are those of KINDS, in order."""
    said = dict(_read(entries))
    for report, *facts in connection.execute(REPORTS):
        entry = said.pop(report, None)
        if entry is None:
            yield _fault(report, "is in no entry")
            continue
        found = dict(zip(NAMES, facts, strict=True))
        if differing := sorted(name for name in NAMES if entry.get(name) != found[name]):
            yield _fault(report, f"differs from what was recorded: {', '.join(differing)}")
    for report in said:
        yield _fault(report, "was recorded, but is gone")


def _read(entries: Iterable[bytes]) -> Iterator[tuple[str, dict[str, Json]]]:
    for raw in entries:
        try:
            entry = parse(raw)
        except CanonicalError:
            continue
        if entry.get("kind") == SUBJECT_REPORTED:
            yield str(entry.get("report")), entry


def _fault(report: str, why: str) -> Fault:
    return Fault(FaultCode.REGISTER, f"report to a person {report} {why}")
