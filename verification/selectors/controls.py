"""What checks of controls count: rows against entries, and rows in which two people are one.

Each is one statement, so one snapshot: what is still staged counts as an entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.db.models import QuerySet

from verification.models import SecondFactor
from verification.models.reveal import REVEALED

ACCEPTED = "attempt.accepted"
EXPORTED = "export.created"


@dataclass(frozen=True, slots=True)
class Matched:
    """Rows, entries that tell of them, entries without a row, rows without an entry.

    `oldest` is when the first row was made, in UTC, where it was asked for.
    """

    rows: int
    entries: int
    gone: int
    untold: int
    oldest: str | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """Approved erasures, those of them whose key stands, and keys destroyed without one."""

    approved: int
    not_done: int
    without_approval: int


@dataclass(frozen=True, slots=True)
class TriesTable:
    """Whether the counter of wrong passwords has its key, and what interferes with it."""

    has_key: bool
    triggers: int
    rules: int


# A canonical entry has its members' bytes once: no text can be taken for one.
TOLD = """
    SELECT convert_from(raw, 'UTF8')::json AS said FROM verification_ledger_entry
    WHERE kind = %(kind)s
    UNION ALL
    SELECT convert_from(raw, 'UTF8')::json FROM verification_ledger_stage
    WHERE position(convert_to('"kind":"' || %(kind)s || '"', 'UTF8') IN raw) > 0
"""
ATTEMPTS = """
    WITH told AS (
        SELECT attempt_id AS id FROM verification_ledger_entry WHERE kind = %(kind)s
        UNION ALL
        SELECT (convert_from(raw, 'UTF8')::json ->> 'attempt')::uuid FROM verification_ledger_stage
        WHERE position(convert_to('"kind":"' || %(kind)s || '"', 'UTF8') IN raw) > 0)
    SELECT (SELECT count(*) FROM verification_attempt), (SELECT count(*) FROM told),
        (SELECT count(*) FROM told WHERE NOT EXISTS (
            SELECT FROM verification_attempt AS a WHERE a.id = told.id)),
        (SELECT count(*) FROM verification_attempt AS a WHERE NOT EXISTS (
            SELECT FROM told WHERE told.id = a.id)),
        (SELECT to_char(min(created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            FROM verification_attempt)
"""
REVEALS = f"""
    WITH told AS (SELECT (said ->> 'reveal')::uuid AS id FROM ({TOLD}) AS t)
    SELECT (SELECT count(*) FROM verification_reveal), (SELECT count(*) FROM told),
        (SELECT count(*) FROM told WHERE NOT EXISTS (
            SELECT FROM verification_reveal AS r WHERE r.id = told.id)),
        (SELECT count(*) FROM verification_reveal AS r WHERE NOT EXISTS (
            SELECT FROM told WHERE told.id = r.id))
"""  # noqa: S608
EXPORTS = f"""
    WITH told AS (SELECT (said ->> 'export')::uuid AS id FROM ({TOLD}) AS t)
    SELECT count(*), (SELECT count(*) FROM told), 0, count(*) FILTER (WHERE NOT EXISTS (
        SELECT FROM told WHERE told.id = e.id))
    FROM verification_export AS e
"""  # noqa: S608
ERASURES = """
    SELECT (SELECT count(*) FROM verification_erasure WHERE decision = 'approved'),
        (SELECT count(*) FROM verification_erasure AS e
            JOIN verification_evidence_key AS k ON k.attempt_id = e.attempt_id
            WHERE e.decision = 'approved' AND (k.erased_at IS NULL OR k.sealed IS NOT NULL)),
        (SELECT count(*) FROM verification_evidence_key AS k WHERE k.erased_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM verification_erasure AS e
                WHERE e.attempt_id = k.attempt_id AND e.decision = 'approved')
            AND NOT EXISTS (SELECT FROM verification_expiry AS x
                JOIN verification_retention_run AS r ON r.id = x.run_id
                WHERE x.attempt_id = k.attempt_id AND r.decided_by_id <> r.asked_by_id
                    AND r.state <> 'refused'))
"""
ALONE: Mapping[str, str] = MappingProxyType(
    {
        "reviews": """verification_review WHERE state = 'decided' AND needs_second
            AND NOT glass_broken AND proposed_by_id IS NOT DISTINCT FROM decided_by_id""",
        "erasures": "verification_erasure WHERE decided_by_id = requested_by_id",
        "runs": "verification_retention_run WHERE decided_by_id = asked_by_id",
        "holds": "verification_legal_hold WHERE lifted_by_id = placed_by_id",
        "exports": """verification_export_request
            WHERE decision <> 'withdrawn' AND decided_by_id = requested_by_id""",
        "policies": """verification_review_policy
            WHERE state <> 'withdrawn' AND decided_by_id = proposed_by_id""",
        "rights": """verification_rights_change WHERE decision <> 'withdrawn' AND NOT glass_broken
            AND decided_by_id IN (requested_by_id, account_id)""",
    }
)
"""Where two people are due, and which rows have one: table and condition."""

LOCKOUT = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_index AS i
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indnatts = 1
                AND a.attname = 'digest'),
        (SELECT count(*) FROM pg_catalog.pg_trigger AS t
            WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
        (SELECT count(*) FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = c.oid)
    FROM pg_catalog.pg_class AS c WHERE c.oid = 'verification_login_try'::regclass
"""
SETTINGS = "SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY(%s)"


def attempts_and_entries() -> Matched:
    """Match attempts and the entries of their acceptance."""
    return Matched(*_row(ATTEMPTS, {"kind": ACCEPTED}))


def reveals_and_entries() -> Matched:
    """Match reveals and their entries."""
    return Matched(*_row(REVEALS, {"kind": REVEALED}))


def exports_and_entries() -> Matched:
    """Match exports that staff took and entries of exports; those of others have no row."""
    return Matched(*_row(EXPORTS, {"kind": EXPORTED}))


def erasures_and_keys() -> Erased:
    """Match approved erasures and destroyed keys."""
    return Erased(*_row(ERASURES))


def decided_alone() -> dict[str, int]:
    """Count rows in which one person did what takes two, by what they are."""
    return {
        name: _row(f"SELECT count(*) FROM {which}")[0]  # noqa: S608 - from the table above
        for name, which in ALONE.items()
    }


def lockout_table() -> TriesTable:
    """Return how the table of wrong passwords stands."""
    return TriesTable(*_row(LOCKOUT))


def server_settings(names: list[str]) -> dict[str, str]:
    """Return settings of the database as they are in force here."""
    with connection.cursor() as cursor:
        cursor.execute(SETTINGS, [names])
        return dict(cursor.fetchall())


def staff_without_factor() -> QuerySet[AbstractUser]:
    """Return active accounts of the staff that have no confirmed second factor."""
    enrolled = SecondFactor.objects.filter(confirmed=True).values("user_id")
    return active_staff().exclude(pk__in=enrolled)


def active_staff() -> QuerySet[AbstractUser]:
    """Return the accounts that can log in to the admin."""
    found: QuerySet[Any] = get_user_model().objects.filter(is_active=True, is_staff=True)
    return found


def _row(statement: str, values: Mapping[str, str] | None = None) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        [row] = cursor.fetchall()
        return tuple(row)
