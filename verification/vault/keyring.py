"""The keyring: key-encryption keys by id, the first of them primary, the others to open only."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from verification.vault.errors import KeyringError, UnknownKeyError

KEY_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True)
class Keyring:
    """`primary` wraps new keys; every key of `keys` (id -> 32 bytes) may unwrap."""

    primary: str
    keys: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a ring that could not wrap or holds a key of the wrong shape."""
        if self.primary not in self.keys:
            raise KeyringError(f"the keyring does not hold its primary key {self.primary!r}")
        for key_id, key in self.keys.items():
            if not _ID.fullmatch(key_id):
                raise KeyringError("a key id is 1 to 32 letters, digits, '_' or '-'")
            if len(key) != KEY_BYTES:
                raise KeyringError(f"key {key_id!r} is not {KEY_BYTES} bytes long")

    def key(self, key_id: str) -> bytes:
        """Return the key `key_id` or raise UnknownKeyError."""
        try:
            return self.keys[key_id]
        except KeyError:
            raise UnknownKeyError(f"the keyring holds no key {key_id!r}") from None


def parse_keyring(text: str) -> Keyring:
    """Read `id:base64,id:base64`: the first is primary; each key 32 bytes, standard Base64."""
    pairs = [entry.strip().partition(":") for entry in text.split(",") if entry.strip()]
    if not pairs:
        raise KeyringError("the keyring is empty")
    keys = {key_id: _decode(key_id, encoded) for key_id, _, encoded in pairs}
    if len(keys) != len(pairs):
        raise KeyringError("the keyring names a key twice")
    return Keyring(primary=pairs[0][0], keys=MappingProxyType(keys))


def read_keyring(directory: Path) -> Keyring:
    """Read a directory: one file `<id>.key` (Base64) per key, and `primary` naming one of them."""
    try:
        primary = (directory / "primary").read_text("ascii").strip()
        files = sorted(directory.glob("*.key"))
        keys = {path.stem: _decode(path.stem, path.read_text("ascii").strip()) for path in files}
    except (OSError, UnicodeDecodeError) as error:
        raise KeyringError(f"the keyring directory cannot be read: {error}") from error
    return Keyring(primary=primary, keys=MappingProxyType(keys))


def _decode(key_id: str, encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise KeyringError(f"key {key_id!r} is not Base64") from None
