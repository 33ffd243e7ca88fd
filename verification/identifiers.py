"""Time-ordered identifiers (UUID version 7, RFC 9562 section 5.7)."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

RANDOM_BITS = 74
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7(at: datetime, random_bits: Callable[[int], int] = secrets.randbits) -> UUID:
    """Return the UUIDv7 of the aware time `at`: 48 bits of Unix milliseconds, 74 of randomness."""
    unix_ms = (at - EPOCH) // timedelta(milliseconds=1)
    random = random_bits(RANDOM_BITS)
    rand_a, rand_b = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=unix_ms << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)
