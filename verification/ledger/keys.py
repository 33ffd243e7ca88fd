"""Names and Ed25519 keys of those who sign notes, and the vkey text of c2sp.org/signed-note."""

import base64
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verification.ledger.errors import NoteError

KEY_BYTES = 32
KEY_ID_BYTES = 4

_UNWANTED = re.compile("[\0-\x09\x0b-\x1f\ud800-\udfff]")
_SECRET = "PRIVATE+KEY+"  # noqa: S105 - how every such text begins
_KEY_ID = re.compile("[0-9a-f]{8}")


class SignatureType(IntEnum):
    """The type byte of a key, which separates the uses of signatures."""

    NOTE = 0x01
    COSIGNATURE = 0x04


_TYPES = frozenset(bytes([each]) for each in SignatureType)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A name and the public key (32 bytes) that it is trusted to sign with.

    The name is a URL without scheme, such as `example.com/log`: no spaces, no plus.
    """

    name: str
    type: SignatureType
    public: bytes

    def __post_init__(self) -> None:
        """Refuse a name or a key that no signature line could carry."""
        check_name(self.name)
        if len(self.public) != KEY_BYTES:
            raise NoteError(f"an Ed25519 public key has {KEY_BYTES} bytes")

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes that name this key beside its name; not a safe hash."""
        typed = bytes([self.type]) + self.public
        return hashlib.sha256(self.name.encode() + b"\n" + typed).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """Return the vkey text: name+hex of the key id+base64 of type and key."""
        typed = bytes([self.type]) + self.public
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(typed)}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A name and the Ed25519 seed (32 secret bytes) that signs under it."""

    name: str
    type: SignatureType
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a name that no signature line could carry, or a seed of another length."""
        check_name(self.name)
        if len(self.seed) != KEY_BYTES:
            raise NoteError(f"an Ed25519 seed has {KEY_BYTES} bytes")

    @property
    def verifier(self) -> VerifierKey:
        """Return the public side, to be handed out."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return VerifierKey(self.name, self.type, public.public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the signature (64 bytes); the same message always gives the same one."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def parse_vkey(text: str) -> VerifierKey:
    """Read a vkey text of a known type; NoteError if it is malformed or its id does not fit."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    typed = decode_base64(encoded)
    if typed[:1] not in _TYPES:
        raise NoteError("the verifier key is of a type that is not in use here")
    key = VerifierKey(name, SignatureType(typed[0]), typed[1:])
    if not _KEY_ID.fullmatch(key_id) or bytes.fromhex(key_id) != key.key_id:
        raise NoteError("the verifier key's id is not that of its name and key")
    return key


def new_signing_key(
    name: str, kind: SignatureType, random: Callable[[int], bytes] = os.urandom
) -> SigningKey:
    """Return a fresh key; NoteError if no signature line could carry `name`."""
    return SigningKey(name, kind, random(KEY_BYTES))


def skey_text(key: SigningKey) -> str:
    """Return the secret key as text: the form of Go's sumdb/note, to be kept like a password."""
    typed = bytes([key.type]) + key.seed
    return f"{_SECRET}{key.name}+{key.verifier.key_id.hex()}+{encode_base64(typed)}"


def parse_skey(text: str) -> SigningKey:
    """Read a secret key's text; NoteError, which quotes nothing of it, if it is not one."""
    name, _, rest = text.removeprefix(_SECRET).partition("+")
    key_id, _, encoded = rest.partition("+")
    typed = decode_base64(encoded)
    if not text.startswith(_SECRET) or typed[:1] not in _TYPES:
        raise NoteError("the text is not a signing key of a type in use here")
    key = SigningKey(name, SignatureType(typed[0]), typed[1:])
    if key_id != key.verifier.key_id.hex():
        raise NoteError("the signing key's id is not that of its name and key")
    return key


def check_name(name: str) -> None:
    """Raise NoteError unless `name` can name a key: not empty, without spaces and plus."""
    check_text(name)
    if not name or "+" in name or any(each.isspace() for each in name):
        raise NoteError("a key's name is not empty and holds no space or plus")


def check_text(text: str) -> None:
    """Raise NoteError if `text` holds what a note cannot: controls other than newline."""
    if _UNWANTED.search(text):
        raise NoteError("a note holds no control characters and no lone surrogates")


def encode_base64(raw: bytes) -> str:
    """Return standard Base64 with padding."""
    return base64.b64encode(raw).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Read standard Base64; NoteError unless it is exactly what `encode_base64` writes."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise NoteError("a text is not Base64") from None
    if encode_base64(raw) != text:
        raise NoteError("a text is not Base64 in its one canonical spelling")
    return raw
