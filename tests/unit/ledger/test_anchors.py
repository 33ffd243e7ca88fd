"""Anchor files, whole and cut."""

import pytest

from verification.ledger.anchors import anchor, last_anchor, read_anchors
from verification.ledger.checkpoint import Checkpoint, sign_checkpoint
from verification.ledger.errors import NoteError
from verification.ledger.keys import SignatureType, SigningKey
from verification.ledger.merkle import Frontier, leaf_hash

KEY = SigningKey("log.example", SignatureType.NOTE, b"l" * 32)


def note(size: int) -> bytes:
    """Return a signed checkpoint of a tree of some size."""
    tree = Frontier.empty().extend([leaf_hash(b"%d" % each) for each in range(size)])
    return sign_checkpoint(Checkpoint(KEY.name, size, tree.root()), KEY)


NOTES = [note(size) for size in range(4)]
FILE = b"".join(map(anchor, NOTES))


def test_a_file_is_read_as_it_was_appended() -> None:
    assert read_anchors(FILE) == NOTES
    assert last_anchor(FILE) == NOTES[-1]
    assert read_anchors(b"") == []
    assert last_anchor(b"") is None


def test_a_single_note_is_an_anchor_file() -> None:
    assert read_anchors(NOTES[2]) == [NOTES[2]]


def test_a_file_that_was_cut_short_holds_what_is_whole() -> None:
    for cut in range(len(FILE)):
        whole = read_anchors(FILE[:cut])
        assert whole == NOTES[: len(whole)]
        assert last_anchor(FILE[:cut]) == (whole[-1] if whole else None)


def test_the_end_of_a_file_is_enough_for_the_newest() -> None:
    for start in range(len(FILE) - len(NOTES[-1]) - 1):
        assert last_anchor(FILE[start:]) == NOTES[-1]


@pytest.mark.parametrize(
    "content",
    [
        b"text\n\n\xe2\x80\x94 no signature\n\n",
        NOTES[1] + b"\nstray text\n\n" + anchor(NOTES[2]),
        FILE.replace(b"log.example\n", b"log.exam\x00ple\n", 1),
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(NoteError):
        read_anchors(content)
