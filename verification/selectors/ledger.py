"""Reads of the log: its state, entries, and the hashes that proofs are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Max, QuerySet

from verification.ledger.merkle import Coordinate, Frontier, complete_subtrees
from verification.ledger.proofs import plan_consistency, plan_inclusion
from verification.models import (
    LedgerCheckpoint,
    LedgerEntry,
    LedgerVerification,
    StagedEntry,
)

HASHES = """
    SELECT level, index, hash FROM verification_ledger_node
    WHERE (level, index) IN (SELECT * FROM unnest(%s::smallint[], %s::bigint[]))
    UNION ALL
    SELECT 0, index, leaf_hash FROM verification_ledger_entry WHERE index = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class LogStatus:
    """How the log stands: entries, those still staged, newest checkpoint and verification."""

    size: int
    staged: int
    checkpoint: LedgerCheckpoint | None
    verification: LedgerVerification | None

    def checkpoint_age_s(self, now: datetime) -> float | None:
        """Return how old the newest checkpoint is, None without one."""
        return (now - self.checkpoint.made_at).total_seconds() if self.checkpoint else None


STAGED_SHOWN = 10_000


def log_status() -> LogStatus:
    """Return the state of the log; `staged` is counted up to STAGED_SHOWN."""
    return LogStatus(
        size=log_size(),
        staged=StagedEntry.objects.all()[:STAGED_SHOWN].count(),
        checkpoint=last_checkpoint(),
        verification=LedgerVerification.objects.first(),
    )


def log_size() -> int:
    """Return how many entries have an index."""
    top: int | None = LedgerEntry.objects.aggregate(top=Max("index"))["top"]
    return 0 if top is None else top + 1


def last_checkpoint() -> LedgerCheckpoint | None:
    """Return the newest checkpoint."""
    return LedgerCheckpoint.objects.first()


def checkpoint_of(index: int) -> LedgerCheckpoint | None:
    """Return the first checkpoint that seals the entry at `index`."""
    return LedgerCheckpoint.objects.filter(size__gt=index).order_by("size").first()


def entries_of(attempt_id: UUID) -> QuerySet[LedgerEntry]:
    """Return the entries about an attempt, in their order."""
    return LedgerEntry.objects.filter(attempt_id=attempt_id).order_by("index")


def hashes_at(places: Sequence[Coordinate]) -> Mapping[Coordinate, bytes]:
    """Return the stored hashes of complete subtrees, in one query; unknown ones are missing."""
    higher = [each for each in places if each.level]
    leaves = [each.index for each in places if not each.level]
    with connection.cursor() as cursor:
        cursor.execute(
            HASHES, [[each.level for each in higher], [each.index for each in higher], leaves]
        )
        return {Coordinate(level, index): bytes(hash_) for level, index, hash_ in cursor}


def frontier_at(size: int) -> Frontier:
    """Return the tree of the first `size` entries, from the stored hashes.

    TreeError or KeyError if they are not there.
    """
    places = complete_subtrees(0, size)
    hashes = hashes_at(places)
    return Frontier(size, tuple(hashes[each] for each in places))


def inclusion_proof(index: int, size: int) -> tuple[bytes, ...]:
    """Return the proof that the entry at `index` stands in the tree of `size`; TreeError if not."""
    plan = plan_inclusion(index, size)
    return plan.assemble(hashes_at(plan.needed))


def consistency_proof(old_size: int, new_size: int) -> tuple[bytes, ...]:
    """Return the proof that the tree of `new_size` continues that of `old_size`."""
    plan = plan_consistency(old_size, new_size)
    return plan.assemble(hashes_at(plan.needed))
