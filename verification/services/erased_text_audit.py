"""Hold a record whose texts were erased against the entry about it, and what is left of it."""

import json
from collections.abc import Iterator, Mapping

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models.attempt import ERASED_COLUMNS
from verification.models.subject import RECORD_ERASED
from verification.services.entries import GROUPS
from verification.services.erasure_audit import Found, is_other
from verification.services.faults import FaultCode
from verification.services.record_streams import Dossier, EntryRow, Record, RecordErasureRow

SINGLE = ("biz_no", "subject", "idempotency_key", "request_id")


def erased_texts_found(dossier: Dossier, record: Record) -> Iterator[Found]:
    """Yield what is gone without a word, is there in spite of one, or went too early."""
    entries = [each for each in dossier.entries if each.kind == RECORD_ERASED]
    is_gone = record.commitment_key is None
    if not len(entries) == len(dossier.erased) == int(is_gone):
        sentence = "its texts are gone without an entry, or the reverse"
        yield FaultCode.ERASURE, sentence, entries[0] if entries else None
        return
    for entry, row in zip(entries, dossier.erased, strict=True):
        yield from _row(entry, row, dossier)
    if is_gone and (names := _left(dossier, record)):
        yield FaultCode.ERASURE, f"its texts were erased, but there is {', '.join(names)}", None


def _row(entry: EntryRow, row: RecordErasureRow, dossier: Dossier) -> Iterator[Found]:
    said = _read(entry)
    if is_other(said, _told_of(row)):
        yield FaultCode.ERASURE, "the erased record that stands behind differs", entry
    elif not row.is_approved:
        yield FaultCode.FOUR_EYES, "nothing that two people agreed on stands behind it", entry
    elif not row.is_due:
        yield FaultCode.ERASURE, "the record was not due by the rule that it names", entry
    elif any(each.sealed is not None for each in dossier.keys):
        yield FaultCode.ERASURE, "its texts are gone, but the key of its evidence is there", entry


def _told_of(row: RecordErasureRow) -> Mapping[str, str | None]:
    return {
        "at": row.erased_at,
        "attempt": row.attempt,
        "kind": RECORD_ERASED,
        **({"request": row.request} if row.request else {"run": row.run}),
        "rule": row.rule,
    }


def _left(dossier: Dossier, record: Record) -> list[str]:
    """Return the names of what still tells of the person."""
    found = [name for name in SINGLE if getattr(record, name) is not None]
    found += ["closing_reason"] if record.closing_reason else []
    for group, columns in GROUPS.items():
        values = json.loads(getattr(record, group) or "[]")
        pairs = zip(columns, values, strict=False)
        found += [name for name, each in pairs if name in ERASED_COLUMNS and each is not None]
    return found + (["a note"] if any(each.note for each in dossier.steps) else [])


def _read(entry: EntryRow) -> Mapping[str, Json]:
    try:
        return parse(entry.raw)
    except CanonicalError:
        return {}
