"""Keyed commitments: an entry can name a sensitive value without telling it.

The whole format, with vectors, is docs/formats/commitment.md. Whoever has the attempt's key can
show what was committed to; once the key is destroyed nobody can, not even by trying all values.
"""

import hmac
import os
from collections.abc import Callable
from functools import lru_cache

from verification.ledger.errors import LedgerError

KEY_BYTES = 32
COMMITMENT_BYTES = 32
_DOMAIN = b"verification commitment v1\n"


def new_key(random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Return a fresh key of 32 bytes: one for each attempt, never used for another."""
    return random(KEY_BYTES)


def commit(key: bytes, name: str, value: bytes) -> bytes:
    """Return the commitment (32 bytes) to `value` in the field `name`.

    LedgerError if the key has not 32 bytes.
    """
    if len(key) != KEY_BYTES:
        raise LedgerError(f"a commitment's key has {KEY_BYTES} bytes")
    return hmac.digest(key, _start(name) + _prefixed(value), "sha256")


def opens(key: bytes, name: str, value: bytes, commitment: bytes) -> bool:
    """Say, in constant time, whether `commitment` is that of `value` in the field `name`."""
    return hmac.compare_digest(commit(key, name, value), commitment)


@lru_cache
def _start(name: str) -> bytes:
    """Return how every message of a field begins: names are few, and asked for again and again."""
    return _DOMAIN + _prefixed(name.encode())


def _prefixed(part: bytes) -> bytes:
    """Put the length before the bytes, so that none can move from one part to the next."""
    return len(part).to_bytes(8, "big") + part
