"""A usage file is read strictly, or refused at its line, and nothing of it is told."""

import hashlib
import io
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.billing.bills import MAX_LINE_BYTES, Bill, BillError, BillLine, Layout

WHOLE = Layout("id", billed="billed", amount="cost", code="code", yes="Y", no="N")
HEADER = b"id,billed,cost,code\n"


def read(raw: bytes, layout: Layout = WHOLE) -> list[BillLine]:
    return list(Bill(io.BytesIO(raw), layout))


def test_each_column_is_found_by_its_name() -> None:
    raw = b'when,code,cost,"id",billed\r\nx,1000,0.0850,"1700,a",Y\r\ny,,0,b,N\r\n'
    assert read(raw) == [
        BillLine(2, "1700,a", True, Decimal("0.0850"), 1000),
        BillLine(3, "b", False, Decimal(0), None),
    ]


def test_what_the_operator_does_not_name_is_not_read() -> None:
    assert read(b"id,cost\na,?\n", Layout("id")) == [BillLine(2, "a")]


def test_a_byte_order_mark_is_no_part_of_the_name() -> None:
    raw = b"\xef\xbb\xbfid\na\n"
    bill = Bill(io.BytesIO(raw), Layout("id"))
    assert [each.request_id for each in bill] == ["a"]
    assert bill.sha256 == hashlib.sha256(raw).hexdigest()


def test_a_file_with_names_only_lists_nothing() -> None:
    assert read(HEADER) == []


BROKEN = {
    "empty": (b"", "line 1: the file is empty"),
    "no such column": (b"id,billed,code\n", "line 1: there is no column 'cost'"),
    "a column twice": (b"id,id,billed,cost,code\n", "line 1: there is more than one column 'id'"),
    "too few cells": (HEADER + b"a,Y,1\n", "line 2: it has 3 cells"),
    "too many cells": (HEADER + b"a,Y,1,1000\nb,Y,1,1000,\n", "line 3: it has 5 cells"),
    "a blank line": (HEADER + b"\n", "line 2: it has 0 cells"),
    "no id": (HEADER + b",Y,1,1000\n", "line 2: a request id"),
    "a long id": (HEADER + b"a" * 201 + b",Y,1,1000\n", "line 2: a request id"),
    "a control character": (HEADER + b"a\x1b,Y,1,1000\n", "line 2: a request id"),
    "another word": (HEADER + b"a,y,1,1000\n", "line 2: billed is neither 'Y' nor 'N'"),
    "no word": (HEADER + b"a,,1,1000\n", "line 2: billed is neither"),
    "a comma": (HEADER + b'a,Y,"1,5",1000\n', "line 2: the amount"),
    "a credit": (HEADER + b"a,Y,-1,1000\n", "line 2: the amount"),
    "not a number": (HEADER + b"a,Y,NaN,1000\n", "line 2: the amount"),
    "no amount": (HEADER + b"a,Y,,1000\n", "line 2: the amount"),
    "a fraction": (HEADER + b"a,Y,1,1e3\n", "line 2: the code"),
    "latin": (HEADER + b"a,Y,1,1000\n\xe9,Y,1,1000\n", "line 3: it is not UTF-8"),
    "a mark inside": (HEADER + b"a,Y,1,1\n\xff\xfe,Y,1,1\n", "line 3: it is not UTF-8"),
    "a NUL": (HEADER + b"a\x00,Y,1,1000\n", "line 2: it holds a NUL"),
    "an open quote": (HEADER + b'"a,Y,1,1000\n', "line 2: "),
    "a stray quote": (HEADER + b'"a"b,Y,1,1000\n', "line 2: "),
    "no end of line": (HEADER + b"a" * (MAX_LINE_BYTES + 9), "line 2: it has more than"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_not_understood_is_named_by_its_line(what: str) -> None:
    raw, sentence = BROKEN[what]
    with pytest.raises(BillError) as refused:
        read(raw)
    assert str(refused.value).startswith(sentence)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tail: bytes) -> None:
    with suppress(BillError):
        for each in read(HEADER + tail):
            assert each.request_id.isprintable()
            assert each.amount is not None
            assert each.amount >= 0
