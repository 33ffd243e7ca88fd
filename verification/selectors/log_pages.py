"""Lists of the log for staff: pages by index or size, at any depth, without counting the table."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Prefetch, QuerySet

from verification.models import LedgerCheckpoint, LedgerCosignature, LedgerEntry

Row = TypeVar("Row", LedgerEntry, LedgerCheckpoint)

KINDS = """
    WITH RECURSIVE found AS (
        (SELECT kind FROM verification_ledger_entry ORDER BY kind LIMIT 1)
        UNION ALL
        SELECT (SELECT next.kind FROM verification_ledger_entry next
                WHERE next.kind > found.kind ORDER BY next.kind LIMIT 1)
        FROM found WHERE found.kind IS NOT NULL
    )
    SELECT kind FROM found WHERE kind IS NOT NULL
"""
"""Leaps from kind to kind along the index: a DISTINCT would read all of it."""


HEAD = """
    SELECT (SELECT coalesce(max(index) + 1, 0) FROM verification_ledger_entry),
           seal.size, seal.root, seal.made_at, verified.result, verified.finished_at
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (SELECT size, root, made_at FROM verification_ledger_checkpoint
                       ORDER BY size DESC LIMIT 1) seal ON true
    LEFT JOIN LATERAL (SELECT result, finished_at FROM verification_ledger_verification
                       ORDER BY id DESC LIMIT 1) verified ON true
"""
"""Ids of verifications follow the time."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """How many entries there are, the newest checkpoint (size, root, time), the last verification.

    What is not there is None.
    """

    size: int
    sealed: int | None
    root: bytes | None
    made_at: datetime | None
    result: str | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries: every field that is not None must hold."""

    kind: str | None = None
    attempt_id: UUID | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class LogPage(Generic[Row]):
    """Rows, highest first. `newer` and `older` are keys to turn at, None at the ends."""

    rows: tuple[Row, ...]
    newer: int | None
    older: int | None


def log_head(*, timeout_ms: int) -> LogHead:
    """Return the head of the log, in one query: every page of the site asks.

    OperationalError rather than waiting for a lock.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(timeout_ms)])
        cursor.execute(HEAD)
        size, sealed, root, *others = cursor.fetchone()
    return LogHead(size, sealed, None if root is None else bytes(root), *others)


def entries_for_list(which: EntryFilter) -> QuerySet[LedgerEntry]:
    """Return entries without their texts."""
    wanted = {"kind": which.kind, "attempt_id": which.attempt_id, "index": which.index}
    given = {name: value for name, value in wanted.items() if value is not None}
    return LedgerEntry.objects.filter(**given).only("index", "kind", "attempt_id", "sequenced_at")


def checkpoints_for_list() -> QuerySet[LedgerCheckpoint]:
    """Return checkpoints with the witnesses that cosigned them."""
    cosigned = LedgerCosignature.objects.order_by("pk")
    return LedgerCheckpoint.objects.prefetch_related(Prefetch("cosignatures", queryset=cosigned))


def first_rows(found: QuerySet[Row], *, size: int) -> LogPage[Row]:
    """Return the highest `size` rows, in one query beside what is prefetched."""
    rows = tuple(found.order_by("-pk")[: size + 1])
    return LogPage(rows[:size], None, rows[size - 1].pk if len(rows) > size else None)


def older_rows(found: QuerySet[Row], *, before: int, size: int) -> LogPage[Row]:
    """Return the `size` rows just below a key."""
    page = first_rows(found.filter(pk__lt=before), size=size)
    return LogPage(page.rows, page.rows[0].pk if page.rows else before, page.older)


def newer_rows(found: QuerySet[Row], *, after: int, size: int) -> LogPage[Row]:
    """Return the `size` rows just above a key, highest first."""
    nearest = tuple(found.filter(pk__gt=after).order_by("pk")[: size + 1])
    rows = nearest[:size][::-1]
    has_more = len(nearest) > size
    return LogPage(rows, rows[0].pk if has_more else None, rows[-1].pk if rows else after)


def size_before(size: int) -> int:
    """Return the size of the checkpoint before the one of `size`, 0 if there is none."""
    before = LedgerCheckpoint.objects.filter(size__lt=size).order_by("-size")
    return before.values_list("size", flat=True).first() or 0


def find_checkpoint(size: int) -> LedgerCheckpoint | None:
    """Return the checkpoint of exactly this size, with its cosignatures."""
    return checkpoints_for_list().filter(pk=size).first()


def find_entry(index: int) -> LedgerEntry | None:
    """Return the entry at an index."""
    return LedgerEntry.objects.filter(pk=index).first()


def kinds_in_log() -> list[str]:
    """Return every kind of entry that there is, in order: one probe of an index for each."""
    with connection.cursor() as cursor:
        cursor.execute(KINDS)
        return [kind for (kind,) in cursor]
