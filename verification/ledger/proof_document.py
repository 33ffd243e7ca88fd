"""The proof document: what an auditor needs to check attempts offline, as one JSON file.

The whole format, with vectors, is docs/formats/proof.md. Only writing is done here: reading is
the business of `verify_proof.py`, which shares no code with this package.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from verification.ledger.canonical import Json
from verification.ledger.commitment import KEY_BYTES
from verification.ledger.errors import LedgerError
from verification.ledger.keys import encode_base64

FORMAT = "verification-proof/v1"
MAX_BYTES = 64 * 2**20
NEVER_TOLD = "evidence_key"


@dataclass(frozen=True, slots=True)
class ProvedEntry:
    """An entry: its index, canonical bytes, proof of inclusion (hashes of 32 bytes, leaf first).

    `values` are the texts that are told, by the names of their commitments. LedgerError if a data
    key is among them.
    """

    index: int
    raw: bytes
    proof: Sequence[bytes]
    values: Mapping[str, str] = field(repr=False)

    def __post_init__(self) -> None:
        """Keep the key that opens the evidence out of every document."""
        if NEVER_TOLD in self.values:
            raise LedgerError("a data key is never told")


@dataclass(frozen=True, slots=True)
class ProvedAttempt:
    """An attempt's id, its commitment key (32 bytes, None once destroyed), entries by index.

    LedgerError if the key has another length, or if values are told without one.
    """

    id: str
    key: bytes | None = field(repr=False)
    entries: Sequence[ProvedEntry]

    def __post_init__(self) -> None:
        """Refuse what could not be opened."""
        if self.key is not None and len(self.key) != KEY_BYTES:
            raise LedgerError(f"a commitment's key has {KEY_BYTES} bytes")
        if self.key is None and any(each.values for each in self.entries):
            raise LedgerError("without the key no value can be told")


@dataclass(frozen=True, slots=True)
class ProvedConsistency:
    """An earlier signed checkpoint, and the proof of consistency from it to the document's."""

    old: bytes
    proof: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class ProofDocument:
    """Attempts as they stand under one signed checkpoint; `consistency` leads there."""

    checkpoint: bytes
    attempts: Sequence[ProvedAttempt]
    consistency: ProvedConsistency | None = None


def to_json(document: ProofDocument) -> bytes:
    """Return the document as indented ASCII, the same bytes each time; LedgerError if too long.

    Nothing is verified. It holds what the commitments hide: to be handed to the auditor only.
    """
    consistency = document.consistency
    content: dict[str, Json] = {
        "format": FORMAT,
        "checkpoint": document.checkpoint.decode(),
        "attempts": [_attempt(each) for each in document.attempts],
        "consistency": None if consistency is None else _consistency(consistency),
    }
    raw = f"{json.dumps(content, indent=1)}\n".encode("ascii")
    if len(raw) > MAX_BYTES:
        raise LedgerError(f"a proof document is longer than {MAX_BYTES} bytes")
    return raw


def _attempt(attempt: ProvedAttempt) -> Json:
    return {
        "id": attempt.id,
        "key": None if attempt.key is None else attempt.key.hex(),
        "entries": [_entry(each) for each in attempt.entries],
    }


def _entry(entry: ProvedEntry) -> Json:
    return {
        "index": entry.index,
        "raw": entry.raw.decode(),
        "proof": [encode_base64(each) for each in entry.proof],
        "values": dict(sorted(entry.values.items())),
    }


def _consistency(consistency: ProvedConsistency) -> Json:
    return {
        "old": consistency.old.decode(),
        "proof": [encode_base64(each) for each in consistency.proof],
    }
