"""The entries of the log about prices and bills; docs/formats/events.md."""

from collections.abc import Mapping
from datetime import datetime

from verification.ledger.canonical import canonical
from verification.models import Price
from verification.models.price import PRICE_SET, RECONCILED
from verification.services.entries import utc_text
from verification.services.policy_entries import text_sha256


def price_entry(row: Price, *, by: str) -> bytes:
    """Say who has set which price; of the note, which is free text, the digest."""
    return canonical({
        "amount": f"{row.amount:f}",
        "at": utc_text(row.recorded_at),
        "by": by,
        "by_id": str(row.recorded_by_id),
        "call": row.kind,
        "currency": row.currency,
        "kind": PRICE_SET,
        "note_sha256": text_sha256(row.note),
        "price": str(row.pk),
        "region": row.region,
        "valid_from": row.valid_from.isoformat(),
    })  # fmt: skip


def reconciled_entry(
    *, at: datetime, by: str, month: str, file_sha256: str, calls: str, counts: Mapping[str, int]
) -> bytes:
    """Say that the vendor's bill of a month was held against the record, and what was found."""
    return canonical({
        "at": utc_text(at),
        "by": by,
        "calls": calls,
        "counts": dict(counts),
        "file_sha256": file_sha256,
        "kind": RECONCILED,
        "month": month,
    })  # fmt: skip
