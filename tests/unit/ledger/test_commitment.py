"""A commitment binds key, name and value, and tells nothing without the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.samples import vector
from verification.ledger.commitment import COMMITMENT_BYTES, KEY_BYTES, commit, new_key, opens
from verification.ledger.errors import LedgerError


@pytest.mark.parametrize("case", vector("commitment.json")["commitments"])
def test_commitments_are_those_of_the_vectors(case: dict[str, str]) -> None:
    key, value = bytes.fromhex(case["key"]), bytes.fromhex(case["value"])
    assert commit(key, case["name"], value).hex() == case["commitment"]


@given(name=st.text(), value=st.binary())
def test_a_commitment_opens_to_what_was_committed(name: str, value: bytes) -> None:
    key = new_key()
    commitment = commit(key, name, value)
    assert len(commitment) == COMMITMENT_BYTES
    assert opens(key, name, value, commitment)


@pytest.mark.parametrize(
    ("name", "value"),
    [("biz_n", b"oorder-17"), ("biz_noo", b"rder-17"), ("biz_no", b"order-18"), ("", b"")],
)
def test_nothing_else_opens_it(name: str, value: bytes) -> None:
    key = new_key()
    commitment = commit(key, "biz_no", b"order-17")
    assert not opens(key, name, value, commitment)
    assert not opens(new_key(), "biz_no", b"order-17", commitment)
    assert not opens(key, "biz_no", b"order-17", commitment[:-1])


@pytest.mark.parametrize("length", [0, KEY_BYTES - 1, KEY_BYTES + 1])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(LedgerError, match="32 bytes"):
        commit(b"k" * length, "biz_no", b"order-17")


def test_keys_come_from_the_given_source_and_differ() -> None:
    assert new_key(lambda count: b"r" * count) == b"r" * KEY_BYTES
    assert new_key() != new_key()
