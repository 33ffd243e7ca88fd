"""One whole verification: the log, records and registers against it, the guards; one snapshot."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

import psycopg

from verification.conf import Conf
from verification.identifiers import uuid7
from verification.ledger.anchors import read_anchors
from verification.ledger.audit import Trusted
from verification.ledger.checkpoint import open_checkpoint
from verification.models import LedgerVerification
from verification.selectors.guard_state import lifted_guards
from verification.selectors.ledger import frontier_at
from verification.services.errors import LedgerRefusalError
from verification.services.faults import Fault, FaultCode
from verification.services.log_audit import LogAudit, LogResult, Sealed, read_anchor_notes
from verification.services.record_audit import check_dossier
from verification.services.record_streams import dossiers, snapshot
from verification.services.register_audit import register_faults
from verification.services.runtime import Runtime
from verification.services.table_audit import table_faults

MAX_FAULTS = 20
MAX_SENTENCE = 1000
EVERY = 1000

Report = Callable[[str, int], None]
"""Told the name of the part and how far it has come."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verification found: the first faults, at most MAX_FAULTS, and how far it read."""

    log: LogResult
    attempts: int
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """Return whether nothing was found."""
        return not self.faults


def verify(
    *,
    runtime: Runtime,
    anchors: Sequence[Sealed] = (),
    start: bytes | None = None,
    report: Report = lambda _part, _done: None,
) -> Outcome:
    """Verify all there is, without changing anything.

    `anchors` are checkpoints kept elsewhere; `start` is a signed checkpoint that was verified
    before: the log is then read from there on, the records are always all read. Must not run
    inside a transaction. LedgerRefusalError if `start` is not one of this log.
    """
    with snapshot("READ ONLY") as session:
        trusted = _trusted(start, runtime) if start else None
        log = LogAudit(session, runtime.conf, anchors, trusted, lambda done: report("log", done))
        records = _Records(session, runtime, lambda done: report("attempts", done))
        found = tuple(islice(_all(log, records, session), MAX_FAULTS))
        return Outcome(log.result, records.count, found, tuple(_warnings(log.result, runtime)))


def own_anchors(*, conf: Conf) -> list[Sealed]:
    """Return the checkpoints of the operator's own anchor file; OSError, LedgerError."""
    file = conf.ledger_anchor_file
    if file is None or not file.exists():
        return []
    return read_anchor_notes(read_anchors(file.read_bytes()), file.name)


def record_verification(
    outcome: Outcome, *, started_at: datetime, runtime: Runtime
) -> LedgerVerification:
    """Keep what a verification found, for the pages that show how the log stands."""
    first = str(outcome.faults[0])[:MAX_SENTENCE] if outcome.faults else None
    return LedgerVerification.objects.create(
        id=uuid7(started_at),
        started_at=started_at,
        finished_at=runtime.now(),
        size=outcome.log.size,
        attempts=outcome.attempts,
        result="held" if outcome.holds else "broken",
        finding=first,
    )


def _all(log: LogAudit, records: "_Records", session: psycopg.Connection[Any]) -> Iterator[Fault]:
    in_place = True
    for fault in table_faults(session):
        in_place = False
        yield fault
    if not in_place:
        return  # what is read from there would tell nothing
    yield from log.faults()
    yield from records.faults()
    yield from register_faults(session)
    yield from (Fault(FaultCode.GUARD, sentence) for sentence in lifted_guards())


class _Records:
    """Reads all attempts; `count` says how many it has read."""

    def __init__(
        self, session: psycopg.Connection[Any], runtime: Runtime, report: Callable[[int], None]
    ) -> None:
        self._session = session
        self._keyring = runtime.conf.keyring
        self._report = report
        self.count = 0

    def faults(self) -> Iterator[Fault]:
        for dossier in dossiers(self._session):
            self.count += 1
            yield from check_dossier(dossier, self._keyring)
            if self.count % EVERY == 0:
                self._report(self.count)
        self._report(self.count)


def _trusted(note: bytes, runtime: Runtime) -> Trusted:
    """Return where to go on; the frontier comes from the stored nodes and must fit the note."""
    checkpoint = open_checkpoint(note, log_keys=runtime.conf.ledger_vkeys).checkpoint
    try:
        frontier = frontier_at(checkpoint.size)
    except KeyError as error:
        raise LedgerRefusalError("The log ends before the trusted checkpoint.") from error
    return Trusted(checkpoint, frontier, 0)


def _warnings(log: LogResult, runtime: Runtime) -> Iterator[str]:
    if not runtime.conf.ledger_vkeys:
        yield "No key of the log is known: set VERIFICATION_LEDGER_VKEYS."
    if log.sealed is None:
        yield "No checkpoint seals the log: a rewrite of all of it would not be seen."
        return
    unsealed = log.size - log.sealed.checkpoint.size
    if unsealed:
        entries = "entry is" if unsealed == 1 else f"{unsealed} entries are"
        yield f"The last {entries} not sealed by a checkpoint yet."
