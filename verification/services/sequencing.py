"""The sequencer: staged entries get their index in the log, and the log its checkpoints.

Business transactions only stage an entry, without waiting for each other. One sequencer at a
time, held to that by an advisory lock, moves what was committed into the log, a batch in one
transaction: entries, the tree's new nodes, and, when one is due, a signed checkpoint.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from verification.ledger.canonical import canonical
from verification.ledger.checkpoint import Checkpoint, sign_checkpoint
from verification.ledger.errors import CanonicalError, TreeError
from verification.ledger.keys import SigningKey
from verification.ledger.merkle import Frontier, Node, leaf_hash
from verification.models import LedgerCheckpoint, StagedEntry
from verification.selectors.ledger import frontier_at, last_checkpoint, log_size
from verification.services.anchoring import check_anchor, publish
from verification.services.entries import EXPORTED, HEARTBEAT, REFUSED, read_labels, utc_text
from verification.services.errors import LedgerRefusalError
from verification.services.policy import policy_entry
from verification.services.runtime import Runtime

logger = logging.getLogger(__name__)

BATCH = 2000
LOCK = 0x7665726966790001

COPY_ENTRIES = """COPY verification_ledger_entry
    (index, kind, attempt_id, raw, leaf_hash, staged_no, sequenced_at) FROM STDIN (FORMAT BINARY)"""
ENTRY_TYPES = ("int8", "varchar", "uuid", "bytea", "bytea", "int8", "timestamptz")
COPY_NODES = "COPY verification_ledger_node (level, index, hash) FROM STDIN (FORMAT BINARY)"
NODE_TYPES = ("int2", "int8", "bytea")


@dataclass(frozen=True, slots=True)
class Sequenced:
    """An entry on its way into the log: `staged_no` is None for the sequencer's own."""

    kind: str
    attempt_id: UUID | None
    raw: bytes
    staged_no: int | None


def tend_log(*, runtime: Runtime) -> int:
    """Do one round: move a batch of staged entries, and seal the log if that is due.

    Returns how many staged entries were moved, up to BATCH; 0 too if another process holds the
    sequencer's lock. All or nothing. Raises LedgerRefusalError if the log in the database does
    not continue what was published, or is damaged.
    """
    try:
        return _round(runtime)
    except (IntegrityError, KeyError, TreeError) as error:
        name = type(error).__name__
        sentence = f"The log's tables do not fit each other ({name}): run ledger_verify."
        raise LedgerRefusalError(sentence) from error


def _round(runtime: Runtime) -> int:
    with transaction.atomic():
        if not _has_lock():
            return 0
        size, now = log_size(), runtime.now()
        batch = [_read(no, raw, now) for no, raw in _staged()]
        key = runtime.conf.ledger_key
        is_sealing = key is not None and _is_due(batch, runtime)
        own = _own_entries(runtime) if is_sealing else []
        if not batch and not own:
            return 0
        if is_sealing:
            check_anchor(size=size, conf=runtime.conf)
        frontier = _append(frontier_at(size), [*batch, *own], now)
        _leave_stage(batch)
        note = _seal(frontier, key, runtime) if is_sealing and key else None
    if note is not None:
        publish(note, conf=runtime.conf)
    return len(batch)


def _has_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def _staged() -> Sequence[tuple[int, bytes]]:
    waiting = StagedEntry.objects.order_by("no").values_list("no", "raw")[:BATCH]
    return [(no, bytes(raw)) for no, raw in waiting]


def _read(no: int, raw: bytes, now: datetime) -> Sequenced:
    """Take an entry as staged; what is none goes in as a refusal, so that it blocks nothing."""
    try:
        kind, attempt_id = read_labels(raw)
    except (CanonicalError, ValueError) as error:
        logger.error("staged entry %d is not an entry: %s", no, type(error).__name__)  # noqa: TRY400 - no values
        return _own(REFUSED, now, staged_no=no, leaf_hash=leaf_hash(raw).hex())
    return Sequenced(kind, attempt_id, raw, no)


def _own(kind: str, now: datetime, *, staged_no: int | None = None, **facts: str) -> Sequenced:
    raw = canonical({"at": utc_text(now), "kind": kind, **facts})
    return Sequenced(kind, None, raw, staged_no)


def _is_due(batch: Sequence[Sequenced], runtime: Runtime) -> bool:
    """Seal at every export, and else at intervals, so that a frozen log is seen.

    Never amid a backlog: its entries are older than the heartbeat would say.
    """
    if len(batch) == BATCH:
        return False
    if any(each.kind == EXPORTED for each in batch):
        return True
    last = last_checkpoint()
    interval = timedelta(seconds=runtime.conf.ledger_checkpoint_s)
    return last is None or runtime.now() - last.made_at >= interval


def _own_entries(runtime: Runtime) -> list[Sequenced]:
    changed = policy_entry(runtime=runtime)
    policy = [Sequenced(changed.kind, None, changed.raw, None)] if changed else []
    return [*policy, _own(HEARTBEAT, runtime.now())]


def _append(frontier: Frontier, batch: Sequence[Sequenced], now: datetime) -> Frontier:
    """Write entries and nodes behind the frontier; return the grown one."""
    hashes = [leaf_hash(each.raw) for each in batch]
    grown, nodes = frontier.append_all(hashes)
    rows = [
        (index, each.kind, each.attempt_id, each.raw, leaf, each.staged_no, now)
        for index, (each, leaf) in enumerate(zip(batch, hashes, strict=True), frontier.size)
    ]
    _copy(COPY_ENTRIES, ENTRY_TYPES, rows)
    _copy(COPY_NODES, NODE_TYPES, [_node_row(each) for each in nodes if each.level])
    return grown


def _node_row(node: Node) -> tuple[object, ...]:
    return (node.level, node.index, node.hash)


def _copy(statement: str, types: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _leave_stage(batch: Sequence[Sequenced]) -> None:
    numbers = [each.staged_no for each in batch]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM verification_ledger_stage WHERE no = ANY(%s)", [numbers])


def _seal(frontier: Frontier, key: SigningKey, runtime: Runtime) -> bytes:
    """Sign the log as it stands and store the note; time does not go back between checkpoints."""
    root = frontier.root()
    note = sign_checkpoint(Checkpoint(key.name, frontier.size, root), key)
    last = last_checkpoint()
    now = runtime.now()
    made_at = max(now, last.made_at) if last else now
    LedgerCheckpoint.objects.create(size=frontier.size, root=root, note=note, made_at=made_at)
    return note
