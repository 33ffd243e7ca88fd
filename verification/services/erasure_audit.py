"""Hold what destroyed an attempt's evidence, requests and runs, against the entries about it."""

from collections.abc import Iterator, Mapping

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models.erasure import ERASED, ERASURE_REFUSED, ERASURE_REQUESTED, Decision
from verification.models.retention import EXPIRED
from verification.services.entries import commitments
from verification.services.faults import FaultCode
from verification.services.record_streams import Dossier, EntryRow, ErasureRow, ExpiryRow, Record

Found = tuple[FaultCode, str, EntryRow | None]
"""What does not hold, and the entry that says otherwise, if one does."""

DECISIONS = {
    ERASED: Decision.APPROVED.value,
    ERASURE_REFUSED: Decision.REFUSED.value,
}
KINDS = frozenset({ERASURE_REQUESTED, *DECISIONS})


def erasures_found(dossier: Dossier, record: Record) -> Iterator[Found]:
    """Yield each request, decision and destroyed key that is not as the entries say."""
    rows = {each.id: each for each in dossier.erasures}
    told: dict[str, set[str]] = {each: set() for each in rows}
    for entry in dossier.entries:
        if entry.kind in KINDS:
            said = _read(entry)
            row = rows.get(str(said.get("erasure")))
            if row is not None:
                told[row.id].add(entry.kind)
            for code, sentence in _entry(entry.kind, said, row, record, dossier):
                yield code, sentence, entry
    for row in dossier.erasures:
        yield from _row(row, told[row.id])
    yield from _expiries(dossier)
    yield from _keys(dossier)


def is_other(said: Mapping[str, Json], expected: Mapping[str, str | None]) -> bool:
    """Say whether an entry tells something else than a row; early ones had no `by_id`."""
    return any(
        said.get(name) != each for name, each in expected.items() if name in said or name != "by_id"
    )


def _entry(
    kind: str, said: Mapping[str, Json], row: ErasureRow | None, record: Record, dossier: Dossier
) -> Iterator[tuple[FaultCode, str]]:
    """Hold one entry against the row of its request."""
    if row is None or row.decision != DECISIONS.get(kind, row.decision):
        words = {ERASED: "no approved request", ERASURE_REFUSED: "no refused request"}
        yield FaultCode.ERASURE, f"{words.get(kind, 'no request')} stands behind it"
        return
    if kind == ERASED and row.requested_by == row.decided_by:
        yield FaultCode.FOUR_EYES, "one person asked for and approved it"
    expected = _expected(kind, row, record)
    if is_other(said, expected):
        yield FaultCode.ERASURE, "the request that stands behind differs"
    elif _is_other_reason(kind, said, row, record):
        yield FaultCode.ERASURE, "the reason of the request differs"
    elif kind == ERASED and dossier.keys and dossier.keys[0].erased_at != row.decided_at:
        yield FaultCode.ERASURE, "the key was not destroyed then"


def _is_other_reason(kind: str, said: Mapping[str, Json], row: ErasureRow, record: Record) -> bool:
    if kind == ERASURE_REFUSED or record.commitment_key is None:
        return False
    return said.get("commitments") != commitments(record.commitment_key, {"reason": row.reason})


def _expected(kind: str, row: ErasureRow, record: Record) -> Mapping[str, str | None]:
    """Return the members of an entry that the row can still tell."""
    labels = {"attempt": record.id, "kind": kind}
    if kind == ERASURE_REQUESTED:
        return {
            **labels,
            "at": row.requested_at,
            "by_id": row.requested_by,
            "legal_basis": row.legal_basis,
        }
    if kind == ERASURE_REFUSED:
        return {**labels, "at": row.decided_at, "by_id": row.decided_by}
    return {
        **labels,
        "at": row.decided_at,
        "requested_by_id": row.requested_by,
        "approved_by_id": row.decided_by,
        "legal_basis": row.legal_basis,
    }


def _row(row: ErasureRow, told: set[str]) -> Iterator[Found]:
    """Say what a row claims and no entry tells."""
    decided = {kind for kind, decision in DECISIONS.items() if decision == row.decision}
    if told != {ERASURE_REQUESTED, *decided}:
        sentence = f"the request {row.id} and its entries differ in what was asked and decided"
        yield FaultCode.ERASURE, sentence, None
    if row.decided_by is not None and row.decided_by == row.requested_by:
        yield FaultCode.FOUR_EYES, "one person asked and decided", None


def _expiries(dossier: Dossier) -> Iterator[Found]:
    """Hold the row that let a key expire, and the key, against the entry."""
    entries = [each for each in dossier.entries if each.kind == EXPIRED]
    if len(entries) != len(dossier.expiries):
        yield FaultCode.ERASURE, "expiries and their entries differ in number", None
    for entry, row in zip(entries, dossier.expiries, strict=False):
        if is_other(_read(entry), _told_of(row)):
            yield FaultCode.ERASURE, "the expiry that stands behind differs", entry
        elif not row.is_approved:
            yield FaultCode.FOUR_EYES, "no run that two people agreed on stands behind it", entry
        elif not row.is_due:
            yield FaultCode.ERASURE, "it was not due by the rule that it names", entry
        elif any(each.erased_at != row.expired_at for each in dossier.keys):
            yield FaultCode.ERASURE, "the key was not destroyed then", entry


def _told_of(row: ExpiryRow) -> Mapping[str, str | None]:
    return {
        "at": row.expired_at,
        "attempt": row.attempt,
        "kind": EXPIRED,
        "rule": row.rule,
        "run": row.run,
    }


def _keys(dossier: Dossier) -> Iterator[Found]:
    erased = sum(each.sealed is None for each in dossier.keys)
    if erased != sum(each.kind in {ERASED, EXPIRED} for each in dossier.entries):
        yield FaultCode.ERASURE, "the key is gone without an entry, or the reverse", None
    if any((each.sealed is None) != (each.erased_at is not None) for each in dossier.keys):
        yield FaultCode.ERASURE, "the key is there and erased, or gone and not erased", None


def _read(entry: EntryRow) -> Mapping[str, Json]:
    try:
        return parse(entry.raw)
    except CanonicalError:
        return {}
