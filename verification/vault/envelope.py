"""AES-256-GCM seals, bound to the place they were made for.

A sealed value is `0x01 | nonce (12 bytes) | ciphertext | tag (16 bytes)`. The associated data
names kind, owner and field, so that a value moved elsewhere does not open.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from verification.vault.errors import SealBrokenError
from verification.vault.keyring import KEY_BYTES, Keyring

VERSION = b"\x01"
NONCE_BYTES = 12
TAG_BYTES = 16
OVERHEAD_BYTES = len(VERSION) + NONCE_BYTES + TAG_BYTES

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value belongs: what it is, whose it is, in which field it stands."""

    kind: str
    owner: str
    field: str

    def aad(self) -> bytes:
        """Return the associated data: each part prefixed with its length, so none can shift."""
        parts = [part.encode() for part in (self.kind, self.owner, self.field)]
        return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key sealed under the key-encryption key `kek_id`."""

    kek_id: str
    sealed: bytes = field(repr=False)


def new_key(random: Random = os.urandom) -> bytes:
    """Return a fresh 32-byte data key."""
    return random(KEY_BYTES)


def seal(
    key: bytes, plaintext: bytes | memoryview, place: Place, random: Random = os.urandom
) -> bytes:
    """Encrypt `plaintext` for `place`; the result is OVERHEAD_BYTES longer."""
    nonce = random(NONCE_BYTES)
    return VERSION + nonce + AESGCM(key).encrypt(nonce, plaintext, place.aad())


def unseal(key: bytes, sealed: bytes, place: Place) -> bytes:
    """Return the plaintext sealed for `place`; SealBrokenError if anything differs."""
    if len(sealed) < OVERHEAD_BYTES or not sealed.startswith(VERSION):
        raise SealBrokenError("the sealed bytes are not of a known shape")
    nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, place.aad())
    except InvalidTag:
        raise SealBrokenError("the sealed bytes do not open with this key, here") from None


def wrap(keyring: Keyring, key: bytes, place: Place, random: Random = os.urandom) -> WrappedKey:
    """Seal a data key under the keyring's primary key."""
    kek = keyring.key(keyring.primary)
    return WrappedKey(keyring.primary, seal(kek, key, place, random))


def unwrap(keyring: Keyring, wrapped: WrappedKey, place: Place) -> bytes:
    """Return the data key; UnknownKeyError or SealBrokenError if it cannot be had."""
    return unseal(keyring.key(wrapped.kek_id), wrapped.sealed, place)
