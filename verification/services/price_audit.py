"""Hold the price list against the entries about it: each row has one, and says the same."""

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models.price import PRICE_SET
from verification.services.faults import Fault, FaultCode
from verification.services.policy_entries import text_sha256
from verification.services.record_streams import utc_sql

KINDS = (PRICE_SET,)
NAMES = ("call", "region", "amount", "currency", "valid_from", "by_id", "at", "note_sha256")
PRICES = f"""
    SELECT id::text, kind, region, amount::text, currency, pg_catalog.to_char(
        valid_from, 'YYYY-MM-DD'), recorded_by_id::text, {utc_sql("recorded_at")}, note
    FROM verification_price ORDER BY id
"""  # noqa: S608 - our own columns


def price_faults(connection: psycopg.Connection[Any], entries: Iterable[bytes]) -> Iterator[Fault]:
    """Yield what does not hold; `entries` are those of KINDS, in order."""
    said: dict[str, dict[str, Json]] = {}
    for raw in entries:
        try:
            entry = parse(raw)
        except CanonicalError:
            continue
        if entry.get("kind") == PRICE_SET:
            said[str(entry.get("price"))] = {name: entry.get(name) for name in NAMES}
    for id_, *facts, note in connection.execute(PRICES):
        found = dict(zip(NAMES, (*facts, text_sha256(note)), strict=True))
        known = said.pop(id_, None)
        if known is None:
            yield _fault(f"price {id_} is in no entry")
        elif differing := sorted(name for name in NAMES if found[name] != known[name]):
            yield _fault(f"price {id_} differs from what was recorded: {', '.join(differing)}")
    for id_ in said:
        yield _fault(f"price {id_} was recorded, but is gone")


def _fault(sentence: str) -> Fault:
    return Fault(FaultCode.REGISTER, sentence)
