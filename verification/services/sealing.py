"""Seal evidence under a key of its attempt, and open it again."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import psycopg
from django.db import connection

from verification.identifiers import uuid7
from verification.models import Evidence, EvidenceKey
from verification.vault.envelope import Place, WrappedKey, new_key, seal, unseal, unwrap, wrap
from verification.vault.errors import ErasedError
from verification.vault.keyring import Keyring

INSERT_KEY = """
    INSERT INTO verification_evidence_key (attempt_id, kek_id, sealed, created_at)
    VALUES (%s, %s, %b, %s)
"""
INSERT_EVIDENCE = """
    INSERT INTO verification_evidence
        (id, attempt_id, kind, size_bytes, sha256, sealed, created_at)
    VALUES {rows}
"""
EVIDENCE_ROW = "(%s, %s, %s, %s, %b, %b, %s)"


def key_place(attempt_id: UUID) -> Place:
    """Return where an attempt's wrapped key belongs."""
    return Place("evidence_key", str(attempt_id), "sealed")


def evidence_place(attempt_id: UUID, kind: str) -> Place:
    """Return where one item of evidence belongs."""
    return Place("evidence", str(attempt_id), kind)


def store_evidence(
    *, attempt_id: UUID, items: Mapping[str, bytes], keyring: Keyring, at: datetime
) -> None:
    """Seal `items` (kind -> plaintext) under the attempt's key, made here if it has none.

    Runs inside the caller's transaction. The sealed bytes are bound on the server's side: the
    text protocol would double them and escape them one by one.
    """
    if not items:
        return
    key = _key_of(attempt_id, keyring, at)
    values: list[object] = []
    for kind, plaintext in items.items():
        sealed = seal(key, plaintext, evidence_place(attempt_id, kind))
        digest = hashlib.sha256(plaintext).digest()
        values += [uuid7(at), attempt_id, kind, len(plaintext), digest, sealed, at]
    rows = ", ".join([EVIDENCE_ROW] * len(items))
    _execute_bound(INSERT_EVIDENCE.format(rows=rows), values)


def open_evidence(*, evidence: Evidence, keyring: Keyring) -> bytes:
    """Return the plaintext; VaultError if it was altered or its key is gone."""
    key = _unwrap(evidence.attempt.evidence_key, keyring)
    place = evidence_place(evidence.attempt_id, evidence.kind)
    return unseal(key, bytes(evidence.sealed), place)


def _key_of(attempt_id: UUID, keyring: Keyring, at: datetime) -> bytes:
    existing = EvidenceKey.objects.filter(attempt_id=attempt_id).first()
    if existing is not None:
        return _unwrap(existing, keyring)
    key = new_key()
    wrapped = wrap(keyring, key, key_place(attempt_id))
    _execute_bound(INSERT_KEY, [attempt_id, wrapped.kek_id, wrapped.sealed, at])
    return key


def _unwrap(row: EvidenceKey, keyring: Keyring) -> bytes:
    if row.sealed is None:
        raise ErasedError("the key of this evidence was destroyed")
    wrapped = WrappedKey(row.kek_id, bytes(row.sealed))
    return unwrap(keyring, wrapped, key_place(row.attempt_id))


def _execute_bound(statement: str, values: list[object]) -> None:
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor, connection.wrap_database_errors:
        cursor.execute(statement, values)
