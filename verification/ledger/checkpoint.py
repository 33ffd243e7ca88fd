"""Checkpoints: a signed note that fixes a log's size and root, as at c2sp.org/tlog-checkpoint.

The profile kept here, with vectors, is docs/formats/checkpoint.md. The log signs under its
origin; witnesses add cosignatures (c2sp.org/tlog-cosignature), which also say when.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from verification.ledger.errors import NoteError, SignatureError
from verification.ledger.keys import (
    SignatureType,
    SigningKey,
    VerifierKey,
    check_name,
    check_text,
    decode_base64,
    encode_base64,
)
from verification.ledger.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE
from verification.ledger.note import Note, parse_note, sign_note, verify_note

_SIZE = re.compile("0|[1-9][0-9]{0,18}")
_FIXED_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of the log `origin` at `size` entries: its root hash (32 bytes).

    `extensions` are further lines, opaque and not empty. They are signed, but no proof covers
    them: do not rely on them. NoteError if a field cannot stand in a checkpoint.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would be read as something else, or as nothing."""
        check_name(self.origin)
        for line in self.extensions:
            check_text(line)
        if not 0 <= self.size <= MAX_SIZE:
            raise NoteError("a checkpoint's size lies between 0 and 2**63 - 1")
        if len(self.root) != HASH_BYTES:
            raise NoteError(f"a checkpoint's root has {HASH_BYTES} bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise NoteError("the empty tree has but one root")
        if any(not line or "\n" in line for line in self.extensions):
            raise NoteError("an extension is one line and not empty")

    def text(self) -> str:
        """Return the note's text."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A trusted witness and when, by its own clock, it cosigned (Unix seconds)."""

    witness: VerifierKey
    time_s: int


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint that its log did sign, and the trusted witnesses that cosigned it."""

    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...]


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a note's text as a checkpoint; NoteError unless it is exactly one."""
    *lines, after = text.split("\n")
    if after or len(lines) < _FIXED_LINES:
        raise NoteError("a checkpoint is at least three lines, each with its newline")
    origin, size, root, *extensions = lines
    if not _SIZE.fullmatch(size):
        raise NoteError("a checkpoint's size is a decimal number without leading zeros")
    return Checkpoint(origin, int(size), decode_base64(root), tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> bytes:
    """Return the checkpoint as a note signed by its log, whose key bears the origin's name."""
    if (key.type, key.name) != (SignatureType.NOTE, checkpoint.origin):
        raise NoteError("a checkpoint is signed by a note key named as its origin")
    return sign_note(Note(checkpoint.text(), ()), key).to_bytes()


def cosign(raw: bytes, witness: SigningKey, *, time_s: int) -> bytes:
    """Return a signed checkpoint with the witness's cosignature of `time_s` added.

    An earlier one of the same witness is replaced. What the witness must have checked before
    (the log's signature, and consistency with what it saw last) is its own duty. NoteError if
    `raw` is not a checkpoint, or the key not of the type for it.
    """
    note = parse_note(raw)
    parse_checkpoint(note.text)
    return sign_note(note, witness, time_s=time_s).to_bytes()


def open_checkpoint(
    raw: bytes, *, log_keys: Collection[VerifierKey], witnesses: Collection[VerifierKey] = ()
) -> OpenedCheckpoint:
    """Return a checkpoint that can be believed: one of `log_keys` signed it, under its origin.

    `log_keys` are of type NOTE, several allow for rotation; `witnesses` of type COSIGNATURE, and
    how many of them are enough is the caller's policy. NoteError if the bytes are malformed;
    SignatureError if no log key signed, if the signing key's name is not the origin, or if the
    signature of any trusted key is wrong.
    """
    note = parse_note(raw)
    checkpoint = parse_checkpoint(note.text)
    verified = verify_note(note, (*log_keys, *witnesses))
    signers = [each.key for each in verified if each.key in log_keys and each.time_s is None]
    if checkpoint.origin not in (key.name for key in signers):
        raise SignatureError("no trusted key of the log has signed the checkpoint")
    cosignatures = tuple(
        Cosignature(each.key, each.time_s)
        for each in verified
        if each.key in witnesses and each.time_s is not None
    )
    return OpenedCheckpoint(checkpoint, cosignatures)
