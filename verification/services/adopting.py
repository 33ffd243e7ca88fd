"""Adopt records from before the log: their entries are staged from what the rows say today.

From then on they cannot be changed unnoticed; what was changed before, nobody can say. Only a log
that has not begun adopts, so that nobody can slip a row in later and have an entry made for it.
"""

from collections.abc import Callable, Iterator
from uuid import UUID

from verification.lifecycle import OPEN, State
from verification.selectors.ledger import log_size
from verification.services.entries import (
    Added,
    KeptItem,
    accepted_entry,
    kept_entry,
    reconciled_entry,
    settled_entry,
)
from verification.services.errors import LedgerRefusalError
from verification.services.record_streams import Dossier, Record, dossiers, snapshot
from verification.services.runtime import Runtime
from verification.services.sealing import key_place
from verification.services.staging import stage
from verification.vault.envelope import WrappedKey, unwrap
from verification.vault.keyring import Keyring

BATCH = 1000


def adopt(*, runtime: Runtime, report: Callable[[int], None] = lambda _: None) -> int:
    """Stage the entries of every attempt that has none; return how many attempts that were.

    All or nothing; safe to repeat. LedgerRefusalError once the log has begun and such an attempt
    is found; VaultError if a key does not open.
    """
    adopted = 0
    waiting: list[bytes] = []
    with snapshot("READ WRITE") as session:
        has_begun = log_size() > 0
        for dossier in dossiers(session):
            if dossier.record is None or dossier.entries:
                continue
            if has_begun:
                why = (
                    "The log has begun: an attempt without an entry is a matter for ledger_verify."
                )
                raise LedgerRefusalError(why)
            waiting += _entries(dossier, dossier.record, runtime.conf.keyring)
            adopted += 1
            if adopted % BATCH == 0:
                stage(waiting)
                waiting = []
                report(adopted)
        stage(waiting)
    return adopted


def _entries(dossier: Dossier, record: Record, keyring: Keyring) -> Iterator[bytes]:
    """Yield the entries that the services would have staged, as far as the rows can tell."""
    yield _accepted(record)
    if record.state in OPEN:
        return
    is_late = record.reconciled_at is not None
    settled_at = record.settled_at or record.sent_at or record.created_at
    is_overwritten = is_late and record.state == State.ANSWERED
    yield settled_entry(
        key=record.key,
        at=settled_at,
        attempt=record.id,
        send_no=record.send_no,
        sent_at=record.sent_at,
        state=State.IN_DOUBT.value if is_late else record.state,
        texts={} if is_overwritten else record.settlement_texts(),
        added=_added(dossier, settled_at, keyring),
    )
    told = {settled_at, record.reconciled_at}
    for at in sorted({each.created_at for each in dossier.evidence} - told):
        yield kept_entry(
            key=record.key,
            at=at,
            attempt=record.id,
            added=_added(dossier, at, keyring),
        )
    if is_late:
        yield _reconciled(dossier, record, keyring)


def _accepted(record: Record) -> bytes:
    return accepted_entry(
        key=record.key,
        at=record.created_at,
        attempt=record.id,
        client=record.client,
        region=record.region,
        session=record.session,
        packet_sha256=record.packet_sha256,
        packet_size_bytes=record.packet_size_bytes,
        texts=record.acceptance_texts(),
    )


def _reconciled(dossier: Dossier, record: Record, keyring: Keyring) -> bytes:
    at = record.reconciled_at or ""
    is_closed = record.state == State.CLOSED
    return reconciled_entry(
        key=record.key,
        at=at,
        attempt=record.id,
        state=record.state,
        texts={"closing_reason": record.closing_reason} if is_closed else record.settlement_texts(),
        added=_added(dossier, at, keyring),
    )


def _added(dossier: Dossier, at: str, keyring: Keyring) -> Added:
    items = [
        KeptItem(row.id, row.kind, row.size_bytes, row.sha256, row.sealed_sha256)
        for row in dossier.evidence
        if row.created_at == at
    ]
    keys = [row for row in dossier.keys if row.created_at == at and row.sealed is not None]
    opened = [
        unwrap(keyring, WrappedKey(row.kek_id, row.sealed or b""), key_place(UUID(row.attempt)))
        for row in keys
    ]
    return Added(items, opened[0].hex() if opened else None)
