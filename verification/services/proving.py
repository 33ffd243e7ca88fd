"""Fill proof documents (docs/formats/proof.md) from the log and the records."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from django.utils.translation import gettext_noop as _

from verification.ledger.canonical import Json, parse
from verification.ledger.checkpoint import open_checkpoint, parse_checkpoint
from verification.ledger.commitment import opens
from verification.ledger.errors import CanonicalError, NoteError, TreeError
from verification.ledger.merkle import Coordinate, leaf_hash
from verification.ledger.note import parse_note
from verification.ledger.proof_document import (
    ProofDocument,
    ProvedAttempt,
    ProvedConsistency,
    ProvedEntry,
)
from verification.ledger.proofs import plan_inclusion, verify_consistency, verify_inclusion
from verification.models import LedgerCheckpoint
from verification.selectors.ledger import consistency_proof, hashes_at, last_checkpoint
from verification.services.entries import Added, KeptItem
from verification.services.errors import LedgerRefusalError, NotSealedError, UnknownAttemptError
from verification.services.record_streams import Dossier, EntryRow, dossiers, snapshot
from verification.services.runtime import Runtime

MAX_ATTEMPTS = 1000
NEVER = frozenset({"token_digest", "evidence_key"})
"""Commitments that no proof opens: a credential's digest, and the key that opens the evidence."""

Hashes = Mapping[Coordinate, bytes]


def prove_attempts(
    attempt_ids: Sequence[UUID],
    *,
    since: bytes | None = None,
    reasons: bool = True,
    runtime: Runtime,
) -> ProofDocument:
    """Return the proof that all entries about the attempts stand under the newest checkpoint.

    At most MAX_ATTEMPTS. With `since`, an earlier signed checkpoint, the proof that the log
    continues it is added. The document holds what the commitments hide; without `reasons` not
    what staff wrote when they revealed or erased something. Raises UnknownAttemptError,
    NotSealedError, NoteError for a bad `since`, and LedgerRefusalError if the stored entries and
    hashes prove nothing: the log is damaged. Must not run inside a transaction.
    """
    with snapshot("READ ONLY") as session:
        newest = last_checkpoint()
        if newest is None:
            raise NotSealedError(_("No checkpoint seals the log yet."))
        found = [_dossier(session, each) for each in attempt_ids[:MAX_ATTEMPTS]]
        indexes = [index for each in found for index in _indexes(each, newest.size)]
        note = _sound_note(newest)
        try:
            hashes = _hashes(indexes, newest.size)
            hidden = NEVER if reasons else NEVER | {"reason"}
            attempts = [_attempt(each, newest, hashes, hidden) for each in found]
            consistency = _consistency(since, newest, runtime) if since else None
        except (CanonicalError, TreeError) as error:
            raise LedgerRefusalError(f"The stored hashes prove nothing: {error}") from error
        return ProofDocument(note, attempts, consistency)


def signed_note(checkpoint: LedgerCheckpoint) -> bytes:
    """Return the checkpoint's note with the lines of the witnesses that cosigned it."""
    lines = checkpoint.cosignatures.order_by("pk").values_list("line", flat=True)
    return bytes(checkpoint.note) + "".join(f"{line}\n" for line in lines).encode()


def _sound_note(newest: LedgerCheckpoint) -> bytes:
    """Return the note if it says what the checkpoint's row does; its signature is for others."""
    note = signed_note(newest)
    try:
        said = parse_checkpoint(parse_note(note).text)
    except NoteError as error:
        raise LedgerRefusalError(f"The newest checkpoint does not hold: {error}") from error
    if (said.size, said.root) != (newest.size, bytes(newest.root)):
        raise LedgerRefusalError("The newest checkpoint is not what was signed.")
    return note


def _dossier(session: psycopg.Connection[Any], attempt_id: UUID) -> Dossier:
    found = list(dossiers(session, str(attempt_id)))
    if not found or found[0].record is None:
        raise UnknownAttemptError(_("There is no such attempt."))
    return found[0]


def _indexes(dossier: Dossier, size: int) -> Iterator[int]:
    for entry in dossier.entries:
        if entry.place is None or entry.place >= size:
            raise NotSealedError(_("No checkpoint covers every entry of the attempt yet."))
        yield entry.place


def _hashes(indexes: Sequence[int], size: int) -> Hashes:
    """Fetch all that the proofs are made of, at once."""
    places = {place for index in indexes for place in plan_inclusion(index, size).needed}
    return hashes_at(sorted(places, key=lambda place: (place.level, place.index)))


def _attempt(
    dossier: Dossier, newest: LedgerCheckpoint, hashes: Hashes, hidden: frozenset[str]
) -> ProvedAttempt:
    record = dossier.record
    key = record.commitment_key if record else None
    entries = [_entry(each, dossier, newest, hashes, hidden) for each in dossier.entries]
    return ProvedAttempt(dossier.attempt, key, entries)


def _entry(
    entry: EntryRow,
    dossier: Dossier,
    newest: LedgerCheckpoint,
    hashes: Hashes,
    hidden: frozenset[str],
) -> ProvedEntry:
    index = entry.place or 0
    proof = plan_inclusion(index, newest.size).assemble(hashes)
    verify_inclusion(
        leaf=leaf_hash(entry.raw),
        index=index,
        size=newest.size,
        proof=proof,
        root=bytes(newest.root),
    )
    return ProvedEntry(index, entry.raw, proof, _values(parse(entry.raw), dossier, hidden))


def _values(said: Mapping[str, Json], dossier: Dossier, hidden: frozenset[str]) -> dict[str, str]:
    """Return what the record can still tell of an entry's commitments.

    A later step may have overwritten a column: then the commitment stays undisclosed.
    """
    record = dossier.record
    commitments = said.get("commitments")
    key = record.commitment_key if record else None
    if key is None or not isinstance(commitments, dict):
        return {}
    texts = _texts(said, dossier)
    return {
        name: text
        for name, text in texts.items()
        if text is not None
        and name not in hidden
        and opens(key, name, text.encode(), _digest(commitments.get(name)))
    }


def _digest(commitment: Json) -> bytes:
    """Read a commitment: what is none, in an entry that only looks like ours, nothing opens."""
    try:
        return bytes.fromhex(commitment) if isinstance(commitment, str) else b""
    except ValueError:
        return b""


def _texts(said: Mapping[str, Json], dossier: Dossier) -> dict[str, str | None]:
    record = dossier.record
    if record is None:
        return {}
    about = (said.get("reveal"), said.get("erasure"))
    reasons = [
        *(each.reason for each in dossier.reveals if each.id in about),
        *(each.reason for each in dossier.erasures if each.id in about),
    ]
    return {
        "biz_no": record.biz_no,
        "subject": record.subject,
        "idempotency_key": record.idempotency_key,
        "request_id": record.request_id,
        "closing_reason": record.closing_reason,
        "result": record.result,
        "scores": record.scores,
        "risk": record.risk,
        "judgement": record.judgement,
        "reason": reasons[0] if reasons else None,
        "evidence": _evidence(said, dossier),
    }


def _evidence(said: Mapping[str, Json], dossier: Dossier) -> str | None:
    listed = said.get("evidence")
    members = listed if isinstance(listed, list) else []
    ids = [each.get("id") for each in members if isinstance(each, dict)]
    items = [
        KeptItem(row.id, row.kind, row.size_bytes, row.sha256, row.sealed_sha256)
        for row in dossier.evidence
        if row.id in ids
    ]
    return Added(items).texts()["evidence"]


def _consistency(since: bytes, newest: LedgerCheckpoint, runtime: Runtime) -> ProvedConsistency:
    old = open_checkpoint(since, log_keys=runtime.conf.ledger_vkeys).checkpoint
    if old.size > newest.size:
        raise LedgerRefusalError("The earlier checkpoint is of a longer log than this one.")
    proof = consistency_proof(old.size, newest.size)
    verify_consistency(
        old_size=old.size,
        new_size=newest.size,
        proof=proof,
        old_root=old.root,
        new_root=bytes(newest.root),
    )
    return ProvedConsistency(since, proof)
