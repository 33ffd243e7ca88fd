"""Parquet: each cell as JSON lines tell it, with its type; the same bytes again."""

import io
import json
from datetime import datetime
from typing import Any

import pyarrow.parquet
import pytest
from django.core.management import CommandError, call_command

from bench.rows import insert_attempts
from tests.integration.exports.conftest import RecordAttempt
from tests.integration.exports.test_form import HOSTILE
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_columns import COLUMNS
from verification.selectors.export_form import FileForm, Layout, choose_columns
from verification.selectors.export_parquet import kind_of, write_parquet
from verification.selectors.exports import attempts_file

pytestmark = pytest.mark.django_db(transaction=True)

FORM = FileForm(layout=Layout.PARQUET)


def written(form: FileForm = FORM) -> bytes:
    target = io.BytesIO()
    write_parquet(target, AttemptQuery(), form=form, as_of=None)
    return target.getvalue()


def table(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


def plain(name: str, value: Any) -> Any:
    """Return a value of JSON lines as its column's type has it."""
    kind = next(kind_of(each) for each in COLUMNS if each.name == name)
    if value is None:
        return None
    if kind == "instant":
        return datetime.fromisoformat(value)
    if kind == "figure":
        return float(value)
    if name == "reasons":
        return " ".join(value)
    return json.dumps(value) if isinstance(value, dict | list) else value


def test_each_cell_is_that_of_json_lines(transactional_db: None) -> None:
    insert_attempts(700)
    lines = b"".join(attempts_file(AttemptQuery(), form=FileForm(layout=Layout.JSONL)))
    rows = table(written())
    assert len(rows) == 700
    for row, line in zip(rows, map(json.loads, lines.splitlines()), strict=True):
        for name, value in row.items():
            expected = plain(name, line[name])
            if isinstance(expected, str) and expected[:1] in ("[", "{"):
                assert json.loads(value) == json.loads(expected), name
            else:
                assert value == expected, name


def test_any_text_survives(record_attempt: RecordAttempt) -> None:
    for text in (*HOSTILE, "", "null", "NULL", "true", '"', "a\nb", "a,b"):
        record_attempt(biz_no=text)
    found = [row["biz_no"] for row in table(written())]
    assert found == [*HOSTILE, "", "null", "NULL", "true", '"', "a\nb", "a,b"]


def test_the_same_attempts_are_the_same_bytes(transactional_db: None) -> None:
    insert_attempts(300)
    assert written() == written()


def test_nothing_found_is_a_file_with_its_columns(transactional_db: None) -> None:
    found = pyarrow.parquet.read_table(io.BytesIO(written()))
    assert (found.num_rows, found.column_names) == (0, [each.name for each in COLUMNS])
    few = FileForm(choose_columns(["id", "outcome"]), Layout.PARQUET)
    assert pyarrow.parquet.read_table(io.BytesIO(written(few))).column_names == ["id", "outcome"]


def test_the_command_writes_it_to_a_file_only(record_attempt: RecordAttempt, tmp_path: Any) -> None:
    attempt = record_attempt()
    with pytest.raises(CommandError, match="--output"):
        call_command("attempts_export", "--layout=parquet")
    path = tmp_path / "a.parquet"
    call_command("attempts_export", "--layout=parquet", f"--output={path}")
    assert [row["id"] for row in table(path.read_bytes())] == [str(attempt.pk)]
