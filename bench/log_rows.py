"""Whole logs, written at once: `python -m bench.child log_rows day ATTEMPTS`, or `long ENTRIES`.

Entries and nodes are copied as the sequencer copies them, but by the ten thousand, and each of
CHECKPOINTS windows ends with a heartbeat and a signed checkpoint.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db import connection, transaction

from bench.rows import insert_attempts
from bench.site import BenchError
from verification.ledger.canonical import canonical
from verification.ledger.checkpoint import Checkpoint, sign_checkpoint
from verification.ledger.keys import SigningKey
from verification.ledger.merkle import Frontier, leaf_hash
from verification.services.adopting import adopt
from verification.services.entries import HEARTBEAT, SETTLED, read_labels, utc_text
from verification.services.runtime import get_runtime
from verification.services.sequencing import (
    COPY_ENTRIES,
    COPY_NODES,
    ENTRY_TYPES,
    NODE_TYPES,
    Sequenced,
)

CHECKPOINTS = 2 * 24 * 60
PROVED = 1000
AT = slice(7, 34)
FLUSH = 10_000

COPY_CHECKPOINTS = """COPY verification_ledger_checkpoint (size, root, note, made_at)
    FROM STDIN (FORMAT BINARY)"""
CHECKPOINT_TYPES = ("int8", "bytea", "bytea", "timestamptz")
STAGED = "SELECT no, raw FROM verification_ledger_stage ORDER BY substr(raw, 8, 27), no"


def main(arguments: list[str]) -> None:
    """Fill an empty database with attempts, and with the log that tells of them."""
    shape, count = arguments[0], int(arguments[1])
    insert_attempts(count if shape == "day" else PROVED)
    adopt(runtime=get_runtime())
    staged = _staged()
    if shape == "day":
        write_log(staged, len(staged))
    else:
        write_log(_spread(staged, _others(staged[0].raw[AT], count - len(staged)), count), count)


def write_log(entries: Iterable[Sequenced], count: int) -> None:
    """Move `count` entries, in the order of their times, into an empty log and off the stage."""
    key = get_runtime().conf.ledger_key
    if key is None:
        raise BenchError("the settings name no key of the log")
    writer, left = _Writer(key), iter(entries)
    with transaction.atomic():
        while window := list(islice(left, -(-count // CHECKPOINTS))):
            writer.add(window)
        writer.flush()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM verification_ledger_stage")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


class _Writer:
    """Grows the tree window by window, and the tables when enough has come together."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._frontier = Frontier.empty()
        self._entries: list[tuple[object, ...]] = []
        self._nodes: list[tuple[object, ...]] = []
        self._checkpoints: list[tuple[object, ...]] = []

    def add(self, window: Sequence[Sequenced]) -> None:
        """Append a window, a heartbeat at its last time, and seal."""
        at = max(each.raw[AT] for each in window).decode()
        now = datetime.fromisoformat(at)
        heartbeat = Sequenced(HEARTBEAT, None, canonical({"at": at, "kind": HEARTBEAT}), None)
        self._append([*window, heartbeat], now)
        root = self._frontier.root()
        note = sign_checkpoint(Checkpoint(self._key.name, self._frontier.size, root), self._key)
        self._checkpoints.append((self._frontier.size, root, note, now))
        if len(self._entries) >= FLUSH:
            self.flush()

    def flush(self) -> None:
        """Copy what has come together."""
        for statement, types, rows in (
            (COPY_ENTRIES, ENTRY_TYPES, self._entries),
            (COPY_NODES, NODE_TYPES, self._nodes),
            (COPY_CHECKPOINTS, CHECKPOINT_TYPES, self._checkpoints),
        ):
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                copy.set_types(types)
                for row in rows:
                    copy.write_row(row)
            rows.clear()

    def _append(self, window: Sequence[Sequenced], now: datetime) -> None:
        hashes = [leaf_hash(each.raw) for each in window]
        first = self._frontier.size
        self._frontier, nodes = self._frontier.append_all(hashes)
        self._nodes += [(each.level, each.index, each.hash) for each in nodes if each.level]
        self._entries += [
            (index, each.kind, each.attempt_id, each.raw, leaf, each.staged_no, now)
            for index, (each, leaf) in enumerate(zip(window, hashes, strict=True), first)
        ]


def _staged() -> list[Sequenced]:
    with connection.cursor() as cursor:
        cursor.execute(STAGED)
        return [Sequenced(*read_labels(bytes(raw)), bytes(raw), no) for no, raw in cursor]


def _others(at: bytes, count: int) -> Iterator[Sequenced]:
    """Yield entries about attempts of elsewhere, as long as ours: they only make the log long."""
    now = datetime.fromisoformat(at.decode())
    for number in range(count):
        digest = hashlib.sha512(b"%d" % number).hexdigest()
        attempt = UUID(digest[:32])
        commitments = ",".join(f'"{name}":"{digest[:64]}"' for name in ("result", "risk", "scores"))
        text = (
            f'{{"at":"{utc_text(now + timedelta(milliseconds=number))}","attempt":"{attempt}",'
            f'"commitments":{{{commitments}}},"evidence":[],"kind":"{SETTLED}","state":"answered"}}'
        )
        yield Sequenced(SETTLED, attempt, text.encode(), None)


def _spread(
    ours: Sequence[Sequenced], others: Iterator[Sequenced], count: int
) -> Iterator[Sequenced]:
    """Yield ours at even distances among the others."""
    for each in ours:
        yield from islice(others, count // len(ours) - 1)
        yield each
    yield from others
