"""Seal evidence under a key of its attempt, store it, and open it again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction

from verification.identifiers import uuid7
from verification.models import Evidence, EvidenceKey
from verification.vault.envelope import Place, WrappedKey, new_key, seal, unseal, unwrap, wrap
from verification.vault.errors import ErasedError
from verification.vault.keyring import Keyring


@dataclass(frozen=True, slots=True)
class SealedItem:
    """One item ready to be stored: its envelope, and what its plaintext was."""

    id: UUID
    kind: str
    size_bytes: int
    sha256: bytes
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedEvidence:
    """Items sealed under one new key, and that key wrapped."""

    key: WrappedKey
    items: Sequence[SealedItem]


def seal_evidence(
    *, attempt_id: UUID, items: Mapping[str, bytes], keyring: Keyring, at: datetime
) -> SealedEvidence:
    """Seal `items` (kind -> plaintext) under a new key of the attempt. Stores nothing."""
    key = new_key()
    return SealedEvidence(
        key=wrap(keyring, key, _key_place(attempt_id)),
        items=[_seal_item(attempt_id, kind, each, key, at) for kind, each in items.items()],
    )


def add_evidence(
    *, attempt_id: UUID, items: Mapping[str, bytes], keyring: Keyring, at: datetime
) -> None:
    """Seal and store items beside those an attempt may have, under its one key.

    Raises VaultError if the attempt's key cannot be opened or was erased.
    """
    if not items:
        return
    with transaction.atomic():
        key = _key_of(attempt_id, keyring, at)
        for kind, plaintext in items.items():
            item = _seal_item(attempt_id, kind, plaintext, key, at)
            Evidence.objects.create(
                id=item.id,
                attempt_id=attempt_id,
                kind=kind,
                size_bytes=item.size_bytes,
                sha256=item.sha256,
                sealed=item.sealed,
                created_at=at,
            )


def open_evidence(*, evidence: Evidence, keyring: Keyring) -> bytes:
    """Return the plaintext; VaultError if it was altered or its key is gone."""
    key = _unwrap(evidence.attempt.evidence_key, keyring)
    place = _evidence_place(evidence.attempt_id, evidence.kind)
    return unseal(key, bytes(evidence.sealed), place)


def _seal_item(
    attempt_id: UUID, kind: str, plaintext: bytes, key: bytes, at: datetime
) -> SealedItem:
    return SealedItem(
        id=uuid7(at),
        kind=kind,
        size_bytes=len(plaintext),
        sha256=hashlib.sha256(plaintext).digest(),
        sealed=seal(key, plaintext, _evidence_place(attempt_id, kind)),
    )


def _key_of(attempt_id: UUID, keyring: Keyring, at: datetime) -> bytes:
    existing = EvidenceKey.objects.filter(attempt_id=attempt_id).first()
    if existing is not None:
        return _unwrap(existing, keyring)
    key = new_key()
    wrapped = wrap(keyring, key, _key_place(attempt_id))
    EvidenceKey.objects.create(
        attempt_id=attempt_id, kek_id=wrapped.kek_id, sealed=wrapped.sealed, created_at=at
    )
    return key


def _unwrap(row: EvidenceKey, keyring: Keyring) -> bytes:
    if row.sealed is None:
        raise ErasedError("the key of this evidence was destroyed")
    wrapped = WrappedKey(row.kek_id, bytes(row.sealed))
    return unwrap(keyring, wrapped, _key_place(row.attempt_id))


def _key_place(attempt_id: UUID) -> Place:
    return Place("evidence_key", str(attempt_id), "sealed")


def _evidence_place(attempt_id: UUID, kind: str) -> Place:
    return Place("evidence", str(attempt_id), kind)
