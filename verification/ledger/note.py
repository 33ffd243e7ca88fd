"""Signed notes and their Ed25519 keys, as specified at c2sp.org/signed-note (v1.0.0).

A note is text, a blank line, and signature lines. Signatures of two types are known: 0x01 signs
the text, 0x04 (c2sp.org/tlog-cosignature) signs a time and the text. The profile kept here, with
vectors, is docs/formats/checkpoint.md.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from verification.ledger.errors import NoteError, SignatureError
from verification.ledger.keys import (
    KEY_ID_BYTES,
    SignatureType,
    SigningKey,
    VerifierKey,
    check_name,
    check_text,
    decode_base64,
    encode_base64,
)

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
MAX_TIMESTAMP = 2**63 - 1
TIMESTAMP_BYTES = 8
SIGNATURE_BYTES = 64

_LINE = re.compile("\u2014 ([^ ]+) ([^ ]+)")


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature under a note, of any type, known or not, checked or not."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        """Return the line without its newline."""
        return f"\u2014 {self.name} {encode_base64(self.key_id + self.signature)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends with a newline, and the signatures under it, in their order."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def __post_init__(self) -> None:
        """Refuse a text that no note can hold."""
        check_text(self.text)
        if not self.text.endswith("\n"):
            raise NoteError("a note's text ends with a newline")

    def to_bytes(self) -> bytes:
        """Return the note as it is published; NoteError if `parse_note` would refuse it."""
        raw = (self.text + "\n" + "".join(f"{line}\n" for line in self.signatures)).encode()
        if parse_note(raw) != self:
            raise NoteError("the note would not be read as it was written")
        return raw


@dataclass(frozen=True, slots=True)
class Verified:
    """A trusted key that did sign; `time_s` (Unix seconds) only for a cosignature."""

    key: VerifierKey
    time_s: int | None


def parse_note(raw: bytes) -> Note:
    """Split a note (at most MAX_NOTE_BYTES, 1 to MAX_SIGNATURES signatures), checking its form.

    No signature is verified: nothing in the result may be believed yet. Raises NoteError.
    """
    if len(raw) > MAX_NOTE_BYTES:
        raise NoteError(f"a note is longer than {MAX_NOTE_BYTES} bytes")
    try:
        content = str(raw, "utf-8")
    except UnicodeDecodeError:
        raise NoteError("a note is UTF-8") from None
    check_text(content)
    text, blank, block = content.rpartition("\n\n")
    if not blank or not block.endswith("\n"):
        raise NoteError("a note is text, a blank line, and lines of signatures")
    lines = block.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"a note has more than {MAX_SIGNATURES} signatures")
    return Note(text + "\n", tuple(map(_parse_line, lines)))


def sign_note(note: Note, key: SigningKey, *, time_s: int | None = None) -> Note:
    """Return the note with this key's signature added last, in place of any it had before.

    A key of type COSIGNATURE needs `time_s`, when it signs, in Unix seconds up to MAX_TIMESTAMP;
    one of type NOTE takes none. Signing the same again gives the same note.
    """
    if (time_s is None) != (key.type is SignatureType.NOTE):
        raise NoteError("a cosignature, and only a cosignature, has a time")
    if time_s is not None and not 0 <= time_s <= MAX_TIMESTAMP:
        raise NoteError("a cosignature's time lies between 0 and 2**63 - 1")
    stamp = b"" if time_s is None else time_s.to_bytes(TIMESTAMP_BYTES, "big")
    signature = stamp + key.sign(_message(note.text, time_s))
    verifier = key.verifier
    line = SignatureLine(verifier.name, verifier.key_id, signature)
    others = (each for each in note.signatures if not _is_by(each, verifier))
    return Note(note.text, (*others, line))


def verify_note(note: Note, keys: Collection[VerifierKey]) -> tuple[Verified, ...]:
    """Return which of the trusted `keys` signed, in the order of their lines, each once.

    Lines of other keys are ignored. SignatureError if none of `keys` signed, or if a line that
    bears the name and id of one of them does not verify: then the note was tampered with.
    """
    verified: dict[VerifierKey, Verified] = {}
    for line in note.signatures:
        for key in keys:
            if _is_by(line, key):
                verified.setdefault(key, _verify_line(note.text, line, key))
    if not verified:
        raise SignatureError("no trusted key has signed the note")
    return tuple(verified.values())


def _parse_line(line: str) -> SignatureLine:
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise NoteError("a signature line is an em dash, a name and Base64")
    name, encoded = parts.groups()
    check_name(name)
    signature = decode_base64(encoded)
    if len(signature) <= KEY_ID_BYTES:
        raise NoteError("a signature is a key id and at least one byte")
    return SignatureLine(name, signature[:KEY_ID_BYTES], signature[KEY_ID_BYTES:])


def _is_by(line: SignatureLine, key: VerifierKey) -> bool:
    return (line.name, line.key_id) == (key.name, key.key_id)


def _verify_line(text: str, line: SignatureLine, key: VerifierKey) -> Verified:
    stamp_bytes = 0 if key.type is SignatureType.NOTE else TIMESTAMP_BYTES
    stamp, signature = line.signature[:stamp_bytes], line.signature[stamp_bytes:]
    time_s = int.from_bytes(stamp, "big") if stamp_bytes else None
    if len(signature) != SIGNATURE_BYTES or (time_s or 0) > MAX_TIMESTAMP:
        raise SignatureError("a trusted key's signature is not of the shape of its type")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, _message(text, time_s))
    except InvalidSignature:
        raise SignatureError("a trusted key's signature does not verify") from None
    return Verified(key, time_s)


def _message(text: str, time_s: int | None) -> bytes:
    """Return what is signed: the text, for a cosignature under a header that dates it."""
    header = "" if time_s is None else f"cosignature/v1\ntime {time_s}\n"
    return (header + text).encode()
