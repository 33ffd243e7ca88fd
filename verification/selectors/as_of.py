"""Attempts as they stood when the log had a given size: what an export can be repeated by.

An attempt and its review are as the entries below that size tell; no clock has a say. So an open
attempt is `accepted` until the entry that settles it, whatever it is doing. What rows said before
they changed stands in `verification_past`. See `docs/reference/csv.md`, "As of".
"""

from datetime import UTC, datetime, timedelta

from django.db.migrations.recorder import MigrationRecorder
from django.db.models import QuerySet
from psycopg.sql import SQL, Composed, Literal
from psycopg.types.json import Jsonb

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models import LedgerCheckpoint, StagedEntry, VerificationAttempt
from verification.models.attempt import FIXED_COLUMNS

KEEPS_FORMER_STATES = "0024_past"
CLOCKS = timedelta(days=1)
"""No web process is so far ahead of the worker that makes the checkpoints."""

UNSETTLED: dict[str, Json] = {
    **{
        str(field.column): None
        for field in VerificationAttempt._meta.concrete_fields  # noqa: SLF001 - Django's documented API
        if field.column not in FIXED_COLUMNS
    },
    "state": "accepted",
    "send_no": 0,
}
"""The columns of an attempt that nothing has been answered to."""

LATER = SQL("""
    later_entry AS MATERIALIZED (
        SELECT e.attempt_id, e.kind, convert_from(e.raw, 'UTF8')::jsonb AS said
        FROM verification_ledger_entry AS e JOIN verification_attempt AS a ON a.id = e.attempt_id
        WHERE e.index >= {size} AND a.created_at < {before}
        UNION ALL
        SELECT (s.said->>'attempt')::uuid, s.said->>'kind', s.said
        FROM jsonb_array_elements({staged}) AS s (said)
    ), changed AS MATERIALIZED (
        SELECT attempt_id AS id FROM later_entry
        UNION SELECT id FROM verification_attempt WHERE state = 'sending'
    ), verification_client AS (
        SELECT c.id, coalesce((
            SELECT convert_from(e.raw, 'UTF8')::jsonb->>'name' FROM verification_ledger_entry AS e
            WHERE e.index < {size} AND e.kind = 'client.changed'
                AND convert_from(e.raw, 'UTF8')::jsonb->>'client' = c.id::text
            ORDER BY e.index DESC LIMIT 1), c.name) AS name
        FROM verification_client AS c
    )""")

FOLDED = SQL("""
    verification_attempt AS MATERIALIZED (
        SELECT folded.*
        FROM changed AS c JOIN verification_attempt AS a ON a.id = c.id
        LEFT JOIN LATERAL (
            SELECT said->>'state' AS state, (said->>'send_no')::int AS send_no
            FROM (
                SELECT e.index, convert_from(e.raw, 'UTF8')::jsonb AS said
                FROM verification_ledger_entry AS e
                WHERE e.attempt_id = a.id AND e.index < {size}
                    AND e.kind IN ('attempt.settled', 'attempt.reconciled')
                ORDER BY e.index DESC LIMIT 1) AS newest
        ) AS settled ON true
        CROSS JOIN LATERAL jsonb_populate_record(a, CASE
            WHEN settled.state IS NULL THEN {unsettled}
            WHEN settled.state IN ('not_sent', 'in_doubt') THEN coalesce((
                SELECT p.said FROM verification_past AS p
                WHERE p.attempt_id = a.id AND p.send_no = settled.send_no
                ORDER BY p.id LIMIT 1), '{{}}')
            ELSE '{{}}' END) AS folded
        WHERE EXISTS (
            SELECT FROM verification_ledger_entry AS e
            WHERE e.attempt_id = a.id AND e.index < {size} AND e.kind = 'attempt.accepted')
    ), verification_review AS MATERIALIZED (
        SELECT folded.*
        FROM changed AS c JOIN verification_review AS r ON r.attempt_id = c.id
        CROSS JOIN LATERAL jsonb_populate_record(r, coalesce((
            SELECT p.said FROM verification_past AS p
            WHERE p.attempt_id = r.attempt_id AND p.step_id IN (
                SELECT (l.said->>'step')::uuid FROM later_entry AS l
                WHERE l.attempt_id = r.attempt_id AND l.kind LIKE 'review.%')
            ORDER BY p.id LIMIT 1), '{{}}')) AS folded
        WHERE NOT EXISTS (
            SELECT FROM later_entry AS l
            WHERE l.attempt_id = r.attempt_id AND l.said->>'at' = verification_utc(r.opened_at)
                AND l.kind IN ('attempt.settled', 'attempt.reconciled', 'review.opened'))
    ), verification_evidence_key AS MATERIALIZED (
        SELECT k.attempt_id, CASE WHEN NOT EXISTS (
            SELECT FROM later_entry AS l
            WHERE l.attempt_id = k.attempt_id AND l.kind IN ('evidence.erased', 'evidence.expired')
        ) THEN k.erased_at END AS erased_at
        FROM changed AS c JOIN verification_evidence_key AS k ON k.attempt_id = c.id
    ), verification_evidence AS MATERIALIZED (
        SELECT i.attempt_id, i.kind, i.size_bytes, i.sha256
        FROM changed AS c JOIN verification_evidence AS i ON i.attempt_id = c.id
        WHERE NOT EXISTS (
            SELECT FROM later_entry AS l
            WHERE l.attempt_id = i.attempt_id
                AND l.kind IN ('attempt.settled', 'attempt.reconciled', 'evidence.kept')
                AND l.said->'evidence' @> jsonb_build_array(jsonb_build_object('id', i.id)))
    )""")


def repeatable_checkpoint(size: int) -> LedgerCheckpoint | None:
    """Return the checkpoint of a size, if exports can be repeated as of it.

    They can since former states are kept: from the first checkpoint after that migration on.
    """
    return _repeatable().filter(pk=size).first()


def newest_repeatable() -> LedgerCheckpoint | None:
    """Return the newest checkpoint as of which exports can be repeated."""
    return _repeatable().first()


def later_entries(checkpoint: LedgerCheckpoint) -> Composed:
    """Return the common tables of what came after a checkpoint; reads what is staged now.

    Must run in the snapshot of the statement that takes them.
    """
    return LATER.format(
        size=Literal(checkpoint.size),
        before=Literal(checkpoint.made_at + CLOCKS),
        staged=Literal(Jsonb(_staged())),
    )


def folded_rows(checkpoint: LedgerCheckpoint) -> Composed:
    """Return common tables that stand before ours with what changed since, as it was."""
    return FOLDED.format(size=Literal(checkpoint.size), unsettled=Literal(Jsonb(UNSETTLED)))


def _repeatable() -> QuerySet[LedgerCheckpoint]:
    applied = MigrationRecorder.Migration.objects.filter(
        app="verification", name=KEEPS_FORMER_STATES
    ).values_list("applied", flat=True)
    since = applied.first() or datetime.max.replace(tzinfo=UTC)
    return LedgerCheckpoint.objects.filter(made_at__gte=since)


def _staged() -> list[Json]:
    """Return the staged entries about attempts; what is no entry is the sequencer's matter."""
    found: list[Json] = []
    for raw in StagedEntry.objects.order_by("no").values_list("raw", flat=True):
        try:
            entry = parse(bytes(raw))
        except CanonicalError:
            continue
        if isinstance(entry.get("attempt"), str):
            found.append(entry)
    return found
