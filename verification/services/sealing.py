"""Seal evidence under a key of its attempt, store it, and open it again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction

from verification.identifiers import uuid7
from verification.models import Evidence, EvidenceKey
from verification.services.entries import NOTHING, Added, KeptItem
from verification.vault.envelope import Place, WrappedKey, new_key, seal, unseal, unwrap, wrap
from verification.vault.errors import ErasedError, VaultError
from verification.vault.keyring import Keyring


@dataclass(frozen=True, slots=True)
class SealedItem:
    """One item ready to be stored: its envelope, and what its plaintext was."""

    id: UUID
    kind: str
    size_bytes: int
    sha256: bytes
    sealed: bytes = field(repr=False)

    def named(self) -> KeptItem:
        """Return the item as an entry names it."""
        sealed_sha256 = hashlib.sha256(self.sealed).hexdigest()
        return KeptItem(str(self.id), self.kind, self.size_bytes, self.sha256.hex(), sealed_sha256)


@dataclass(frozen=True, slots=True)
class SealedEvidence:
    """Items sealed under one new key, that key wrapped, and what an entry says of both."""

    key: WrappedKey
    items: Sequence[SealedItem]
    added: Added


def seal_evidence(
    *, attempt_id: UUID, items: Mapping[str, bytes], keyring: Keyring, at: datetime
) -> SealedEvidence:
    """Seal `items` (kind -> plaintext) under a new key of the attempt. Stores nothing."""
    key = new_key()
    sealed = [_seal_item(attempt_id, kind, each, key, at) for kind, each in items.items()]
    return SealedEvidence(
        key=wrap(keyring, key, key_place(attempt_id)),
        items=sealed,
        added=Added(_named(sealed), key.hex()) if sealed else NOTHING,
    )


def add_evidence(
    *, attempt_id: UUID, items: Mapping[str, bytes], keyring: Keyring, at: datetime
) -> Added:
    """Seal and store items beside those an attempt may have, under its one key.

    Returns what the entry must say of them. Raises VaultError if the attempt's key cannot be
    opened or was erased.
    """
    if not items:
        return NOTHING
    with transaction.atomic():
        key, is_new = _key_of(attempt_id, keyring, at)
        sealed = [_seal_item(attempt_id, kind, each, key, at) for kind, each in items.items()]
        Evidence.objects.bulk_create(
            Evidence(
                id=item.id,
                attempt_id=attempt_id,
                kind=item.kind,
                size_bytes=item.size_bytes,
                sha256=item.sha256,
                sealed=item.sealed,
                created_at=at,
            )
            for item in sealed
        )
    return Added(_named(sealed), key.hex() if is_new else None)


def open_evidence(*, evidence: Evidence, keyring: Keyring) -> bytes:
    """Return the plaintext; VaultError if it was altered or its key is gone."""
    key = _unwrap(evidence.attempt.evidence_key, keyring)
    place = _evidence_place(evidence.attempt_id, evidence.kind)
    return unseal(key, bytes(evidence.sealed), place)


def _named(sealed: Sequence[SealedItem]) -> list[KeptItem]:
    return [each.named() for each in sorted(sealed, key=lambda item: item.kind)]


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


def _key_of(attempt_id: UUID, keyring: Keyring, at: datetime) -> tuple[bytes, bool]:
    """Return the attempt's data key, and whether it was made here."""
    existing = EvidenceKey.objects.filter(attempt_id=attempt_id).first()
    if existing is not None:
        return _unwrap(existing, keyring), False
    key = new_key()
    wrapped = wrap(keyring, key, key_place(attempt_id))
    EvidenceKey.objects.create(
        attempt_id=attempt_id, kek_id=wrapped.kek_id, sealed=wrapped.sealed, created_at=at
    )
    return key, True


def _unwrap(row: EvidenceKey, keyring: Keyring) -> bytes:
    if row.sealed is None:
        raise ErasedError("the key of this evidence was destroyed")
    wrapped = WrappedKey(row.kek_id, bytes(row.sealed))
    return unwrap(keyring, wrapped, key_place(row.attempt_id))


def key_opens(row: EvidenceKey, keyring: Keyring) -> bool:
    """Return whether the keyring unwraps a key that is stored."""
    try:
        _unwrap(row, keyring)
    except VaultError:
        return False
    return True


def key_place(attempt_id: UUID) -> Place:
    """Return where the wrapped key of an attempt's evidence belongs."""
    return Place("evidence_key", str(attempt_id), "sealed")


def _evidence_place(attempt_id: UUID, kind: str) -> Place:
    return Place("evidence", str(attempt_id), kind)
