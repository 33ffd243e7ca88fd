"""Hold what is on record about the requests of persons against the entries about them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import psycopg

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models.erasure import Decision
from verification.models.subject import (
    SUBJECT_ERASED,
    SUBJECT_ERASURE_APPROVED,
    SUBJECT_ERASURE_REFUSED,
    SUBJECT_ERASURE_REQUESTED,
    SUBJECT_REPORTED,
    ItemOutcome,
)
from verification.services.faults import Fault, FaultCode
from verification.services.policy_entries import text_sha256
from verification.services.record_streams import utc_sql
from verification.services.subject_erasing import lines_sha256

DECISIONS = {
    SUBJECT_ERASURE_APPROVED: Decision.APPROVED.value,
    SUBJECT_ERASURE_REFUSED: Decision.REFUSED.value,
}
ERASURE_KINDS = frozenset({SUBJECT_ERASURE_REQUESTED, *DECISIONS, SUBJECT_ERASED})
KINDS = (SUBJECT_REPORTED, *sorted(ERASURE_KINDS))
NAMES = ("subject_digest", "client", "attempts", "sessions", "by", "by_id", "at")
REPORTS = f"""
    SELECT id::text, pg_catalog.encode(subject_digest, 'hex'), client_id::text, attempts, sessions,
        by_name, by_id::text, {utc_sql("reported_at")}
    FROM verification_subject_report ORDER BY id
"""  # noqa: S608 - our own columns
ASKED = ("subject_digest", "client", "legal_basis", "by_id", "at")
ERASURES = f"""
    SELECT id::text, pg_catalog.encode(subject_digest, 'hex'), client_id::text, legal_basis,
        requested_by_id::text, {utc_sql("requested_at")}, reason, decision, decided_by_id::text,
        {utc_sql("decided_at")}, {utc_sql("finished_at")}
    FROM verification_subject_erasure ORDER BY id
"""  # noqa: S608 - our own columns
ITEMS = """
    SELECT erasure_id::text, attempt_id::text, coalesce(outcome, '')
    FROM verification_subject_erasure_item
"""

Said = Mapping[str, Json]


def subject_faults(
    connection: psycopg.Connection[Any], entries: Iterable[bytes]
) -> Iterator[Fault]:
    """Yield what does not hold; `entries` are those of KINDS, in order."""
    reports, erasures = _read(entries)
    yield from _reports(connection, reports)
    yield from _erasures(connection, erasures)


def _read(entries: Iterable[bytes]) -> tuple[dict[str, Said], dict[str, list[Said]]]:
    """Return the entries by what they are about."""
    reports: dict[str, Said] = {}
    erasures: dict[str, list[Said]] = defaultdict(list)
    for raw in entries:
        try:
            entry = parse(raw)
        except CanonicalError:
            continue
        if entry.get("kind") == SUBJECT_REPORTED:
            reports[str(entry.get("report"))] = entry
        elif entry.get("kind") in ERASURE_KINDS:
            erasures[str(entry.get("erasure"))].append(entry)
    return reports, erasures


def _reports(connection: psycopg.Connection[Any], said: dict[str, Said]) -> Iterator[Fault]:
    for report, *facts in connection.execute(REPORTS):
        entry = said.pop(report, None)
        name = f"report to a person {report}"
        if entry is None:
            yield _fault(f"{name} is in no entry")
        elif differing := _differing(entry, dict(zip(NAMES, facts, strict=True))):
            yield _fault(f"{name} differs from what was recorded: {differing}")
    for report in said:
        yield _fault(f"report to a person {report} was recorded, but is gone")


def _erasures(connection: psycopg.Connection[Any], said: dict[str, list[Said]]) -> Iterator[Fault]:
    items: dict[str, dict[str, str]] = defaultdict(dict)
    for erasure, attempt, outcome in connection.execute(ITEMS):
        items[erasure][attempt] = outcome
    for erasure, *facts in connection.execute(ERASURES):
        entries = said.pop(erasure, [])
        expected = _expected(facts, items.pop(erasure, {}))
        if [each.get("kind") for each in entries] != list(expected):
            yield _fault(f"erasure for a person {erasure} and its entries differ in what was done")
            continue
        for entry in entries:
            if differing := _differing(entry, expected[str(entry["kind"])]):
                sentence = f"differs from what was recorded: {differing}"
                yield _fault(f"erasure for a person {erasure} {sentence}")
        if facts[3] == facts[7]:
            sentence = f"one person asked for and decided on erasure {erasure}"
            yield Fault(FaultCode.FOUR_EYES, sentence)
    for erasure in {*said, *items}:
        yield _fault(f"erasure for a person {erasure} was recorded, but is gone")


def _expected(facts: list[Any], items: Mapping[str, str]) -> dict[str, dict[str, Json]]:
    """Return the entries that a row must have, in order, with what it can tell of each."""
    *asked, reason, decision, decided_by, decided_at, finished_at = facts
    found: dict[str, dict[str, Json]] = {
        SUBJECT_ERASURE_REQUESTED: {
            **dict(zip(ASKED, asked, strict=True)),
            "attempts": len(items),
            "attempts_sha256": lines_sha256(items),
            "reason_sha256": text_sha256(reason),
        }
    }
    for kind, each in DECISIONS.items():
        if each == decision:
            found[kind] = {"by_id": decided_by, "at": decided_at}
    if finished_at is not None:
        counted = Counter(items.values())
        found[SUBJECT_ERASED] = {
            "at": finished_at,
            "outcomes": {each.value: counted[each.value] for each in ItemOutcome},
            "outcomes_sha256": lines_sha256(f"{name} {each}" for name, each in items.items()),
        }
    return found


def _differing(entry: Said, found: Said) -> str:
    return ", ".join(sorted(name for name in found if entry.get(name) != found[name]))


def _fault(sentence: str) -> Fault:
    return Fault(FaultCode.REGISTER, sentence)
