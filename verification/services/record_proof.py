"""Hold one record against its entries, and these against the newest signed checkpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.utils.translation import gettext_noop as _

from verification.conf import Conf
from verification.ledger.checkpoint import Checkpoint, open_checkpoint
from verification.ledger.errors import LedgerError, NoteError, TreeError
from verification.ledger.merkle import leaf_hash
from verification.ledger.proofs import verify_inclusion
from verification.models import LedgerCheckpoint
from verification.selectors.ledger import inclusion_proof, last_checkpoint
from verification.services.errors import UnknownAttemptError
from verification.services.faults import Fault, FaultCode
from verification.services.proving import signed_note
from verification.services.record_audit import check_dossier
from verification.services.record_streams import Dossier, EntryRow, dossiers, snapshot
from verification.services.runtime import Runtime


class Standing(StrEnum):
    """What a check of one record says, in one word."""

    HOLDS = "holds"
    DIFFERS = "differs"
    UNSEALED = "unsealed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Seal:
    """A checkpoint whose signature was verified, and the trusted witnesses that cosigned it."""

    checkpoint: Checkpoint
    witnesses: tuple[str, ...]
    made_at: datetime


@dataclass(frozen=True, slots=True)
class ProvedLeaf:
    """An entry and its way to the root: `broken` says why that does not lead there, else None."""

    index: int
    kind: str
    raw: bytes
    proof: tuple[bytes, ...]
    broken: str | None

    @property
    def leaf(self) -> bytes:
        """Return the hash (32 bytes) of the bytes as they are stored now."""
        return leaf_hash(self.raw)


@dataclass(frozen=True, slots=True)
class RecordProof:
    """What a check found, the worst fault first; `waiting` are kinds that no checkpoint seals."""

    attempt_id: UUID
    checked_at: datetime
    standing: Standing
    faults: tuple[Fault, ...]
    seal: Seal | None
    leaves: tuple[ProvedLeaf, ...]
    waiting: tuple[str, ...]


def prove_record(*, attempt_id: UUID, runtime: Runtime) -> RecordProof:
    """Check one record in one snapshot of the database, changing nothing.

    UnknownAttemptError if neither a row nor an entry tells of it. Must not run inside a
    transaction.
    """
    with snapshot("READ ONLY") as session:
        found = list(dossiers(session, str(attempt_id)))
        if not found:
            raise UnknownAttemptError(_("There is no such attempt."))
        seal, faults = _newest_seal(runtime.conf)
        sealed = [each for each in found[0].entries if _is_sealed(each, seal)]
        leaves = [prove_leaf(each.place or 0, each.kind, each.raw, seal) for each in sealed if seal]
        faults += [*check_dossier(found[0], runtime.conf.keyring), *_broken(leaves, attempt_id)]
        waiting = [each.kind for each in found[0].entries if not _is_sealed(each, seal)]
    return RecordProof(
        attempt_id,
        runtime.now(),
        _standing(found[0], faults, waiting),
        tuple(faults),
        seal,
        tuple(leaves),
        tuple(waiting),
    )


def open_seal(row: LedgerCheckpoint, conf: Conf) -> Seal:
    """Return a stored checkpoint if the log did sign it; NoteError (or SignatureError) if not."""
    witnesses = [each.key for each in conf.ledger_witnesses]
    opened = open_checkpoint(signed_note(row), log_keys=conf.ledger_vkeys, witnesses=witnesses)
    checkpoint = opened.checkpoint
    if (checkpoint.size, checkpoint.root) != (row.size, bytes(row.root)):
        raise NoteError("size or root differ from what was signed")
    names = tuple(each.witness.name for each in opened.cosignatures)
    return Seal(checkpoint, names, row.made_at)


def prove_leaf(index: int, kind: str, raw: bytes, seal: Seal) -> ProvedLeaf:
    """Prove from the stored hashes that the bytes stand at `index` under the seal."""
    proof: tuple[bytes, ...] = ()
    checkpoint = seal.checkpoint
    try:
        proof = inclusion_proof(index, checkpoint.size)
        verify_inclusion(
            leaf=leaf_hash(raw),
            index=index,
            size=checkpoint.size,
            proof=proof,
            root=checkpoint.root,
        )
    except TreeError as error:
        return ProvedLeaf(index, kind, raw, proof, str(error))
    return ProvedLeaf(index, kind, raw, proof, None)


def _newest_seal(conf: Conf) -> tuple[Seal | None, list[Fault]]:
    row = last_checkpoint()
    if row is None:
        return None, []
    try:
        return open_seal(row, conf), []
    except LedgerError as error:
        return None, [Fault(FaultCode.CHECKPOINT, f"checkpoint of size {row.size}: {error}")]


def _is_sealed(entry: EntryRow, seal: Seal | None) -> bool:
    return seal is not None and entry.place is not None and entry.place < seal.checkpoint.size


def _broken(leaves: list[ProvedLeaf], attempt_id: UUID) -> Iterator[Fault]:
    for each in leaves:
        if each.broken:
            yield Fault(FaultCode.NODE, each.broken, index=each.index, attempt_id=attempt_id)


def _standing(dossier: Dossier, faults: list[Fault], waiting: list[str]) -> Standing:
    if not dossier.entries:
        return Standing.ABSENT
    if faults:
        return Standing.DIFFERS
    return Standing.UNSEALED if waiting else Standing.HOLDS
