"""Attempts as Parquet: the file's columns with types, written in constant memory.

The format is that of https://parquet.apache.org/docs/file-format/; `docs/reference/csv.md` has the
types. No time and no name of a machine stands in a file: the same attempts give the same bytes.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO

from verification.models import LedgerCheckpoint
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_columns import Column
from verification.selectors.export_form import Blocks, FileForm, Layout
from verification.selectors.exports import attempts_file
from verification.selectors.record import AttemptFilter

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_GROUP = 50_000
TABLE_BYTES = 262_144
INSTANTS = frozenset({"created_at", "settled_at", "review_due_at", "decided_at"})
FLAGS = frozenset({"billable", "is_attack"})
INTEGERS = frozenset({"result_code", "time_used_ms", "packet_size_bytes", "policy_version"})
FIGURES = ("attack_score", "attack_threshold", "_confidence", "_threshold_1e3", "_threshold_1e4",
           "_threshold_1e5", "_threshold_1e6")  # fmt: skip


def has_parquet() -> bool:
    """Return whether what writes it is installed."""
    return find_spec("pyarrow") is not None


def kind_of(column: Column) -> str:
    """Return the type of a column: instant, truth, integer, figure or text."""
    if column.name in INSTANTS:
        return "instant"
    if column.name in FLAGS:
        return "truth"
    if column.name in INTEGERS:
        return "integer"
    return "figure" if column.name.endswith(FIGURES) else "text"


def write_parquet(
    target: BinaryIO,
    which: AttemptQuery | AttemptFilter,
    *,
    form: FileForm,
    as_of: LedgerCheckpoint | None,
    report: Callable[[int], None] = lambda _: None,
) -> int:
    """Write the attempts of a filter; return how many they are.

    `report` is told the bytes written so far. Raises the database's and the file's errors: then
    the file is not whole.
    """
    import pyarrow.parquet  # noqa: PLC0415 - an optional dependency

    schema = _schema(form.columns)
    columns = _unguarded(form.columns)
    plain = FileForm(columns, Layout.CSV, has_start=False)
    rows = 0
    with (
        closing(attempts_file(which, form=plain, as_of=as_of, block_bytes=TABLE_BYTES)) as blocks,
        pyarrow.parquet.ParquetWriter(target, schema, compression="zstd") as writer,
    ):
        for table in _tables(blocks, schema):
            writer.write_table(table)
            rows += table.num_rows
            report(target.tell())
    return rows


def _unguarded(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Return the columns without the apostrophes that are for spreadsheets."""
    return tuple(
        replace(each, expression=each.json) if each.is_outside_text else each for each in columns
    )


def _schema(columns: tuple[Column, ...]) -> "pa.Schema":
    import pyarrow as pa  # noqa: PLC0415 - an optional dependency

    kinds = {
        "instant": pa.timestamp("us", tz="UTC"),
        "truth": pa.bool_(),
        "integer": pa.int64(),
        "figure": pa.float64(),
        "text": pa.string(),
    }
    return pa.schema([(each.name, kinds[kind_of(each)]) for each in columns])


def _tables(blocks: Blocks, schema: "pa.Schema") -> Iterator["pa.Table"]:
    """Yield tables of about ROWS_PER_GROUP rows; each block has whole ones."""
    import pyarrow as pa  # noqa: PLC0415 - an optional dependency

    waiting: list[pa.Table] = []
    rows = 0
    for block in blocks:
        waiting.append(_table(block, schema))
        rows += waiting[-1].num_rows
        if rows >= ROWS_PER_GROUP:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _table(block: bytes, schema: "pa.Schema") -> "pa.Table":
    from pyarrow import csv  # noqa: PLC0415 - an optional dependency

    return csv.read_csv(
        io.BytesIO(block),
        read_options=csv.ReadOptions(
            use_threads=False, column_names=schema.names, block_size=len(block) + 1
        ),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True,
            quoted_strings_can_be_null=False, true_values=["true"], false_values=["false"],
        ),
    )  # fmt: skip
