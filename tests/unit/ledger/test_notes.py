"""Keys and signed notes keep to c2sp.org/signed-note, and to nothing looser."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.samples import (
    COSIGNED_AT_S,
    LOG,
    ORIGIN,
    STRANGER,
    WITNESS,
    bad_notes,
    good_notes,
)
from verification.ledger.errors import NoteError, SignatureError
from verification.ledger.keys import SignatureType, SigningKey, VerifierKey, parse_vkey
from verification.ledger.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    MAX_TIMESTAMP,
    Note,
    SignatureLine,
    parse_note,
    sign_note,
    verify_note,
)

KNOWN = (LOG.verifier, WITNESS.verifier)
TEXT = "a text\n"

# The example of c2sp.org/signed-note: key and note.
PUBLISHED_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
PUBLISHED_NOTE = (
    "This is an example message.\n\n\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def _signed_by(note: Note, *keys: VerifierKey) -> list[str]:
    return [each.key.name for each in verify_note(note, keys)]


def test_the_published_example_verifies() -> None:
    key = parse_vkey(PUBLISHED_VKEY)
    note = parse_note(PUBLISHED_NOTE.encode())
    assert str(key) == PUBLISHED_VKEY
    assert note.text == "This is an example message.\n"
    assert note.to_bytes() == PUBLISHED_NOTE.encode()
    assert _signed_by(note, key) == ["example.com/foo"]


@pytest.mark.parametrize("key", [LOG, WITNESS, STRANGER])
def test_a_key_is_read_back_from_its_text(key: SigningKey) -> None:
    assert parse_vkey(str(key.verifier)) == key.verifier


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/foo",
        PUBLISHED_VKEY.replace("530d903a", "530d903b"),
        PUBLISHED_VKEY.replace("530d903a", "530D903A"),
        PUBLISHED_VKEY.replace("530d903a", "530d903"),
        PUBLISHED_VKEY.replace("530d903a", " 30d903a"),
        PUBLISHED_VKEY.replace("foo", "bar"),
        PUBLISHED_VKEY.replace("foo", ""),
        PUBLISHED_VKEY.replace("foo", "f o"),
        PUBLISHED_VKEY + "\n",
        PUBLISHED_VKEY[:-4],
        PUBLISHED_VKEY.replace("Aeky", "Auky"),
        PUBLISHED_VKEY.replace("Aeky", "A\u00e9ky"),
        "example.com/foo+530d903a+",
    ],
)
def test_a_text_that_is_no_known_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_vkey(text)


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\nb", "a\tb", "\ud800"]
)
def test_a_name_that_no_line_can_carry_is_refused(name: str) -> None:
    with pytest.raises(NoteError):
        SigningKey(name, SignatureType.NOTE, b"s" * 32)
    with pytest.raises(NoteError):
        VerifierKey(name, SignatureType.NOTE, b"p" * 32)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(NoteError, match="32 bytes"):
        SigningKey(ORIGIN, SignatureType.NOTE, b"s" * length)
    with pytest.raises(NoteError, match="32 bytes"):
        VerifierKey(ORIGIN, SignatureType.NOTE, b"p" * length)


def test_a_seed_is_in_no_repr() -> None:
    assert "lll" not in repr(LOG)
    assert "lll" not in str(LOG)


def test_a_key_id_separates_types_and_names() -> None:
    public = LOG.verifier.public
    keys = {
        VerifierKey(name, kind, public).key_id
        for name in ("a.example", "b.example")
        for kind in SignatureType
    }
    assert len(keys) == 4


@pytest.mark.parametrize("name", good_notes())
def test_a_good_note_is_read_as_it_was_written(name: str) -> None:
    raw = good_notes()[name]
    assert parse_note(raw).to_bytes() == raw
    assert ORIGIN in _signed_by(parse_note(raw), *KNOWN)


@pytest.mark.parametrize("name", bad_notes())
def test_a_bad_note_is_refused(name: str) -> None:
    with pytest.raises(NoteError):
        verify_note(parse_note(bad_notes()[name]), KNOWN)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_breaks_a_note(at: int, bit: int) -> None:
    raw = bytearray(good_notes()["plain"])
    raw[at % len(raw)] ^= 1 << bit
    with pytest.raises(NoteError):
        verify_note(parse_note(bytes(raw)), KNOWN)


@given(raw=st.binary(max_size=60) | st.text("\u2014 a=\n+A", max_size=40))
def test_no_bytes_end_in_another_error(raw: bytes | str) -> None:
    given_bytes = raw if isinstance(raw, bytes) else raw.encode()
    with contextlib.suppress(NoteError):
        assert parse_note(given_bytes).to_bytes() == given_bytes


@given(text=st.text(max_size=40))
def test_a_text_is_signed_exactly_or_not_at_all(text: str) -> None:
    try:
        note = sign_note(Note(text + "\n", ()), LOG)
    except NoteError:
        assert any(ord(each) < 0x20 and each != "\n" for each in text)
        return
    assert parse_note(note.to_bytes()) == note
    assert _signed_by(note, LOG.verifier) == [ORIGIN]


def test_a_text_holds_blank_lines_and_even_what_looks_like_a_signature() -> None:
    inner = sign_note(Note(TEXT, ()), STRANGER).to_bytes().decode()
    note = parse_note(sign_note(Note(inner + "\n\n", ()), LOG).to_bytes())
    assert note.text == inner + "\n\n"
    assert _signed_by(note, LOG.verifier, STRANGER.verifier) == [ORIGIN]


def test_signatures_stand_in_the_order_of_signing_each_key_once() -> None:
    note = sign_note(sign_note(Note(TEXT, ()), LOG), STRANGER)
    assert _signed_by(note, STRANGER.verifier, LOG.verifier) == [LOG.name, STRANGER.name]
    again = sign_note(note, LOG)
    assert [line.name for line in again.signatures] == [STRANGER.name, LOG.name]
    twice = Note(TEXT, (*note.signatures, note.signatures[0]))
    assert _signed_by(twice, *KNOWN) == [LOG.name]


def test_lines_of_unknown_keys_are_ignored_even_with_a_known_name_or_id() -> None:
    note = sign_note(Note(TEXT, ()), LOG)
    known = note.signatures[0]
    same_name = SignatureLine(known.name, b"\0\0\0\1", b"x")
    same_id = SignatureLine("other.example", known.key_id, b"x")
    mixed = parse_note(Note(TEXT, (same_name, same_id, known)).to_bytes())
    assert _signed_by(mixed, *KNOWN) == [LOG.name]
    with pytest.raises(SignatureError, match="no trusted key"):
        verify_note(Note(TEXT, (same_name, same_id)), KNOWN)
    with pytest.raises(SignatureError, match="no trusted key"):
        verify_note(note, ())


@pytest.mark.parametrize("signature", [b"x", b"x" * 63, b"x" * 64, b"x" * 65])
def test_a_wrong_signature_of_a_known_key_spoils_the_note(signature: bytes) -> None:
    note = sign_note(Note(TEXT, ()), LOG)
    wrong = SignatureLine(STRANGER.name, STRANGER.verifier.key_id, signature)
    second = SignatureLine(LOG.name, LOG.verifier.key_id, signature)
    for spoiled in (Note(TEXT, (*note.signatures, wrong)), Note(TEXT, (*note.signatures, second))):
        with pytest.raises(SignatureError, match="trusted key's"):
            verify_note(spoiled, (LOG.verifier, STRANGER.verifier))


def test_a_cosignature_says_when() -> None:
    note = sign_note(Note(TEXT, ()), WITNESS, time_s=COSIGNED_AT_S)
    (verified,) = verify_note(note, KNOWN)
    assert (verified.key, verified.time_s) == (WITNESS.verifier, COSIGNED_AT_S)
    assert note.signatures[0].signature[:8] == COSIGNED_AT_S.to_bytes(8, "big")


@pytest.mark.parametrize("time_s", [0, MAX_TIMESTAMP])
def test_the_first_and_the_last_second_can_be_cosigned(time_s: int) -> None:
    note = sign_note(Note(TEXT, ()), WITNESS, time_s=time_s)
    assert verify_note(note, KNOWN)[0].time_s == time_s


@pytest.mark.parametrize("time_s", [-1, MAX_TIMESTAMP + 1])
def test_no_other_second_can(time_s: int) -> None:
    with pytest.raises(NoteError, match="time"):
        sign_note(Note(TEXT, ()), WITNESS, time_s=time_s)


def test_a_time_beyond_the_last_second_is_refused_when_read() -> None:
    stamp = (MAX_TIMESTAMP + 1).to_bytes(8, "big")
    header = f"cosignature/v1\ntime {MAX_TIMESTAMP + 1}\n{TEXT}".encode()
    line = SignatureLine(WITNESS.name, WITNESS.verifier.key_id, stamp + WITNESS.sign(header))
    with pytest.raises(SignatureError, match="shape"):
        verify_note(Note(TEXT, (line,)), KNOWN)


def test_only_a_cosignature_has_a_time() -> None:
    with pytest.raises(NoteError, match="only a cosignature"):
        sign_note(Note(TEXT, ()), WITNESS)
    with pytest.raises(NoteError, match="only a cosignature"):
        sign_note(Note(TEXT, ()), LOG, time_s=COSIGNED_AT_S)


def test_sixteen_signatures_are_read_and_a_hundred_but_no_more() -> None:
    line = SignatureLine("a.example", b"\0\0\0\1", b"x" * 5000)
    for count in (16, MAX_SIGNATURES):
        raw = Note(TEXT, (line,) * count).to_bytes()
        assert len(parse_note(raw).signatures) == count
    with pytest.raises(NoteError, match="100 signatures"):
        Note(TEXT, (line,) * (MAX_SIGNATURES + 1)).to_bytes()


def test_the_length_of_a_note_is_bounded() -> None:
    with pytest.raises(NoteError, match="longer"):
        parse_note(b"x" * (MAX_NOTE_BYTES + 1))


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "\ud800\n", "\0\n"])
def test_a_text_that_no_note_can_hold_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Note(text, ())


def test_a_line_that_would_be_read_as_another_is_not_written() -> None:
    forged = SignatureLine("a.example AAAA\n\u2014 b.example", b"\0\0\0\1", b"x")
    empty = SignatureLine("a.example", b"\0\0\0\1", b"")
    for lines in ((forged,), (empty,), (), (SignatureLine("a.example", b"\0\0\1", b"xyz"),)):
        with pytest.raises(NoteError):
            Note(TEXT, lines).to_bytes()


def test_base64_has_one_spelling() -> None:
    note = good_notes()["cosigned"].decode()
    encoded = note.split()[-1]
    assert encoded.endswith("==")
    other = encoded[:-3] + chr(ord(encoded[-3]) + 1) + "=="
    assert base64.b64decode(other) == base64.b64decode(encoded)
    with pytest.raises(NoteError, match="canonical"):
        parse_note(note.replace(encoded, other).encode())
