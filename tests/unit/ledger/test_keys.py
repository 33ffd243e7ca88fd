"""A signing key's text is that of Go's sumdb/note, and says nothing of itself when refused."""

import re
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.samples import LOG, STRANGER, WITNESS
from verification.ledger.errors import NoteError
from verification.ledger.keys import (
    SignatureType,
    SigningKey,
    encode_base64,
    new_signing_key,
    parse_skey,
    parse_vkey,
    skey_text,
)
from verification.ledger.note import Note, sign_note

# What note.NewSigner of golang.org/x/mod takes for the log's key; its verifier is Go's vkey, too.
GO_SKEY = "PRIVATE+KEY+log.example/attempts+ad5a1bbf+AWxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxs"
SECRET = GO_SKEY.rpartition("+")[2]
# What that signer, version 0.7.0, then made of the text "hello" and a newline.
GO_NOTE = (
    "hello\n\n\u2014 log.example/attempts "
    "rVobv06IwwV8RQbDpREMxWxfYCD6NyqEiwhxwK4cR+U+nRi2gJI72o2piNxGjehOKVesWtjWddHRXXi4OosbGmV57g4=\n"
)
PAGE = Path(__file__).resolve().parents[3] / "docs/formats/checkpoint.md"


def test_the_text_is_the_one_that_go_takes() -> None:
    assert skey_text(LOG) == GO_SKEY
    assert parse_skey(GO_SKEY) == LOG
    assert sign_note(Note("hello\n", ()), parse_skey(GO_SKEY)).to_bytes().decode() == GO_NOTE


def test_the_page_shows_that_text() -> None:
    assert re.findall(r"`(PRIVATE\+KEY\+\S+)`", PAGE.read_text()) == [GO_SKEY]


@pytest.mark.parametrize("key", [LOG, WITNESS, STRANGER])
def test_a_signing_key_is_read_back_from_its_text(key: SigningKey) -> None:
    assert parse_skey(skey_text(key)) == key


@given(st.binary(min_size=32, max_size=32), st.sampled_from(SignatureType))
def test_a_fresh_key_is_made_of_the_random_bytes_alone(seed: bytes, kind: SignatureType) -> None:
    asked = []

    def random(count: int) -> bytes:
        asked.append(count)
        return seed

    key = new_signing_key("log.example", kind, random)
    assert (key, asked) == (SigningKey("log.example", kind, seed), [32])
    assert parse_skey(skey_text(key)) == key
    assert parse_vkey(str(key.verifier)) == key.verifier


def test_no_two_fresh_keys_are_the_same() -> None:
    keys = {new_signing_key("log.example", SignatureType.NOTE).seed for _ in range(8)}
    assert len(keys) == 8


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_no_fresh_key_has_a_name_that_no_line_can_carry(name: str) -> None:
    with pytest.raises(NoteError):
        new_signing_key(name, SignatureType.NOTE)


def _with_type(kind: int, seed: bytes = LOG.seed) -> str:
    return GO_SKEY.replace(SECRET, encode_base64(bytes([kind]) + seed))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PRIVATE+KEY+",
        GO_SKEY.removeprefix("PRIVATE+KEY+"),
        GO_SKEY.lower(),
        "PRIVATE+KEY+" + GO_SKEY,
        " " + GO_SKEY,
        GO_SKEY + "\n",
        GO_SKEY + "+",
        GO_SKEY[:-4],
        GO_SKEY[:-1] + "t",
        GO_SKEY.replace("ad5a1bbf", "ad5a1bbe"),
        GO_SKEY.replace("ad5a1bbf", "AD5A1BBF"),
        GO_SKEY.replace("ad5a1bbf", "ad5a1bb"),
        GO_SKEY.replace("attempts", "other"),
        GO_SKEY.replace("log.example/attempts", ""),
        GO_SKEY.replace("log.example", "log example"),
        GO_SKEY.replace("log.example", "log\u00e9xample"),
        GO_SKEY.replace("AWxs", "\u0391Wxs"),
        _with_type(0x00),
        _with_type(0x02),
        _with_type(0x04),
        _with_type(0x01, b"l" * 31),
        _with_type(0x01, b"l" * 33),
        _with_type(0x01, b""),
        str(LOG.verifier),
    ],
)
def test_what_is_no_signing_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(NoteError) as caught:
        parse_skey(text)
    shown = "".join(traceback.format_exception_only(caught.value)) + repr(caught.value)
    assert "bGxs" not in shown
    assert caught.value.__cause__ is None


@given(st.text(max_size=60).map("PRIVATE+KEY+log.example".__add__) | st.text(max_size=60))
def test_no_text_ends_in_another_error(text: str) -> None:
    with pytest.raises(NoteError):
        parse_skey(text)


def test_a_secret_is_in_no_repr() -> None:
    assert "bGxs" not in f"{LOG!r} {LOG}"
    assert "lll" not in f"{LOG!r} {LOG}"
