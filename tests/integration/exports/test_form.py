"""What an export's file can look like: columns, JSON lines, Excel, gzip."""

import gzip
import json
from contextlib import closing
from decimal import Decimal

import pytest
from django.db import connection

from bench.rows import insert_attempts
from tests.integration.exports.conftest import RecordAttempt, rows
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_columns import COLUMNS
from verification.selectors.export_form import STREAMED, FileForm, Layout, choose_columns
from verification.selectors.exports import attempts_file

pytestmark = pytest.mark.django_db

JSONL = FileForm(layout=Layout.JSONL)
HOSTILE = (
    "=1+1", "\u201cquoted\u201d, \\\\ and \\n", "two\nlines\r\n", '"', "\\.",
    "\x7f\u2028\U0001f600", "tab\there", "", "\\", "{}", "NULL",
)  # fmt: skip


def file(form: FileForm, query: AttemptQuery | None = None) -> bytes:
    """Return the whole file of all attempts."""
    return b"".join(attempts_file(query or AttemptQuery(), form=form))


def lines(content: bytes) -> list[dict[str, object]]:
    """Read JSON lines as any reader does: one object between two line feeds."""
    assert content.endswith(b"\n")
    return [json.loads(each, parse_float=Decimal) for each in content[:-1].split(b"\n")]


def test_json_lines_hold_values_with_their_types(record_attempt: RecordAttempt) -> None:
    record_attempt(
        biz_no="=1+1",
        attack_score=Decimal("0.0010"),
        ref1_confidence=Decimal("84.30"),
        is_attack=False,
        billable=True,
        device_tags={"is_root": 0},
        reasons=["near_threshold", "device_tag"],
        policy_version=1,
        verdict="review",
    )
    [line] = lines(file(JSONL))
    assert list(line) == [each.name for each in COLUMNS]
    assert line["biz_no"] == "=1+1"
    assert str(line["attack_score"]) == "0.0010"
    assert str(line["ref1_confidence"]) == "84.30"
    assert line["is_attack"] is False
    assert line["billable"] is True
    assert line["device_tags"] == {"is_root": 0}
    assert line["reasons"] == ["near_threshold", "device_tag"]
    assert line["result_code"] == 1000
    assert line["created_at"] == "2026-03-29T00:30:00.12Z"
    assert line["evidence"] is None


def test_any_text_survives_json_lines(record_attempt: RecordAttempt) -> None:
    for text in HOSTILE:
        record_attempt(biz_no=text)
    assert tuple(each["biz_no"] for each in lines(file(JSONL))) == HOSTILE


def test_json_lines_and_csv_tell_the_same(transactional_db: None) -> None:
    insert_attempts(300)
    cells = rows(file(FileForm()).decode())
    for cell, line in zip(cells, lines(file(JSONL)), strict=True):
        for name in ("id", "state", "outcome", "request_id", "created_at", "decision"):
            assert (line[name] or "") == cell[name], name
        for name in ("device_tags", "evidence"):
            assert line[name] == (json.loads(cell[name]) if cell[name] else None), name


def test_nothing_found_is_an_empty_file_of_json_lines(db: None) -> None:
    assert file(JSONL) == b""


def test_excel_is_told_that_it_is_utf_8(record_attempt: RecordAttempt) -> None:
    record_attempt(biz_no="中文")
    excel = file(FileForm(layout=Layout.EXCEL))
    assert excel == b"\xef\xbb\xbf" + file(FileForm())


def test_chosen_columns_stand_in_the_order_of_the_file(record_attempt: RecordAttempt) -> None:
    record_attempt()
    form = FileForm(choose_columns(["state", "id", "state"]))
    [head, line] = file(form).decode().splitlines()
    assert head == "id,state"
    assert line.endswith(",answered")
    [only] = lines(file(FileForm(form.columns, Layout.JSONL)))
    assert list(only) == ["id", "state"]


@pytest.mark.parametrize("names", [["id", "packet"], [""], ["ID"], ["id "]])
def test_an_unknown_column_is_named(names: list[str]) -> None:
    with pytest.raises(KeyError):
        choose_columns(names)


@pytest.mark.parametrize("layout", STREAMED)
def test_gzip_is_the_same_file_and_the_same_bytes_each_time(
    layout: Layout, transactional_db: None
) -> None:
    insert_attempts(500)
    pressed = file(FileForm(layout=layout, is_gzipped=True))
    assert gzip.decompress(pressed) == file(FileForm(layout=layout))
    assert pressed == file(FileForm(layout=layout, is_gzipped=True))
    assert pressed[4:8] == bytes(4)  # RFC 1952: no time


def test_leaving_a_compressed_export_gives_the_connection_back(transactional_db: None) -> None:
    insert_attempts(3_000)
    for read in (0, 1):
        with closing(attempts_file(AttemptQuery(), form=FileForm(is_gzipped=True))) as blocks:
            for _ in range(read):
                next(blocks)
        assert not connection.in_atomic_block


@pytest.mark.parametrize(
    ("form", "suffix"),
    [
        (FileForm(), ".csv"),
        (FileForm(layout=Layout.EXCEL), ".csv"),
        (FileForm(layout=Layout.JSONL), ".jsonl"),
        (FileForm(layout=Layout.JSONL, is_gzipped=True), ".jsonl.gz"),
    ],
)
def test_a_file_is_called_after_what_it_holds(form: FileForm, suffix: str) -> None:
    assert form.suffix == suffix
