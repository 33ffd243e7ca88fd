"""Shapes make the check of canonical form faster and never laxer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.samples import vector
from tests.unit.ledger.test_canonical import ENTRIES
from verification.ledger.canonical import MAX_BYTES, Json, canonical, parse
from verification.ledger.errors import CanonicalError
from verification.ledger.shapes import MAX_SHAPES, ShapeMemory

ENTRY: dict[str, Json] = {
    "at": "2026-01-31T09:30:00Z",
    "commitments": {"biz_no": "5fec", "del\x7f": 2, "re.*": 4, "a b:": 5},
    "flag": None,
    "list": [1, {"a": "b"}, []],
    "size_bytes": 7,
}


def _accepts(memory: ShapeMemory, raw: bytes) -> bool:
    try:
        memory.check(raw)
    except CanonicalError:
        return False
    return True


def _is_canonical(raw: bytes) -> bool:
    try:
        parse(raw)
    except CanonicalError:
        return False
    return True


@given(entry=ENTRIES, data=st.data())
def test_a_known_shape_decides_as_parsing_does(entry: dict[str, Json], data: st.DataObject) -> None:
    memory = ShapeMemory()
    raw = bytearray(canonical(entry))
    memory.check(bytes(raw))
    at = data.draw(st.integers(0, len(raw)))
    until = data.draw(st.integers(at, min(at + 3, len(raw))))
    raw[at:until] = data.draw(st.binary(max_size=3) | st.sampled_from(NASTY))
    assert _accepts(memory, bytes(raw)) == _is_canonical(bytes(raw))


NASTY = [
    b'"', b"\\", b"\\u0061", b"\\/", b"\x00", b"\x7f", b"\xc3\xa9", b"\xff", b" ", b"\n",
    b"-0", b"00", b"01", b"1.0", b"1e2", b"0", b"-", b"999999999999999",
    b"9007199254740992", b"NaN", b"true", b"null", b"1,", b"{}", b"[]", b'","a":"',
]  # fmt: skip


@pytest.mark.parametrize("value", [*NASTY, *(b'"' + nasty + b'"' for nasty in NASTY)])
def test_a_nasty_value_in_a_known_shape_is_judged_as_parsing_does(value: bytes) -> None:
    memory = ShapeMemory()
    raw = canonical(ENTRY)
    memory.check(raw)
    assert len(memory._shapes) == 1
    for place in (b'"2026-01-31T09:30:00Z"', b'"5fec"', b"null", b"7", b'"b"'):
        changed = raw.replace(place, value, 1)
        assert _accepts(memory, changed) == _is_canonical(changed)


@pytest.mark.parametrize("case", vector("entry.json")["refused"], ids=lambda case: case["why"])
def test_a_vector_that_is_no_entry_is_refused_whatever_is_known(case: dict[str, str]) -> None:
    memory = ShapeMemory()
    for known in vector("entry.json")["entries"]:
        memory.check(bytes.fromhex(known["hex"]))
    with pytest.raises(CanonicalError):
        memory.check(bytes.fromhex(case["hex"]))


@pytest.mark.parametrize("key", ["del\x7f", "nul\0", 'quote"', "back\\", "re.*", "a b", "#"])
def test_a_key_is_taken_by_its_letters(key: str) -> None:
    memory = ShapeMemory()
    memory.check(canonical({key: 1}))
    memory.check(canonical({key: 2}))
    unescaped = b'{"' + key.encode() + b'":3}'
    assert _accepts(memory, unescaped) == _is_canonical(unescaped)
    for each in key:
        escaped = key.replace(each, f"\\u{ord(each):04x}").encode()
        if each != "\0":  # which has no other spelling
            with pytest.raises(CanonicalError):
                memory.check(b'{"' + escaped + b'":1}')


def test_the_length_is_bounded_in_a_known_shape_too() -> None:
    memory = ShapeMemory()
    memory.check(b'{"a":"x"}')
    with pytest.raises(CanonicalError, match="longer"):
        memory.check(b'{"a":"' + b"x" * MAX_BYTES + b'"}')


def test_the_memory_is_bounded_and_goes_on_checking() -> None:
    memory = ShapeMemory()
    for count in range(MAX_SHAPES * 2):
        memory.check(canonical({f"key {count}": 1}))
        memory.check(canonical({f"key {count}": "\u00e9"}))
    assert len(memory._shapes) == MAX_SHAPES
    with pytest.raises(CanonicalError):
        memory.check(b'{"key 0": 1}')


def test_a_shape_is_learned_once_and_from_simple_values() -> None:
    memory = ShapeMemory()
    for value in ("\u00e9", "\n", "plain", "\u20ac", 10**15, 10**15 + 1, True):
        memory.check(canonical({"a": value}))
    assert len(memory._shapes) == 1


@given(entries=st.lists(ENTRIES, min_size=2, max_size=4), data=st.data())
def test_entries_of_equal_length_do_not_pass_for_each_other(
    entries: list[dict[str, Json]], data: st.DataObject
) -> None:
    memory = ShapeMemory()
    for raw in [*map(canonical, entries)] * 2:
        memory.check(raw)
    other = bytearray(canonical(data.draw(st.sampled_from(entries))))
    at = data.draw(st.integers(0, len(other) - 1))
    other[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
    assert _accepts(memory, bytes(other)) == _is_canonical(bytes(other))
