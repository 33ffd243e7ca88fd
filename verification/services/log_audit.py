"""Read the stored log as an auditor does: entries, tree, signatures, times, anchors."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from typing import Any

import psycopg

from verification.conf import Conf
from verification.ledger.audit import Entry, SealedCheckpoint, Trust, Trusted, audit
from verification.ledger.canonical import parse
from verification.ledger.checkpoint import open_checkpoint, parse_checkpoint
from verification.ledger.errors import (
    AuditError,
    CanonicalError,
    LedgerError,
    NoteError,
    TreeError,
)
from verification.ledger.note import TIMESTAMP_BYTES, parse_note
from verification.selectors.ledger import frontier_at
from verification.services.entries import HEARTBEAT, read_labels
from verification.services.faults import Fault, FaultCode

FETCH = 4096
TOLERANCE = timedelta(minutes=2)
"""How far the time of an entry may lie outside the heartbeats around it: a business transaction
takes its time before it commits, and waits for the sequencer after."""

AT = slice(7, 34)
FIRST = b'{"at":"'

ENTRIES = """
    SELECT index, kind, attempt_id, raw, leaf_hash = pg_catalog.sha256('\\x00'::bytea || raw)
    FROM verification_ledger_entry WHERE index >= %s ORDER BY index
"""
CHECKPOINTS = """
    SELECT size, root, note,
        CASE WHEN pg_catalog.isfinite(made_at) THEN extract(epoch FROM made_at)::bigint END,
        coalesce((SELECT pg_catalog.string_agg(line || E'\\n', '' ORDER BY id)
                  FROM verification_ledger_cosignature WHERE checkpoint_id = size), '')
    FROM verification_ledger_checkpoint WHERE size > %s ORDER BY size
"""
COSIGNATURES = """
    SELECT checkpoint_id, witness, line,
        CASE WHEN pg_catalog.isfinite(cosigned_at) THEN extract(epoch FROM cosigned_at)::bigint END
    FROM verification_ledger_cosignature ORDER BY checkpoint_id, id
"""
NODES = """
    SELECT parent.index FROM verification_ledger_node AS parent
    LEFT JOIN ({hashes}) AS one ON one.index = parent.index * 2
    LEFT JOIN ({hashes}) AS two ON two.index = parent.index * 2 + 1
    WHERE parent.level = {level}
        AND parent.hash IS DISTINCT FROM pg_catalog.sha256('\\x01'::bytea || one.hash || two.hash)
    ORDER BY 1 LIMIT 1
"""
LEAVES = "SELECT index, leaf_hash AS hash FROM verification_ledger_entry"
LOWER = "SELECT index, hash FROM verification_ledger_node WHERE level = {level}"
LEVELS = """
    SELECT level, count(*), min(index), max(index) FROM verification_ledger_node
    GROUP BY level ORDER BY level
"""
STRAYS = "SELECT count(*) FROM verification_ledger_entry WHERE index < 0"
LOWEST = -(2**63)
"""Below the size of every checkpoint that can be stored."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A checkpoint to hold the log against: of the database, or an anchor from outside."""

    size: int
    note: bytes
    time_s: int | None
    source: str


@dataclass(frozen=True, slots=True)
class LogResult:
    """How far the log was read, and how much of it a checkpoint that held covers."""

    size: int
    sealed: Trusted | None


class LogAudit:
    """One reading of the log; `faults` and `result` tell what came of it."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        conf: Conf,
        anchors: Iterable[Sealed],
        start: Trusted | None = None,
        report: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._conf = conf
        self._anchors = sorted(anchors, key=lambda each: each.size)
        self._start = start
        self._first = start.checkpoint.size if start else 0
        self._report = report
        self._source = ""
        self._faults: list[Fault] = []
        self.result = LogResult(self._first, start)

    def faults(self) -> Iterator[Fault]:
        """Read everything once; yield what does not hold, in the order of the log."""
        witnesses = [each.key for each in self._conf.ledger_witnesses]
        trust = Trust(self._conf.ledger_vkeys, witnesses)
        yield from self._strays()
        yield from self._older()
        try:
            with closing(self._entries()) as entries, closing(self._checkpoints()) as checkpoints:
                for progress in audit(entries, checkpoints, trust, self._start):
                    self.result = LogResult(progress.size, progress.sealed)
                    self._report(progress.size)
                    yield from self._found()
        except AuditError as error:
            yield from self._found()
            code = FaultCode.ANCHOR if self._source else FaultCode.LOG
            of_anchor = f" (the anchor {self._source})" if self._source else ""
            yield Fault(code, f"{error}{of_anchor}", index=error.finding.first)
            return
        yield from self._found()
        yield from self._nodes()
        yield from self._cosignatures()

    def _cosignatures(self) -> Iterator[Fault]:
        """Hold what pages say of witnesses against the lines; those of known keys were verified."""
        known = {each.key.name: each.key.key_id for each in self._conf.ledger_witnesses}
        for size, witness, line, time_s in self._connection.execute(COSIGNATURES):
            read = _read_cosignature(line)
            if read is None or read[0] != witness or read[2] != time_s:
                yield Fault(FaultCode.CHECKPOINT, f"a cosignature of size {size} is not its line's")
            elif read[1] != known.get(witness, read[1]):
                sentence = f"a cosignature of size {size} is by another key than {witness} has"
                yield Fault(FaultCode.CHECKPOINT, sentence)

    def _strays(self) -> Iterator[Fault]:
        """Find entries that stand before the first one: the tree does not reach them."""
        count = self._one(STRAYS)[0]
        if count:
            noun = "entry stands" if count == 1 else "entries stand"
            yield Fault(FaultCode.LOG, f"{count} {noun} at an index below 0")

    def _older(self) -> Iterator[Fault]:
        """Hold the newest anchor of each source from before the start against the stored nodes."""
        newest = {each.source: each for each in self._anchors if each.size < self._first}
        for each in newest.values():
            why = f"its first {each.size} entries are others"
            try:
                opened = open_checkpoint(each.note, log_keys=self._conf.ledger_vkeys)
                if frontier_at(each.size).root() == opened.checkpoint.root:
                    continue
            except NoteError as error:
                why = str(error)
            except (TreeError, KeyError):
                why = "its nodes are missing"
            yield Fault(FaultCode.ANCHOR, f"{why} (the anchor {each.source})")

    def _found(self) -> Iterator[Fault]:
        found, self._faults = self._faults, []
        yield from found

    def _entries(self) -> Generator[Entry, None, None]:
        clock = _Clock()
        with self._connection.cursor("audit_log") as cursor:
            cursor.itersize = FETCH
            cursor.execute(ENTRIES, [self._first])
            for index, kind, attempt_id, raw, is_leaf in cursor:
                if not is_leaf:
                    self._faults.append(
                        Fault(FaultCode.LEAF, "the stored leaf hash is another's", index)
                    )
                if not _is_labelled(raw, kind, attempt_id):
                    self._faults.append(
                        Fault(FaultCode.LABEL, "kind or attempt differ from its text", index)
                    )
                self._faults += clock.check(index, kind, raw)
                yield index, raw

    def _checkpoints(self) -> Generator[SealedCheckpoint, None, None]:
        """Return the stored checkpoints and the anchors, by size, each note once."""
        stored = self._stored()
        time_s = self._start.time_s if self._start else 0
        last = b""
        anchors = (each for each in self._anchors if each.size >= self._first)
        for each in merge(stored, anchors, key=lambda sealed: sealed.size):
            if _text(each.note) == last:
                continue
            last = _text(each.note)
            self._source = each.source
            time_s = time_s if each.time_s is None else each.time_s
            yield SealedCheckpoint(each.note, time_s)
        self._source = ""

    def _stored(self) -> Iterator[Sealed]:
        start = self._first if self._start else LOWEST
        with self._connection.cursor("audit_checkpoints") as cursor:
            cursor.itersize = FETCH
            cursor.execute(CHECKPOINTS, [start])
            for size, root, note, made_at, lines in cursor:
                self._faults += _check_columns(size, root, note)
                if made_at is None:
                    why = f"the checkpoint of size {size} was made at no time"
                    self._faults.append(Fault(FaultCode.CHECKPOINT, why))
                yield Sealed(size, note + lines.encode(), made_at, "")

    def _nodes(self) -> Iterator[Fault]:
        """Hold the stored nodes against each other: proofs are made of them."""
        size = self.result.size
        expected = [
            (each, size >> each, 0, (size >> each) - 1) for each in range(1, size.bit_length())
        ]
        levels = self._connection.execute(LEVELS).fetchall()
        if levels != expected:
            have, need = (sum(each[1] for each in rows) for rows in (levels, expected))
            why = f"{have} nodes are stored, the tree has {need}: others, or in other places"
            yield Fault(FaultCode.NODE, why)
        for level in range(1, size.bit_length()):
            lower = LOWER.format(level=level - 1) if level > 1 else LEAVES
            broken = self._one(NODES.format(hashes=lower, level=level))
            if broken:
                yield Fault(FaultCode.NODE, f"node {broken[0]} of level {level} is another's")
                return

    def _one(self, statement: str) -> Any:
        return self._connection.execute(statement).fetchone()


def read_anchor_notes(notes: Sequence[bytes], name: str) -> list[Sealed]:
    """Return signed notes as anchors; LedgerError if one is no checkpoint."""
    return [
        Sealed(parse_checkpoint(parse_note(note).text).size, note, None, name) for note in notes
    ]


class _Clock:
    """Holds the time of each entry against the heartbeats before and after it."""

    def __init__(self) -> None:
        self._floor = ""
        self._latest: tuple[str, int] = ("", 0)

    def check(self, index: int, kind: str, raw: bytes) -> Iterator[Fault]:
        at = raw[AT].decode("ascii", "replace") if raw.startswith(FIRST) else _read_at(raw)
        if at < self._floor:
            yield Fault(FaultCode.TIME, "its time lies before the heartbeat before it", index)
        self._latest = max(self._latest, (at, index))
        if kind == HEARTBEAT:
            try:
                moment = datetime.fromisoformat(at)
                floor, ceiling = _stamp(moment - TOLERANCE), _stamp(moment + TOLERANCE)
            except (ValueError, OverflowError):
                yield Fault(FaultCode.TIME, "the heartbeat has no time", index)
                return
            if self._latest[0] > ceiling:
                why = "its time lies behind the heartbeat after it"
                yield Fault(FaultCode.TIME, why, self._latest[1])
            self._floor, self._latest = floor, ("", 0)


def _read_at(raw: bytes) -> str:
    """Return the time of an entry that has a name before it; empty without one."""
    try:
        at = parse(raw).get("at")
    except CanonicalError:
        return ""
    return at if isinstance(at, str) else ""


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _is_labelled(raw: bytes, kind: str, attempt_id: object) -> bool:
    """Say whether the columns repeat what stands in the entry."""
    if attempt_id is not None:
        # Exact enough: a quote inside a text is escaped, and the fold builds the entry again.
        return b'"attempt":"%b"' % str(attempt_id).encode() in raw and (
            b'"kind":"%b"' % kind.encode() in raw
        )
    try:
        return read_labels(raw) == (kind, None)
    except (CanonicalError, ValueError):
        return False


def _check_columns(size: int, root: bytes, note: bytes) -> Iterator[Fault]:
    try:
        checkpoint = parse_checkpoint(parse_note(note).text)
    except LedgerError as error:
        yield Fault(FaultCode.CHECKPOINT, f"the checkpoint of size {size}: {error}")
        return
    if (checkpoint.size, checkpoint.root) != (size, root):
        yield Fault(FaultCode.CHECKPOINT, f"the columns of size {size} are not those of its note")


def _text(note: bytes) -> bytes:
    """Return what a note signs; whose cosignatures stand below does not matter."""
    return note.rpartition(b"\n\n")[0]


def _read_cosignature(line: str) -> tuple[str, bytes, int] | None:
    """Return name, key id and time (Unix seconds) of a line; None if it is no cosignature."""
    try:
        (read,) = parse_note(f"-\n\n{line}\n".encode()).signatures
    except (NoteError, ValueError):
        return None
    if len(read.signature) < TIMESTAMP_BYTES:
        return None
    return read.name, read.key_id, int.from_bytes(read.signature[:TIMESTAMP_BYTES], "big")
