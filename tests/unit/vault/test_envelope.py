"""Sealed bytes open where they belong, with their key, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.vault.envelope import (
    OVERHEAD_BYTES,
    Place,
    WrappedKey,
    new_key,
    seal,
    unseal,
    unwrap,
    wrap,
)
from verification.vault.errors import SealBrokenError, UnknownKeyError
from verification.vault.keyring import Keyring

HERE = Place("evidence", "attempt-1", "image_best")
RING = Keyring("b", {"a": b"a" * 32, "b": b"b" * 32})


@given(plaintext=st.binary(max_size=2000))
def test_what_was_sealed_opens_again(plaintext: bytes) -> None:
    key = new_key()
    sealed = seal(key, plaintext, HERE)
    assert len(sealed) == len(plaintext) + OVERHEAD_BYTES
    assert unseal(key, sealed, HERE) == plaintext


def test_the_plaintext_does_not_stand_in_the_sealed_bytes() -> None:
    plaintext = b"the same sixteen bytes" * 10
    assert b"sixteen" not in seal(new_key(), plaintext, HERE)


def test_two_seals_of_the_same_bytes_differ() -> None:
    key = new_key()
    assert seal(key, b"x", HERE) != seal(key, b"x", HERE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place("api_key", "attempt-1", "image_best"),
        Place("evidence", "attempt-2", "image_best"),
        Place("evidence", "attempt-1", "video_key"),
        Place("evidence", "attempt-1image", "_best"),
    ],
)
def test_a_seal_moved_elsewhere_does_not_open(elsewhere: Place) -> None:
    key = new_key()
    with pytest.raises(SealBrokenError):
        unseal(key, seal(key, b"face", HERE), elsewhere)


@given(position=st.integers(0, OVERHEAD_BYTES + 3), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_breaks_the_seal(position: int, bit: int) -> None:
    key = new_key()
    sealed = bytearray(seal(key, b"face", HERE))
    sealed[position] ^= 1 << bit
    with pytest.raises(SealBrokenError):
        unseal(key, bytes(sealed), HERE)


@pytest.mark.parametrize("cut", [0, 1, OVERHEAD_BYTES - 1, OVERHEAD_BYTES + 3])
def test_cut_bytes_do_not_open(cut: int) -> None:
    key = new_key()
    with pytest.raises(SealBrokenError):
        unseal(key, seal(key, b"face", HERE)[:cut], HERE)


def test_another_key_does_not_open() -> None:
    with pytest.raises(SealBrokenError):
        unseal(new_key(), seal(new_key(), b"face", HERE), HERE)


def test_a_key_is_wrapped_by_the_primary_and_opened_by_any_key_of_the_ring() -> None:
    key = new_key()
    assert wrap(RING, key, HERE).kek_id == "b"
    older = wrap(Keyring("a", {"a": b"a" * 32}), key, HERE)
    assert unwrap(RING, older, HERE) == key


def test_a_wrapped_key_of_a_missing_key_is_named() -> None:
    with pytest.raises(UnknownKeyError, match="'gone'"):
        unwrap(RING, WrappedKey("gone", b""), HERE)


def test_secrets_are_not_in_any_repr() -> None:
    key = new_key()
    assert repr(wrap(RING, key, HERE)) == "WrappedKey(kek_id='b')"
    assert repr(RING) == "Keyring(primary='b')"
