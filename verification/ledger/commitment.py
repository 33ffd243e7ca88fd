"""Keyed commitments: an entry can name a sensitive value without telling it.

The whole format, with vectors, is docs/formats/commitment.md. Whoever has the attempt's key can
show what was committed to; once the key is destroyed nobody can, not even by trying all values.
"""

import hmac
import os
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

from verification.ledger.errors import LedgerError

KEY_BYTES = 32
COMMITMENT_BYTES = 32
_DOMAIN = b"verification commitment v1\n"
_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def new_key(random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Return a fresh key of 32 bytes: one for each attempt, never used for another."""
    return random(KEY_BYTES)


def commit(key: bytes, name: str, value: bytes) -> bytes:
    """Return the commitment (32 bytes) to `value` in the field `name`.

    LedgerError if the key has not 32 bytes.
    """
    return Committer(key).commit(name, value)


class Committer:
    """Makes many commitments under one key, at half the price: it prepares HMAC's pads once.

    LedgerError if the key has not 32 bytes. Source of the construction: RFC 2104.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise LedgerError(f"a commitment's key has {KEY_BYTES} bytes")
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = block.translate(_INNER) + _DOMAIN
        self._outer = block.translate(_OUTER)

    def commit(self, name: str, value: bytes) -> bytes:
        """Return the commitment (32 bytes) to `value` in the field `name`."""
        message = self._inner + _start(name) + _prefixed(value)
        return sha256(self._outer + sha256(message).digest()).digest()


def opens(key: bytes, name: str, value: bytes, commitment: bytes) -> bool:
    """Say, in constant time, whether `commitment` is that of `value` in the field `name`."""
    return hmac.compare_digest(commit(key, name, value), commitment)


@lru_cache
def _start(name: str) -> bytes:
    """Return how a field's part of a message begins: names are few, and asked for ever again."""
    return _prefixed(name.encode())


def _prefixed(part: bytes) -> bytes:
    """Put the length before the bytes, so that none can move from one part to the next."""
    return len(part).to_bytes(8, "big") + part
