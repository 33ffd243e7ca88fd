"""Hold rules, runs and legal holds against the entries about them; and holds against erased keys.

Whoever owns the tables can lift a guard: what was set, decided or destroyed meanwhile shows here.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import psycopg

from verification.ledger.canonical import Json, canonical, parse
from verification.ledger.errors import CanonicalError
from verification.models.hold import HOLD_LIFTED, HOLD_PLACED
from verification.models.retention import (
    BUILT_IN,
    BUILT_IN_NOTE,
    RULE_SET,
    RUN_APPROVED,
    RUN_ENDED,
    RUN_REFUSED,
    RUN_REQUESTED,
)
from verification.services.faults import Fault, FaultCode
from verification.services.policy_entries import text_sha256
from verification.services.record_streams import utc_sql

KINDS = (
    RULE_SET, RUN_REQUESTED, RUN_APPROVED, RUN_REFUSED, RUN_ENDED, HOLD_PLACED, HOLD_LIFTED,
)  # fmt: skip
IDENTITY = {
    RULE_SET: "rule",
    **dict.fromkeys((RUN_REQUESTED, RUN_APPROVED, RUN_REFUSED, RUN_ENDED), "run"),
    **dict.fromkeys((HOLD_PLACED, HOLD_LIFTED), "hold"),
}
WORDS = {
    RULE_SET: "was set",
    RUN_REQUESTED: "was asked for",
    RUN_APPROVED: "was approved",
    RUN_REFUSED: "was refused",
    RUN_ENDED: "has ended",
    HOLD_PLACED: "was placed",
    HOLD_LIFTED: "was lifted",
}
OURS = {str(id_): (what.value, None, None, days) for id_, what, days in BUILT_IN}
"""The rules that no entry tells of: they came with the installation."""

RULES = f"""
    SELECT id::text, what, kind, region, days, recorded_by_id::text, {utc_sql("recorded_at")}, note
    FROM verification_retention_rule ORDER BY id
"""  # noqa: S608 - our own columns
RUNS = f"""
    SELECT id::text, state, preview::text, reason, asked_by_id::text, {utc_sql("asked_at")},
        decided_by_id::text, {utc_sql("decided_at")}, {utc_sql("finished_at")},
        finished_by_id::text, expired, held, doubtful, what, CASE what WHEN 'record' THEN (
            SELECT pg_catalog.count(*) FROM verification_record_erasure AS e
            WHERE e.run_id = row.id)
        ELSE (SELECT pg_catalog.count(*) FROM verification_expiry AS e WHERE e.run_id = row.id) END
    FROM verification_retention_run AS row ORDER BY id
"""  # noqa: S608 - our own columns
HOLDS = f"""
    SELECT id::text, attempt_id::text, subject_digest, subject_check, reason, placed_by_id::text,
        {utc_sql("placed_at")}, lift_reason, lifted_by_id::text, {utc_sql("lifted_at")}
    FROM verification_legal_hold ORDER BY id
"""  # noqa: S608 - our own columns
BROKEN = """
    SELECT h.id::text, k.attempt_id::text
    FROM verification_legal_hold AS h
    JOIN verification_evidence_key AS k ON k.erased_at OPERATOR(pg_catalog.>=) h.placed_at
        AND (h.lifted_at IS NULL OR k.erased_at OPERATOR(pg_catalog.<=) h.lifted_at)
    JOIN verification_attempt AS a ON a.id = k.attempt_id
    WHERE h.attempt_id = a.id OR h.subject_check = pg_catalog.sha256(
        h.subject_digest || pg_catalog.convert_to(a.subject, 'UTF8'))
    ORDER BY h.id, k.attempt_id
"""


class RunRow(NamedTuple):
    """A run as the table has it, and how many keys, or erased records, name it."""

    id: str
    state: str
    preview: str
    reason: str
    asked_by: str
    asked_at: str
    decided_by: str | None
    decided_at: str | None
    finished_at: str | None
    finished_by: str | None
    expired: int
    held: int
    doubtful: int
    what: str
    rows: int


Facts = Mapping[str, Json]
Told = dict[tuple[str, str], Facts]
"""What an entry says, by its kind and the row that it is about."""


def retention_faults(
    connection: psycopg.Connection[Any], entries: Iterable[bytes]
) -> Iterator[Fault]:
    """Yield what does not hold; `entries` are those of KINDS, in order."""
    told, twice = _read(entries)
    yield from twice
    for what, id_, kind, facts in _stored(connection):
        said = told.pop((kind, id_), None)
        if said is None:
            yield _fault(f"{what} {id_}: no entry says that it {WORDS[kind]}")
        elif differing := sorted(name for name in facts if facts[name] != said.get(name)):
            yield _fault(f"{what} {id_} differs from what was recorded: {', '.join(differing)}")
    for kind, id_ in told:
        yield _fault(f"{IDENTITY[kind]} {id_} {WORDS[kind]}, but its row says otherwise")
    yield from _unsaid(connection)
    for hold, attempt in connection.execute(BROKEN):
        yield _fault(f"the key of {attempt} was destroyed under the hold {hold}")


def _read(entries: Iterable[bytes]) -> tuple[Told, list[Fault]]:
    told: Told = {}
    twice: list[Fault] = []
    for raw in entries:
        try:
            entry = parse(raw)
        except CanonicalError:
            continue
        kind = str(entry.get("kind"))
        if kind in IDENTITY:
            place = kind, str(entry.get(IDENTITY[kind]))
            if place in told:
                twice.append(_fault(f"{IDENTITY[kind]} {place[1]} {WORDS[kind]} twice"))
            # The first runs were all about evidence, and did not say so.
            told[place] = {"what": "evidence", **entry} if kind == RUN_REQUESTED else entry
    return told, twice


def _stored(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str, str, Facts]]:
    """Yield what rows claim: which row, by which kind of entry, with which members."""
    for row in connection.execute(RULES):
        yield from _rule(*row)
    for row in connection.execute(RUNS):
        yield from _run(RunRow._make(row))
    for row in connection.execute(HOLDS):
        yield from _hold(*row)


def _rule(
    id_: str, what: str, kind: str | None, region: str | None, days: int,
    by: str | None, at: str, note: str,
) -> Iterator[tuple[str, str, str, Facts]]:  # fmt: skip
    if OURS.get(id_) == (what, kind, region, days) and by is None and note == BUILT_IN_NOTE:
        return
    facts = {"what": what, "evidence_kind": kind, "region": region, "days": days}
    yield "rule", id_, RULE_SET, {
        **facts, "by_id": by, "at": at, "note_sha256": text_sha256(note),
    }  # fmt: skip


def _run(row: RunRow) -> Iterator[tuple[str, str, str, Facts]]:
    digest = hashlib.sha256(canonical(json.loads(row.preview))).hexdigest()
    asked = {"by_id": row.asked_by, "at": row.asked_at, "reason_sha256": text_sha256(row.reason)}
    yield "run", row.id, RUN_REQUESTED, {**asked, "preview_sha256": digest, "what": row.what}
    if row.decided_by is not None:
        kind = RUN_REFUSED if row.state == "refused" else RUN_APPROVED
        yield "run", row.id, kind, {"by_id": row.decided_by, "at": row.decided_at}
    if row.finished_at is not None and row.state != "refused":
        ended = {"state": row.state, "by_id": row.finished_by, "at": row.finished_at}
        counts = {"expired": row.expired, "held": row.held, "doubtful": row.doubtful}
        yield "run", row.id, RUN_ENDED, {**ended, **counts}


def _hold(
    id_: str, attempt: str | None, digest: bytes | None, check: bytes | None, reason: str,
    placed_by: str, placed_at: str, lift_reason: str | None, lifted_by: str | None,
    lifted_at: str | None,
) -> Iterator[tuple[str, str, str, Facts]]:  # fmt: skip
    about = {"attempt": attempt, "subject_sha256": None}
    if digest is not None and check is not None:
        about["subject_sha256"] = hashlib.sha256(digest + check).hexdigest()
    placed = {"by_id": placed_by, "at": placed_at, "reason_sha256": text_sha256(reason)}
    yield "hold", id_, HOLD_PLACED, {**about, **placed}
    if lifted_at is not None:
        said = text_sha256(lift_reason or "")
        lifted = {"by_id": lifted_by, "at": lifted_at, "reason_sha256": said}
        yield "hold", id_, HOLD_LIFTED, {**about, **lifted}


def _unsaid(connection: psycopg.Connection[Any]) -> Iterator[Fault]:
    """Say where one person was enough, and which run did not destroy what it counts."""
    for row in connection.execute(RUNS):
        run = RunRow._make(row)
        if run.decided_by == run.asked_by:
            yield Fault(FaultCode.FOUR_EYES, f"run {run.id}: one person asked and decided")
        if run.expired != run.rows:
            yield _fault(f"run {run.id} counts {run.expired}, and {run.rows} name it")
    for id_, *_rest, placed_by, _at, _reason, lifted_by, _lifted_at in connection.execute(HOLDS):
        if lifted_by == placed_by:
            yield Fault(FaultCode.FOUR_EYES, f"hold {id_}: one person placed and lifted it")


def _fault(sentence: str) -> Fault:
    return Fault(FaultCode.REGISTER, sentence)
