"""A witness: it cosigns the checkpoints of logs that only ever grow, as at c2sp.org/tlog-witness.

The profile kept here, with examples, is docs/formats/witness.md. Nothing in here speaks HTTP:
`witness_server` does, and a log's side finds the body to post and the reader of the answer here.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

from verification.ledger.checkpoint import Checkpoint, parse_checkpoint
from verification.ledger.errors import NoteError, ProofError, SignatureError, WitnessError
from verification.ledger.keys import (
    SignatureType,
    SigningKey,
    VerifierKey,
    decode_base64,
    encode_base64,
)
from verification.ledger.merkle import EMPTY_ROOT, HASH_BYTES
from verification.ledger.note import Note, SignatureLine, parse_note, sign_note, verify_note
from verification.ledger.proofs import verify_consistency

MAX_BODY_BYTES = 64 * 1024
MAX_PROOF_LINES = 63
TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"

_SIZE = re.compile("0|[1-9][0-9]{0,18}")
_BEFORE = "x\n"


class Store(Protocol):
    """A witness's memory: the last note it cosigned of each origin, with its cosignature."""

    def locked(self) -> AbstractContextManager[None]:
        """Let one thread of one process at a time into the block."""

    def load(self, origin: str) -> bytes | None:
        """Return what was saved last; None if nothing ever was. WitnessError if it is lost."""

    def save(self, origin: str, note: bytes) -> None:
        """Replace it, whole or not at all, and return when a power cut cannot undo it."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the note of a checkpoint, and the proof that it continues that of `old_size`."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer over HTTP."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT


def add_checkpoint_request(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Return the body to post to a witness; NoteError if every witness would refuse its form.

    `old_size` is that of the last checkpoint which the witness cosigned, 0 if there is none or
    it is not known: a witness that knows better answers 409 with the size (`parse_size`).
    """
    lines = (f"old {old_size}", *map(encode_base64, proof))
    body = "".join(f"{line}\n" for line in lines).encode() + b"\n" + note
    parse_add_checkpoint(body)
    return body


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read a request's body, at most MAX_BODY_BYTES, checking its form; NoteError."""
    if len(body) > MAX_BODY_BYTES:
        raise NoteError(f"a request is longer than {MAX_BODY_BYTES} bytes")
    head, _, note = body.partition(b"\n\n")
    if not head.isascii():
        raise NoteError("a request begins with an old size and a proof, in ASCII")
    old, *hashes = head.decode("ascii").split("\n")
    word, _, size = old.partition(" ")
    if word != "old" or len(hashes) > MAX_PROOF_LINES:
        raise NoteError(f"a request is an old size, at most {MAX_PROOF_LINES} hashes and a note")
    proof = tuple(map(decode_base64, hashes))
    if any(len(each) != HASH_BYTES for each in proof):
        raise NoteError(f"a hash has {HASH_BYTES} bytes")
    return AddCheckpoint(parse_size(size), proof, parse_note(note))


def parse_size(text: str) -> int:
    """Read a size in decimal without leading zeros, as it also stands in a 409; NoteError."""
    if not _SIZE.fullmatch(text):
        raise NoteError("a size is a decimal number without leading zeros")
    return int(text)


def parse_cosignatures(raw: bytes) -> tuple[SignatureLine, ...]:
    """Read the lines that a witness answered with; NoteError if they are anything else.

    None is verified yet: put them under the checkpoint's note, and open that.
    """
    note = parse_note(f"{_BEFORE}\n".encode() + raw)
    if note.text != _BEFORE:
        raise NoteError("a witness answers with lines of signatures and nothing else")
    return note.signatures


@dataclass(frozen=True, slots=True)
class _Last:
    """What was cosigned last, and when."""

    checkpoint: Checkpoint | None
    time_s: int

    @property
    def size(self) -> int:
        return self.checkpoint.size if self.checkpoint else 0

    @property
    def root(self) -> bytes:
        return self.checkpoint.root if self.checkpoint else EMPTY_ROOT


class _RefusedError(Exception):
    """A request is answered with something else than a cosignature."""

    def __init__(self, status: HTTPStatus, why: str, content_type: str = TEXT) -> None:
        super().__init__(why)
        self.response = Response(status, f"{why}\n".encode(), content_type)


@dataclass(frozen=True, slots=True)
class Witness:
    """Cosigns with `key` (type COSIGNATURE) what the logs of `log_keys` (type NOTE) sign.

    A log's origin is its key's name; several keys of one name allow for rotation. `clock` tells
    Unix seconds.
    """

    key: SigningKey
    log_keys: Collection[VerifierKey]
    store: Store
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        """Refuse keys that are meant for another use."""
        if self.key.type is not SignatureType.COSIGNATURE:
            raise NoteError("a witness signs with a key of type cosignature")
        if any(each.type is not SignatureType.NOTE for each in self.log_keys):
            raise NoteError("a log signs with a key of type note")

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the names of the logs, each once, in the order given."""
        return tuple(dict.fromkeys(each.name for each in self.log_keys))

    def add_checkpoint(self, body: bytes) -> Response:
        """Cosign the checkpoint in a request's body, or say why not; may be repeated.

        What is cosigned is saved before this returns. WitnessError and OSError: the memory or
        the clock is not fit to cosign with, and nothing was.
        """
        try:
            line = self._cosign(parse_add_checkpoint(body))
        except _RefusedError as refused:
            return refused.response
        except NoteError as error:
            return Response(HTTPStatus.BAD_REQUEST, f"{error}\n".encode())
        return Response(HTTPStatus.OK, f"{line}\n".encode())

    def published(self, origin_sha256: str) -> Response:
        """Return the last note cosigned of the log whose origin has this SHA-256, or a 404."""
        for origin in self.origins:
            note = self.store.load(origin) if _sha256(origin) == origin_sha256 else None
            if note is not None:
                return Response(HTTPStatus.OK, note)
        return Response(HTTPStatus.NOT_FOUND, b"no checkpoint of that log was cosigned\n")

    def status(self) -> str:
        """Return for people: the vkey, then each origin, its size and when that was cosigned.

        WitnessError if any part of the memory is damaged.
        """
        lines = [str(self.key.verifier)]
        for origin in self.origins:
            last = self._last(origin)
            time = datetime.fromtimestamp(last.time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            lines.append(f"{origin} {last.size} {time if last.checkpoint else 'never'}")
        return "".join(f"{line}\n" for line in lines)

    def _cosign(self, asked: AddCheckpoint) -> SignatureLine:
        origin = asked.note.text.partition("\n")[0]
        note = self._signed_by_log(origin, asked.note)
        checkpoint = _checkpoint(note.text)
        if asked.old_size > checkpoint.size:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "the old size is above the checkpoint's")
        with self.store.locked():
            last = self._last(origin)
            _check_growth(asked, last, checkpoint)
            cosigned = sign_note(note, self.key, time_s=self._now(last))
            self.store.save(origin, cosigned.to_bytes())
        return cosigned.signatures[-1]

    def _signed_by_log(self, origin: str, note: Note) -> Note:
        """Return the note with the lines of the log's keys alone, each of which verified."""
        keys = [each for each in self.log_keys if each.name == origin]
        if not keys:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "the log is not known here")
        try:
            verify_note(note, keys)
        except SignatureError as error:
            raise _RefusedError(HTTPStatus.FORBIDDEN, str(error)) from None
        ids = {each.key_id for each in keys}
        lines = (each for each in note.signatures if each.name == origin and each.key_id in ids)
        return Note(note.text, tuple(dict.fromkeys(lines)))

    def _last(self, origin: str) -> _Last:
        raw = self.store.load(origin)
        if raw is None:
            return _Last(None, 1)  # the time of a cosignature must not be zero
        try:
            note = parse_note(raw)
            (mine,) = verify_note(note, [self.key.verifier])
            checkpoint = parse_checkpoint(note.text)
        except NoteError as error:
            raise WitnessError(f"the memory of {origin} is damaged: {error}") from None
        if checkpoint.origin != origin or mine.time_s is None:
            raise WitnessError(f"the memory of {origin} is that of another log")
        return _Last(checkpoint, mine.time_s)

    def _now(self, last: _Last) -> int:
        """Return the time to cosign at; to go back would contradict what was signed before."""
        time_s = int(self.clock())
        if time_s < last.time_s:
            raise WitnessError("the clock is behind the last cosignature")
        return time_s


def _checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint; refuse with 422 one whose only fault is the root of its empty tree."""
    try:
        return parse_checkpoint(text)
    except NoteError:
        before, _, after = text.partition("\n0\n")
        parse_checkpoint(f"{before}\n1\n{after}")
        why = "the empty tree has but one root"
        raise _RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, why) from None


def _check_growth(asked: AddCheckpoint, last: _Last, checkpoint: Checkpoint) -> None:
    if asked.old_size != last.size:
        raise _RefusedError(HTTPStatus.CONFLICT, str(last.size), SIZE)
    try:
        verify_consistency(
            old_size=last.size,
            new_size=checkpoint.size,
            proof=asked.proof,
            old_root=last.root,
            new_root=checkpoint.root,
        )
    except ProofError as error:
        grown = f"{checkpoint.origin} from size {last.size} to {checkpoint.size}"
        raise _RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{grown}: {error}") from None


def _sha256(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()
