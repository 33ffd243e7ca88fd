"""Hold the record of an attempt against its entries: the row must be what they fold to.

Every entry that the row, its evidence and its key can still tell is built again from them and
must be the stored one, byte for byte. Where a later step has overwritten columns, or an erasure
has destroyed a key, the entry's other members must still fit.
"""

import json
from collections.abc import Iterator, Mapping
from uuid import UUID

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError, LedgerError
from verification.lifecycle import OPEN, State
from verification.lifecycle import SETTLED as SETTLED_STATES
from verification.services.entries import (
    ACCEPTED,
    KEPT,
    NONE,
    RECONCILED,
    REVEALED,
    SETTLED,
    Added,
    KeptItem,
    Known,
    accepted_entry,
    commitments,
    kept_entry,
    reconciled_entry,
    settled_entry,
)
from verification.services.erased_text_audit import erased_texts_found
from verification.services.erasure_audit import erasures_found, is_other
from verification.services.faults import Fault, FaultCode
from verification.services.record_streams import (
    Dossier,
    EntryRow,
    Record,
    RevealRow,
    dossiers,
    snapshot,
)
from verification.services.review_audit import reviews_found
from verification.services.runtime import Runtime
from verification.services.sealing import key_place
from verification.vault.envelope import WrappedKey, unwrap
from verification.vault.errors import VaultError
from verification.vault.keyring import Keyring


def check_attempt(*, attempt_id: UUID, runtime: Runtime) -> tuple[Fault, ...]:
    """Return what does not hold of one attempt; nothing if it is as it was written."""
    with snapshot("READ ONLY") as session:
        found = list(dossiers(session, str(attempt_id)))
    dossier = found[0] if found else Dossier(str(attempt_id))
    return tuple(check_dossier(dossier, runtime.conf.keyring))


def check_dossier(dossier: Dossier, keyring: Keyring) -> Iterator[Fault]:
    """Yield what does not hold of one attempt."""
    try:
        yield from _Check(dossier, keyring).faults()
    except LedgerError as error:
        sentence = f"no entry can be made of what is stored: {error}"
        yield Fault(FaultCode.ROW, sentence, attempt_id=UUID(dossier.attempt))


class _Check:
    """One attempt under examination."""

    def __init__(self, dossier: Dossier, keyring: Keyring) -> None:
        self._dossier = dossier
        self._keyring = keyring
        self._data_key: bytes | None = None
        self._settled = [each for each in dossier.entries if each.kind == SETTLED]
        self._reconciled = [each for each in dossier.entries if each.kind == RECONCILED]

    def faults(self) -> Iterator[Fault]:
        record = self._dossier.record
        if record is None:
            yield self._fault(FaultCode.NO_ROW, "there are entries or evidence, but no attempt")
            return
        if not self._dossier.entries:
            yield self._fault(FaultCode.NO_ENTRY, "the attempt is in no entry")
            return
        yield from self._key()
        yield from self._accepted(record)
        yield from self._settlements(record)
        yield from self._listed()
        if len(self._dossier.entries) > 1 + len(self._settled) + len(self._reconciled):
            yield from self._others(record)
        yield from self._counts(record)

    def _fault(self, code: FaultCode, sentence: str, entry: EntryRow | None = None) -> Fault:
        index = entry.place if entry else None
        return Fault(code, sentence, index=index, attempt_id=UUID(self._dossier.attempt))

    def _key(self) -> Iterator[Fault]:
        """Open the wrapped key, if there is one."""
        for row in self._dossier.keys:
            if row.sealed is None:
                continue
            try:
                wrapped = WrappedKey(row.kek_id, row.sealed)
                self._data_key = unwrap(self._keyring, wrapped, key_place(UUID(row.attempt)))
            except VaultError as error:
                yield self._fault(FaultCode.KEY_LOST, f"the evidence key is lost: {error}")
        if self._dossier.evidence and not self._dossier.keys:
            yield self._fault(FaultCode.KEY_LOST, "the evidence has no key")

    def _accepted(self, record: Record) -> Iterator[Fault]:
        first = self._dossier.entries[0]
        if first.kind != ACCEPTED:
            yield self._fault(FaultCode.ORDER, "it does not begin with its acceptance", first)
            return
        expected = accepted_entry(
            key=record.fold_key,
            at=record.created_at,
            attempt=record.id,
            client=record.client,
            region=record.region,
            session=record.session,
            packet_sha256=record.packet_sha256,
            packet_size_bytes=record.packet_size_bytes,
            texts=record.acceptance_texts(),
        )
        if not record.tells(expected, first.raw):
            yield self._differs(expected, first)

    def _settlements(self, record: Record) -> Iterator[Fault]:
        """Hold the last settlement, or the reconciliation, against the row; the others roughly."""
        is_answered_late = record.state == State.ANSWERED and bool(self._reconciled)
        current = None if is_answered_late else self._current_settlement(record)
        for number, entry in enumerate(self._settled, 1):
            if entry is current:
                yield from self._settlement(record, entry)
            else:
                yield from self._past(record, entry, number, is_answered_late=is_answered_late)
        for entry in self._reconciled:
            yield from self._reconciliation(record, entry)

    def _current_settlement(self, record: Record) -> EntryRow | None:
        """Return the settlement whose columns still stand in the row."""
        if not self._settled or record.state == State.SENDING:
            return None
        return self._settled[-1]

    def _settlement(self, record: Record, entry: EntryRow) -> Iterator[Fault]:
        at = _at(entry) if record.state == State.NOT_SENT else record.settled_at or ""
        state = State.IN_DOUBT.value if record.state == State.CLOSED else record.state
        expected = settled_entry(
            key=record.fold_key,
            at=at,
            attempt=record.id,
            send_no=record.send_no,
            sent_at=record.sent_at,
            state=state,
            texts=record.settlement_texts(),
            added=self._added(at),
            known=self._known(entry, at),
        )
        if not record.tells(expected, entry.raw):
            yield self._differs(expected, entry)

    def _past(
        self, record: Record, entry: EntryRow, number: int, *, is_answered_late: bool
    ) -> Iterator[Fault]:
        """Hold a settlement whose columns were overwritten against what later steps left."""
        said = _read(entry)
        is_doubt = is_answered_late and entry is self._settled[-1]
        state = State.IN_DOUBT if is_doubt else State.NOT_SENT
        labels = (said.get("attempt"), said.get("kind"), said.get("state"))
        if labels != (record.id, SETTLED, state):
            yield self._fault(FaultCode.ORDER, f"settlement {number} does not lead here", entry)
            return
        if is_doubt:
            yield from self._doubted(record, entry, said)
        yield from self._past_evidence(record, entry, said)

    def _doubted(
        self, record: Record, entry: EntryRow, said: Mapping[str, Json]
    ) -> Iterator[Fault]:
        """Hold the columns of the send that a late answer does not overwrite."""
        kept = {"settled_at": said.get("at"), **{name: said.get(name) for name in SEND}}
        names = [name for name, each in kept.items() if getattr(record, name) != each]
        if names:
            sentence = f"it is not what was written: {', '.join(names)}"
            yield self._fault(FaultCode.ROW, sentence, entry)

    def _past_evidence(
        self, record: Record, entry: EntryRow, said: Mapping[str, Json]
    ) -> Iterator[Fault]:
        """Hold what is never overwritten, the evidence that came with an entry and its key."""
        at = _at(entry)
        added = self._added(at)
        made = {**commitments(record.fold_key, added.texts()), **self._known(entry, at)}
        is_told = record.commitment_key is not None
        differing = _differing(said.get("commitments"), made) if is_told else []
        names = [name for name in differing if name in {"evidence", "evidence_key"}]
        if said.get("evidence") != json.loads(added.listed()) and "evidence" not in names:
            names.append("evidence")
        if names:
            code = FaultCode.KEY if names == ["evidence_key"] else FaultCode.EVIDENCE
            yield self._fault(code, f"it is not what was written: {', '.join(names)}", entry)

    def _reconciliation(self, record: Record, entry: EntryRow) -> Iterator[Fault]:
        at = record.reconciled_at or ""
        is_closed = record.state == State.CLOSED
        texts = (
            {"closing_reason": record.closing_reason} if is_closed else record.settlement_texts()
        )
        expected = reconciled_entry(
            key=record.fold_key,
            at=at,
            attempt=record.id,
            state=record.state,
            texts=texts,
            added=self._added(at),
            known=self._known(entry, at),
        )
        if not record.tells(expected, entry.raw):
            yield self._differs(expected, entry)

    def _added(self, at: str) -> Added:
        """Return the evidence that was stored at a time, as its entry must name it."""
        items = [
            KeptItem(row.id, row.kind, row.size_bytes, row.sha256, row.sealed_sha256)
            for row in self._dossier.evidence
            if row.created_at == at
        ]
        is_new = any(each.created_at == at for each in self._dossier.keys)
        key = self._data_key.hex() if is_new and self._data_key else None
        return Added(items, key)

    def _known(self, entry: EntryRow, at: str) -> Known:
        """Return the commitment to a key that was erased: nobody can make it again."""
        keys = self._dossier.keys
        if all(each.sealed is not None or each.created_at != at for each in keys):
            return NONE
        said = _read(entry).get("commitments")
        known = said.get("evidence_key") if isinstance(said, dict) else None
        return {"evidence_key": known} if isinstance(known, str) else NONE

    def _listed(self) -> Iterator[Fault]:
        """Say which evidence stands in no entry: it came at a time at which nothing happened."""
        said = {_at(each) for each in self._dossier.entries if each.kind in WITH_EVIDENCE}
        for row in self._dossier.evidence:
            if row.created_at not in said:
                yield self._fault(FaultCode.EVIDENCE, f"item {row.id} is in no entry")

    def _others(self, record: Record) -> Iterator[Fault]:
        reveals = {each.id: each for each in self._dossier.reveals}
        for entry in self._dossier.entries[1:]:
            if entry.kind == KEPT:
                yield from self._kept(record, entry)
            elif entry.kind == REVEALED:
                yield from self._reveal(record, entry, reveals)
            elif entry.kind == ACCEPTED:
                yield self._fault(FaultCode.ORDER, "it was accepted a second time", entry)
            elif entry.kind not in {SETTLED, RECONCILED} and not _is_labelled(entry):
                yield self._fault(FaultCode.LABEL, "kind or attempt differ from its text", entry)

    def _kept(self, record: Record, entry: EntryRow) -> Iterator[Fault]:
        at = _at(entry)
        expected = kept_entry(
            key=record.fold_key,
            at=at,
            attempt=record.id,
            added=self._added(at),
            known=self._known(entry, at),
        )
        if not record.tells(expected, entry.raw):
            yield self._differs(expected, entry)

    def _reveal(
        self, record: Record, entry: EntryRow, reveals: Mapping[str, RevealRow]
    ) -> Iterator[Fault]:
        said = _read(entry)
        row = reveals.get(str(said.get("reveal")))
        if row is None:
            yield self._fault(FaultCode.REVEAL, "the row of a reveal is missing", entry)
            return
        if is_other(said, _told(record, row)):
            yield self._fault(FaultCode.REVEAL, "the row of a reveal differs", entry)
        elif not _opens(record, said, "reason", row.reason):
            yield self._fault(FaultCode.REVEAL, "the reason of a reveal differs", entry)

    def _counts(self, record: Record) -> Iterator[Fault]:
        """Say what the row claims and no entry tells."""
        yield from self._state(record)
        yield from self._unsaid(record)
        kinds = [each.kind for each in self._dossier.entries]
        if len(self._dossier.reveals) != kinds.count(REVEALED):
            yield self._fault(FaultCode.REVEAL, "reveals and their entries differ in number")
        for code, sentence, entry in erasures_found(self._dossier, record):
            yield self._fault(code, sentence, entry)
        for code, sentence, entry in erased_texts_found(self._dossier, record):
            yield self._fault(code, sentence, entry)
        for code, sentence, entry in reviews_found(self._dossier, record):
            yield self._fault(code, sentence, entry)

    def _state(self, record: Record) -> Iterator[Fault]:
        """Hold the state against the number of settlements and reconciliations."""
        settled, reconciled = len(self._settled), len(self._reconciled)
        is_late = record.reconciled_at is not None
        if reconciled != int(is_late):
            yield self._fault(FaultCode.STATE, "it left doubt without an entry, or the reverse")
        if record.state == State.ACCEPTED and settled:
            yield self._fault(FaultCode.STATE, "it is settled, but the row says accepted")
        if record.state not in {State.ACCEPTED, State.SENDING} and not settled:
            yield self._fault(FaultCode.STATE, f"no entry says that it is {record.state}")
        if record.state == State.SENDING and settled >= record.send_no:
            yield self._fault(FaultCode.STATE, "it is settled, but the row says sending")

    def _unsaid(self, record: Record) -> Iterator[Fault]:
        """Say which columns hold what no entry of an attempt in this state tells."""
        empty: dict[str, str | None] = {}
        if record.state in OPEN:
            empty |= record.settlement_texts()
        if record.state not in SETTLED_STATES:
            empty["settled_at"] = record.settled_at
        if record.state != State.CLOSED:
            empty["closing_reason"] = record.closing_reason
        names = [name for name, text in empty.items() if text is not None]
        if names:
            yield self._fault(FaultCode.ROW, f"no entry tells of its {', '.join(names)}")

    def _differs(self, expected: bytes, entry: EntryRow) -> Fault:
        """Name what differs between an entry and what the record folds to."""
        said, is_now = _read(entry), parse(expected)
        if not said:
            return self._fault(FaultCode.LABEL, "the entry is not canonical", entry)
        names = sorted(name for name in {*said, *is_now} if said.get(name) != is_now.get(name))
        if "commitments" in names:
            names.remove("commitments")
            names += _differing(said.get("commitments"), is_now.get("commitments"))
        code = FaultCode.ROW
        if names and set(names) <= {"evidence", "evidence_key"}:
            code = FaultCode.KEY if names == ["evidence_key"] else FaultCode.EVIDENCE
        return self._fault(code, f"it is not what was written: {', '.join(names)}", entry)


SEND = ("send_no", "sent_at")
"""Members of a settlement that stand in the row under the same names."""

WITH_EVIDENCE = frozenset({SETTLED, RECONCILED, KEPT})


def _at(entry: EntryRow) -> str:
    """Return an entry's time, which stands first in its canonical form."""
    return entry.raw[7:34].decode("ascii", "replace")


def _read(entry: EntryRow) -> dict[str, Json]:
    try:
        return parse(entry.raw)
    except CanonicalError:
        return {}


def _is_labelled(entry: EntryRow) -> bool:
    said = _read(entry)
    return (said.get("kind"), said.get("attempt")) == (entry.kind, entry.attempt)


def _told(record: Record, row: RevealRow) -> Mapping[str, str]:
    """Return the members of a reveal's entry that its row can still tell."""
    return {
        "attempt": record.id,
        "kind": REVEALED,
        "at": row.revealed_at,
        "by": row.officer,
        "by_id": row.officer_id,
        "evidence": row.evidence,
        "item": row.kind,
        "purpose": row.purpose,
    }


def _opens(record: Record, said: Mapping[str, Json], name: str, text: str) -> bool:
    if record.commitment_key is None:
        return True
    made = said.get("commitments")
    commitment = made.get(name) if isinstance(made, dict) else None
    return commitment == commitments(record.fold_key, {name: text})[name]


def _differing(said: Json, is_now: Json) -> list[str]:
    one = said if isinstance(said, dict) else {}
    other = is_now if isinstance(is_now, dict) else {}
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
