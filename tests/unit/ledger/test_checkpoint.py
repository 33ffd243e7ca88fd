"""Checkpoints keep to c2sp.org/tlog-checkpoint; cosignatures to c2sp.org/tlog-cosignature."""

import hashlib
from typing import Any

import pytest

from tests.unit.ledger.samples import (
    COSIGNED_AT_S,
    LOG,
    ORIGIN,
    STRANGER,
    VECTORS,
    WITNESS,
    Tree,
    bad_notes,
    good_notes,
    ours,
    vector,
)
from verification.ledger.checkpoint import (
    Checkpoint,
    Cosignature,
    cosign,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from verification.ledger.errors import NoteError, SignatureError
from verification.ledger.keys import SignatureType, SigningKey, parse_vkey
from verification.ledger.merkle import EMPTY_ROOT, MAX_SIZE, leaf_hash
from verification.ledger.note import Note, SignatureLine, parse_note, sign_note, verify_note

ROOT = leaf_hash(b"one")
CHECKPOINT = Checkpoint(ORIGIN, 1, ROOT)
KEYS = {ORIGIN: LOG, WITNESS.name: WITNESS, STRANGER.name: STRANGER}

# The example of c2sp.org/tlog-cosignature. Its keys are not published, its form is.
PUBLISHED = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
    "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJs"
    "X3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def test_the_published_example_is_read() -> None:
    note = parse_note(PUBLISHED.encode())
    checkpoint = parse_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text() == note.text
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1679315147
    assert note.to_bytes() == PUBLISHED.encode()


@pytest.mark.parametrize("case", vector("go_note.json")["signed"])
def test_a_note_that_go_signed_is_ours_byte_for_byte(case: dict[str, Any]) -> None:
    note = Note(case["text"], ())
    for name in case["signers"]:
        time_s = COSIGNED_AT_S if name == WITNESS.name else None
        note = sign_note(note, KEYS[name], time_s=time_s)
    assert note.to_bytes().decode() == case["note"]
    opened = open_checkpoint(
        case["note"].encode(), log_keys=[LOG.verifier], witnesses=[WITNESS.verifier]
    )
    assert opened.checkpoint.text() == case["text"]
    assert len(opened.cosignatures) == case["signers"].count(WITNESS.name)


def test_the_keys_are_written_as_go_writes_them() -> None:
    known = vector("go_note.json")
    assert parse_vkey(known["log_vkey"]) == LOG.verifier
    assert parse_vkey(known["witness_vkey"]) == WITNESS.verifier


def test_what_go_judged_is_what_we_make_today() -> None:
    assert vector("ours.json") == ours()
    digest = hashlib.sha256((VECTORS / "ours.json").read_bytes()).hexdigest()
    assert vector("go_accepted.json")["ours_sha256"] == digest


def test_go_opens_the_same_notes_for_the_same_signers() -> None:
    judged = vector("go_accepted.json")
    assert set(judged["opened"]) == set(good_notes())
    assert set(judged["refused"]) == set(bad_notes()) - {"invalid UTF-8"}
    for name, raw in good_notes().items():
        verified = verify_note(parse_note(raw), (LOG.verifier, WITNESS.verifier))
        assert [each.key.name for each in verified] == judged["opened"][name]


def test_go_accepted_every_proof() -> None:
    judged, made = vector("go_accepted.json"), vector("ours.json")
    assert judged["inclusion_accepted"] == len(made["inclusion"]) > 20
    assert judged["consistency_accepted"] == len(made["consistency"]) > 20


def test_a_signed_checkpoint_is_read_back() -> None:
    tree = Tree(9)
    checkpoint = Checkpoint(ORIGIN, 9, tree.frontier.root(), ("an extension",))
    raw = sign_checkpoint(checkpoint, LOG)
    opened = open_checkpoint(raw, log_keys=[LOG.verifier])
    assert (opened.checkpoint, opened.cosignatures) == (checkpoint, ())


@pytest.mark.parametrize(
    ("size", "root"), [(0, EMPTY_ROOT), (1, ROOT), (MAX_SIZE, ROOT)], ids=["empty", "one", "most"]
)
def test_every_size_is_written_and_read(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(ORIGIN, size, root)
    assert parse_checkpoint(checkpoint.text()) == checkpoint


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\n1\n", "\n01\n"),
        ("\n1\n", "\n+1\n"),
        ("\n1\n", "\n-1\n"),
        ("\n1\n", "\n1 \n"),
        ("\n1\n", "\n\n"),
        ("\n1\n", "\n\u0661\n"),
        ("\n1\n", "\n0\n"),
        ("\n1\n", "\n9223372036854775808\n"),
        ("\n1\n", "\n99999999999999999999\n"),
        ("\n1\n", "\n1_0\n"),
        (ORIGIN, ""),
        (ORIGIN, "two words"),
        (ORIGIN, "a+b"),
        ("=\n", "\n"),
        ("=\n", "=\n\n"),
        ("=\n", "=\nline\n\n"),
        ("=\n", "="),
        ("=\n", "=\nno end"),
        ("=\n", "=\ntab\t\n"),
        ("/mStd", "/mStdAAAA"),
        ("/mStd", "_mStd"),
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(before: str, after: str) -> None:
    text = CHECKPOINT.text()
    assert text.count(before) == 1
    with pytest.raises(NoteError):
        parse_checkpoint(text.replace(before, after))


@pytest.mark.parametrize("text", ["", "\n", "a\n", "a\n1\n", f"{ORIGIN}\n1"])
def test_too_few_lines_are_refused(text: str) -> None:
    with pytest.raises(NoteError, match="three lines"):
        parse_checkpoint(text)


@pytest.mark.parametrize("line", ["", "two\nlines", "tab\t", "\ud800"])
def test_an_extension_that_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint(ORIGIN, 1, ROOT, (line,))


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1])
def test_a_size_of_no_tree_is_refused(size: int) -> None:
    with pytest.raises(NoteError, match="size"):
        Checkpoint(ORIGIN, size, ROOT)


def test_a_root_that_the_size_cannot_have_is_refused() -> None:
    with pytest.raises(NoteError, match="32 bytes"):
        Checkpoint(ORIGIN, 1, ROOT[:-1])
    with pytest.raises(NoteError, match="empty tree"):
        Checkpoint(ORIGIN, 0, ROOT)


def test_only_a_note_key_of_the_origin_signs() -> None:
    for key in (STRANGER, SigningKey(ORIGIN, SignatureType.COSIGNATURE, b"l" * 32)):
        with pytest.raises(NoteError, match="note key"):
            sign_checkpoint(CHECKPOINT, key)


def test_a_cosignature_is_found_with_its_time_and_replaced_by_a_newer_one() -> None:
    plain = sign_checkpoint(CHECKPOINT, LOG)
    first = cosign(plain, WITNESS, time_s=COSIGNED_AT_S)
    second = cosign(first, WITNESS, time_s=COSIGNED_AT_S + 60)
    assert first.count(WITNESS.name.encode()) == second.count(WITNESS.name.encode()) == 1
    opened = open_checkpoint(second, log_keys=[LOG.verifier], witnesses=[WITNESS.verifier])
    assert opened.cosignatures == (Cosignature(WITNESS.verifier, COSIGNED_AT_S + 60),)


def test_a_witness_cosigns_checkpoints_only() -> None:
    note = sign_note(Note("a text\n", ()), LOG).to_bytes()
    with pytest.raises(NoteError, match="three lines"):
        cosign(note, WITNESS, time_s=COSIGNED_AT_S)
    with pytest.raises(NoteError, match="only a cosignature"):
        cosign(sign_checkpoint(CHECKPOINT, LOG), STRANGER, time_s=COSIGNED_AT_S)


def test_a_witness_alone_does_not_make_a_checkpoint() -> None:
    note = sign_note(Note(CHECKPOINT.text(), ()), WITNESS, time_s=COSIGNED_AT_S).to_bytes()
    with pytest.raises(SignatureError, match="no trusted key of the log"):
        open_checkpoint(note, log_keys=[LOG.verifier], witnesses=[WITNESS.verifier])


def test_a_trusted_key_does_not_sign_for_another_origin() -> None:
    note = sign_note(Note(CHECKPOINT.text(), ()), STRANGER).to_bytes()
    with pytest.raises(SignatureError, match="no trusted key of the log"):
        open_checkpoint(note, log_keys=[LOG.verifier, STRANGER.verifier])


def test_a_key_of_the_wrong_type_does_not_stand_in() -> None:
    timed = SigningKey(ORIGIN, SignatureType.COSIGNATURE, b"t" * 32)
    raw = sign_note(Note(CHECKPOINT.text(), ()), timed, time_s=COSIGNED_AT_S).to_bytes()
    with pytest.raises(SignatureError, match="no trusted key of the log"):
        open_checkpoint(raw, log_keys=[timed.verifier])
    both = sign_note(parse_note(sign_checkpoint(CHECKPOINT, LOG)), STRANGER).to_bytes()
    opened = open_checkpoint(both, log_keys=[LOG.verifier], witnesses=[STRANGER.verifier])
    assert opened.cosignatures == ()


def test_a_rotated_key_is_accepted_beside_the_old_one() -> None:
    new = SigningKey(ORIGIN, SignatureType.NOTE, b"n" * 32)
    for key in (LOG, new):
        raw = sign_checkpoint(CHECKPOINT, key)
        opened = open_checkpoint(raw, log_keys=[LOG.verifier, new.verifier])
        assert opened.checkpoint == CHECKPOINT
    with pytest.raises(SignatureError):
        open_checkpoint(sign_checkpoint(CHECKPOINT, LOG), log_keys=[new.verifier])


def test_a_wrong_cosignature_of_a_trusted_witness_spoils_the_checkpoint() -> None:
    note = parse_note(sign_checkpoint(CHECKPOINT, LOG))
    wrong = SignatureLine(WITNESS.name, WITNESS.verifier.key_id, b"x" * 72)
    raw = Note(note.text, (*note.signatures, wrong)).to_bytes()
    assert open_checkpoint(raw, log_keys=[LOG.verifier]).checkpoint == CHECKPOINT
    with pytest.raises(SignatureError, match="does not verify"):
        open_checkpoint(raw, log_keys=[LOG.verifier], witnesses=[WITNESS.verifier])
