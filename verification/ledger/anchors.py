"""Anchor files: signed checkpoints kept outside the database, one after the other.

The format is docs/formats/checkpoint.md, "Anchor file". A database can be rewritten as a whole;
what was copied elsewhere before cannot.
"""

from verification.ledger.errors import NoteError
from verification.ledger.note import parse_note

_GAP = b"\n\n"
_SIGNATURES = "\u2014 ".encode()  # an em dash


def anchor(note: bytes) -> bytes:
    """Return what to append to an anchor file for one signed checkpoint."""
    return note + b"\n"


def read_anchors(content: bytes) -> list[bytes]:
    """Return the signed notes of an anchor file, oldest first; none of an empty one.

    A single signed note is an anchor file, too. A last one that was cut short, as a crash in
    mid-append leaves it, is passed over; NoteError for anything else that is not a note.
    """
    blocks = _blocks(content)
    if len(blocks) % 2:
        raise NoteError("an anchor file holds signed notes with an empty line after each")
    texts, lines = blocks[::2], blocks[1::2]
    notes = [text + _GAP + each + b"\n" for text, each in zip(texts, lines, strict=True)]
    for note in notes:
        parse_note(note)
    return notes


def last_anchor(tail: bytes) -> bytes | None:
    """Return the newest signed note of a file's end, None if none stands there whole.

    `tail` may begin anywhere. NoteError if what ends it is not a note.
    """
    newest = _blocks(tail.lstrip(b"\n"))[-2:]
    notes = read_anchors(_GAP.join(newest) + b"\n")
    return notes[-1] if notes else None


def _blocks(content: bytes) -> list[bytes]:
    """Return texts and their lines of signatures in turn, up to the last whole ones."""
    whole = content + b"\n" if content.endswith(b"\n") else content
    blocks = whole.split(_GAP)[:-1]
    while blocks and not blocks[-1].startswith(_SIGNATURES):
        blocks.pop()
    return blocks
