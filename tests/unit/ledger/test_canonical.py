"""An entry has exactly one spelling, and nothing else is read as one."""

import contextlib
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger import rfc8785
from tests.unit.ledger.samples import vector
from verification.ledger.canonical import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_INTEGER,
    Json,
    canonical,
    parse,
)
from verification.ledger.errors import CanonicalError

KEYS = st.text(st.characters(max_codepoint=0x7F), max_size=8)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-MAX_INTEGER, MAX_INTEGER), st.text(max_size=20)
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
ENTRIES = st.dictionaries(KEYS, VALUES, max_size=8)


class Colour(StrEnum):
    """A text that is not quite a text."""

    RED = "red"


class Count(IntEnum):
    """An integer that is not quite an integer."""

    ONE = 1


@given(entry=ENTRIES)
def test_the_form_is_that_of_rfc_8785(entry: dict[str, Json]) -> None:
    assert canonical(entry) == rfc8785.serialize(entry).encode()


@given(entry=ENTRIES)
def test_what_was_written_is_read_back_the_same(entry: dict[str, Json]) -> None:
    assert parse(canonical(entry)) == entry


@given(entry=ENTRIES, data=st.data())
def test_one_changed_byte_is_refused_or_says_something_else(
    entry: dict[str, Json], data: st.DataObject
) -> None:
    raw = bytearray(canonical(entry))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(CanonicalError):
        assert canonical(parse(bytes(raw))) == raw


@given(raw=st.binary(max_size=40) | st.text('{}[]",:\\u0e1 -\ufeff\u00e9', max_size=30))
def test_no_bytes_end_in_another_error(raw: bytes | str) -> None:
    given_bytes = raw if isinstance(raw, bytes) else raw.encode()
    with contextlib.suppress(CanonicalError):
        assert canonical(parse(given_bytes)) == given_bytes


def test_the_published_order_of_keys_is_kept_where_keys_are_ascii() -> None:
    assert canonical({"b": 1, "B": 2, "a": 3, "1": 4, "": 5, "a1": 6}) == (
        b'{"":5,"1":4,"B":2,"a":3,"a1":6,"b":1}'
    )


@pytest.mark.parametrize("case", vector("entry.json")["entries"], ids=lambda case: case["why"])
def test_a_vector_that_is_an_entry_is_read(case: dict[str, str]) -> None:
    raw = bytes.fromhex(case["hex"])
    assert canonical(parse(raw)) == raw


@pytest.mark.parametrize("case", vector("entry.json")["refused"], ids=lambda case: case["why"])
def test_a_vector_that_is_no_entry_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(CanonicalError):
        parse(bytes.fromhex(case["hex"]))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (0.5, "type"),
        (float("nan"), "type"),
        (b"bytes", "type"),
        ((1, 2), "type"),
        ({1, 2}, "type"),
        (Colour.RED, "type"),
        (Count.ONE, "type"),
        (MAX_INTEGER + 1, "integer"),
        (-MAX_INTEGER - 1, "integer"),
        ("\ud800", "surrogate"),
        ({"\u00e9": 1}, "ASCII"),
        ({1: 1}, "ASCII"),
        ({None: 1}, "ASCII"),
        ({Colour.RED: 1}, "ASCII"),
        ("x" * MAX_BYTES, "longer"),
    ],
)
def test_a_value_that_no_entry_can_hold_is_refused(value: Any, sentence: str) -> None:
    with pytest.raises(CanonicalError, match=sentence):
        canonical({"value": value})
    with pytest.raises(CanonicalError, match=sentence):
        canonical({"list": [{"value": value}]})


def _nested(depth: int, innermost: Json, *, in_lists: bool) -> dict[str, Json]:
    value = innermost
    for _ in range(depth - 1):
        value = [value] if in_lists else {"a": value}
    return {"a": value}


@pytest.mark.parametrize("in_lists", [True, False])
@pytest.mark.parametrize("innermost", [1, "[[[[", "\u00e9"])
def test_sixteen_levels_are_read_and_seventeen_refused(innermost: Json, in_lists: bool) -> None:
    deepest = _nested(MAX_DEPTH, innermost, in_lists=in_lists)
    assert parse(canonical(deepest)) == deepest
    for deeper in (
        _nested(MAX_DEPTH + 1, innermost, in_lists=in_lists),
        _nested(MAX_DEPTH, [], in_lists=in_lists),
    ):
        with pytest.raises(CanonicalError, match="deeper"):
            canonical(deeper)
        with pytest.raises(CanonicalError, match="deeper"):
            parse(rfc8785.serialize(deeper).encode())


@pytest.mark.parametrize("depth", [900, 30_000])
def test_no_depth_exhausts_the_stack(depth: int) -> None:
    with pytest.raises(CanonicalError, match="deeper"):
        parse(b'{"a":' + b"[" * depth + b"]" * depth + b"}")


def test_a_value_that_holds_itself_is_refused() -> None:
    ring: list[Json] = []
    ring.append(ring)
    with pytest.raises(CanonicalError, match="deeper"):
        canonical({"ring": ring})


def test_the_longest_entry_is_read_and_one_byte_more_refused() -> None:
    longest = canonical({"a": "x" * (MAX_BYTES - len('{"a":""}'))})
    assert len(longest) == MAX_BYTES
    assert canonical(parse(longest)) == longest
    with pytest.raises(CanonicalError, match="longer"):
        parse(longest.replace(b"x", b"xx", 1))


def test_no_refusal_quotes_a_value() -> None:
    with pytest.raises(CanonicalError) as refused:
        parse(b'{"subject":"Mary Poppins" }')
    assert "Mary" not in str(refused.value)
