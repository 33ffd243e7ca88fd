"""Read a whole log and say whether it holds, or where it breaks first.

The entries stream past once, in constant memory. At the size of each checkpoint the root computed
from the entries must be the signed one. That shows that nothing changed since the last checkpoint
the auditor can trust from elsewhere; it cannot show what was never sealed, nor that the log's
owner did not rewrite everything and sign anew. For that, compare with an anchor.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from verification.ledger.checkpoint import Checkpoint, OpenedCheckpoint, open_checkpoint
from verification.ledger.errors import (
    AuditError,
    CanonicalError,
    NoteError,
    SignatureError,
)
from verification.ledger.findings import Break, Finding
from verification.ledger.keys import VerifierKey
from verification.ledger.merkle import Frontier, leaf_hash
from verification.ledger.shapes import ShapeMemory

BATCH = 4096


Entry = tuple[int, bytes]
"""An entry as it is stored: its index, from 0, and its canonical bytes."""


@dataclass(frozen=True, slots=True)
class SealedCheckpoint:
    """A checkpoint as it is stored: the signed note, and when it was made (Unix seconds).

    `time_s` is what the owner of the log says. The times of cosignatures are signed.
    """

    note: bytes
    time_s: int


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count: the log's keys (type NOTE) and the witnesses' (COSIGNATURE)."""

    log_keys: Collection[VerifierKey]
    witnesses: Collection[VerifierKey] = ()


@dataclass(frozen=True, slots=True)
class Trusted:
    """A checkpoint that held, the tree it sealed, and when it was made (Unix seconds).

    The frontier may come from anywhere: AuditError unless it is the tree of the checkpoint.
    """

    checkpoint: Checkpoint
    frontier: Frontier
    time_s: int

    def __post_init__(self) -> None:
        """Refuse a frontier that the checkpoint does not seal."""
        size, root = self.checkpoint.size, self.checkpoint.root
        if (self.frontier.size, self.frontier.root()) != (size, root):
            why = "the frontier is not that of the trusted checkpoint"
            raise AuditError(Finding(Break.START, size, size, why))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an audit has come: entries of the log read, checkpoints that held in this run.

    `sealed` is the last checkpoint that held, from which a later audit may start.
    """

    size: int
    checkpoints: int
    sealed: Trusted | None

    @property
    def unsealed(self) -> int:
        """Return how many entries at the end no checkpoint covers."""
        return self.size - (self.sealed.checkpoint.size if self.sealed else 0)


def audit(
    entries: Iterable[Entry],
    checkpoints: Iterable[SealedCheckpoint],
    trust: Trust,
    start: Trusted | None = None,
) -> Iterator[Progress]:
    """Yield the progress after each batch of entries and each checkpoint; the last is the result.

    Without `start`, entries and checkpoints come in order from the first one; with it, entries
    from the index `start.checkpoint.size` on and checkpoints from the next one on. The first
    break raises AuditError. Nothing is read until the caller iterates.
    """
    auditor = _Auditor(iter(entries), trust, start)
    yield auditor.progress()
    for sealed in checkpoints:
        checkpoint = auditor.open(sealed)
        yield from auditor.read(checkpoint.size)
        auditor.seal(checkpoint, sealed.time_s)
        yield auditor.progress()
    yield from auditor.read(None)


class _Auditor:
    """Folds the entries into the tree and holds each checkpoint against it."""

    def __init__(self, entries: Iterator[Entry], trust: Trust, start: Trusted | None) -> None:
        self._entries = entries
        self._trust = trust
        self._sealed = start
        self._frontier = start.frontier if start else Frontier.empty()
        self._checkpoints = 0
        self._shapes = ShapeMemory()
        self._witnessed: dict[VerifierKey, int] = {}

    def progress(self) -> Progress:
        return Progress(self._frontier.size, self._checkpoints, self._sealed)

    def open(self, sealed: SealedCheckpoint) -> Checkpoint:
        """Check a checkpoint's signatures, and that it follows the last one."""
        try:
            opened = open_checkpoint(
                sealed.note, log_keys=self._trust.log_keys, witnesses=self._trust.witnesses
            )
        except SignatureError as error:
            raise self._refused(Break.SIGNATURE, str(error)) from error
        except NoteError as error:
            raise self._refused(Break.NOTE, str(error)) from error
        if self._sealed:
            self._check_follows(opened.checkpoint, sealed.time_s, self._sealed)
        self._check_witnesses(opened)
        return opened.checkpoint

    def read(self, size: int | None) -> Iterator[Progress]:
        """Read the entries up to `size`, or all there are, a batch at a time."""
        while size is None or self._frontier.size < size:
            limit = BATCH if size is None else min(BATCH, size - self._frontier.size)
            batch = list(islice(self._entries, limit))
            if not batch:
                return
            self._check_entries(batch)
            self._frontier = self._frontier.extend([leaf_hash(raw) for _, raw in batch])
            yield self.progress()

    def seal(self, checkpoint: Checkpoint, time_s: int) -> None:
        """Hold an opened checkpoint against the tree of the entries read."""
        first, have, size = self._sealed_size(), self._frontier.size, checkpoint.size
        if have < size:
            why = f"the entries end before the checkpoint of size {size}"
            raise AuditError(Finding(Break.TRUNCATED, have, size, why))
        if self._frontier.root() != checkpoint.root:
            why = f"they do not have the root that was signed for size {size}"
            raise AuditError(Finding(Break.ROOT, first, size, why))
        self._sealed = Trusted(checkpoint, self._frontier, time_s)
        self._checkpoints += 1

    def _check_entries(self, batch: list[Entry]) -> None:
        check = self._shapes.check
        for expected, (index, raw) in enumerate(batch, self._frontier.size):
            if index != expected:
                why = f"the entry found there bears the index {index}"
                raise AuditError(Finding(Break.INDEX, expected, expected + 1, why))
            try:
                check(raw)
            except CanonicalError as error:
                finding = Finding(Break.FORM, index, index + 1, str(error))
                raise AuditError(finding) from error

    def _check_follows(self, new: Checkpoint, time_s: int, last: Trusted) -> None:
        if new.origin != last.checkpoint.origin:
            raise self._refused(Break.ORIGIN, "it is another log's")
        if new.size < last.checkpoint.size:
            raise self._refused(Break.ORDER, f"it goes back to size {new.size}")
        if time_s < last.time_s:
            raise self._refused(Break.TIME, "it was made before the one before it")

    def _check_witnesses(self, opened: OpenedCheckpoint) -> None:
        for each in opened.cosignatures:
            if each.time_s < self._witnessed.get(each.witness, 0):
                why = f"{each.witness.name} cosigned it before the one before it"
                raise self._refused(Break.TIME, why)
            self._witnessed[each.witness] = each.time_s

    def _sealed_size(self) -> int:
        return self._sealed.checkpoint.size if self._sealed else 0

    def _refused(self, how: Break, why: str) -> AuditError:
        return AuditError(Finding(how, self._sealed_size(), self._sealed_size(), why))
