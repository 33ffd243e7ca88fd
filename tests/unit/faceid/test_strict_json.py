import contextlib
import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.faceid.strict_json import StrictJsonError, loads

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**38), 10**38)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20
)


def as_floats(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [as_floats(each) for each in value]
    if isinstance(value, dict):
        return {key: as_floats(each) for key, each in value.items()}
    return value


@given(VALUES, st.booleans())
def test_valid_documents_mean_what_the_standard_library_reads(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert as_floats(loads(raw, max_depth=100)) == json.loads(raw)


@given(st.binary())
def test_any_bytes_give_a_value_or_the_one_error(raw: bytes) -> None:
    with contextlib.suppress(StrictJsonError):
        assert as_floats(loads(raw)) == json.loads(raw)


@given(st.text(alphabet='{}[]",:0123456789eE+-.\\u nulltruefasd\ud800'))
def test_any_text_gives_a_value_or_the_one_error(text: str) -> None:
    with contextlib.suppress(StrictJsonError):
        assert as_floats(loads(text.encode("utf-8", "surrogatepass"))) == json.loads(text)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1,]",
        b"// no\n1",
        b'{"a":1}x',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"raw \0 nul"',
        b'{"a":1,"a":2}',
        b'{"b":{"a":1,"\\u0061":2}}',
        b"NaN",
        b"[Infinity]",
        b'{"a":-Infinity}',
        b'"\\u0000"',
        b'{"\\u0000":1}',
        b'{"a":["x",{"b":"\\ud800"}]}',
        b'["\\udc00\\ud800"]',
        b"1" * 41,
        b"1" * 5000,
        b"0." + b"1" * 70,
        b"1e999",
        b"1E-401",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 33 + b"]" * 33,
    ],
)
def test_what_parsers_disagree_about_is_refused(raw: bytes) -> None:
    with pytest.raises(StrictJsonError):
        loads(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"99.0010", Decimal("99.0010")),
        (b"1e400", Decimal("1e400")),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b'{"\\u0061":"b"}', {"a": "b"}),
        (b" [ ] ", []),
        (b"[" * 32 + b"]" * 32, None),
    ],
)
def test_what_is_valid_keeps_its_digits_and_characters(raw: bytes, value: Any) -> None:
    loaded = loads(raw)
    if value is not None:
        assert loaded == value
        assert str(loaded) == str(value)


def test_depth_counts_containers_only() -> None:
    assert loads(b"1", max_depth=0) == 1
    assert loads(memoryview(b'{"a":1}'), max_depth=1) == {"a": 1}
    for raw in (b"[[]]", b'{"a":[]}', b'[{"\\u0061":1}]'):
        with pytest.raises(StrictJsonError):
            loads(raw, max_depth=1)


def test_digits_are_exact_where_floats_are_not() -> None:
    loaded = loads(b"0.1000000000000000055511151231257827021181583404541015625")
    assert isinstance(loaded, Decimal)
    assert loaded != Decimal("0.1")
    assert math.isclose(float(loaded), 0.1)
