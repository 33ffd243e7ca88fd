"""What an export's file looks like: columns, layout, compression. `docs/reference/csv.md`."""

import zlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from enum import StrEnum

from verification.selectors.export_columns import COLUMNS, Column

Blocks = Generator[bytes, None, int]
"""A file in pieces; returns how many rows it has, its first line not counted."""

GZIP_WINDOW = 31
"""Deflate in a gzip frame. zlib puts no time and no name into its header."""


class Layout(StrEnum):
    """How lines are written."""

    CSV = "csv"
    EXCEL = "excel"
    """CSV behind a byte order mark, by which Excel knows UTF-8."""
    JSONL = "jsonl"
    """A JSON object on each line, texts as they are stored."""
    PARQUET = "parquet"
    """Columns with their types, texts as they are stored; a file that is not read in one go."""


@dataclass(frozen=True, slots=True)
class FileForm:
    """`columns` are some of COLUMNS, in their order; a later part of a file has no `has_start`."""

    columns: tuple[Column, ...] = COLUMNS
    layout: Layout = Layout.CSV
    is_gzipped: bool = False
    has_start: bool = True

    @property
    def masked(self) -> tuple[str, ...]:
        """Return the names of the columns that are masked."""
        return tuple(each.name for each in self.columns if each.is_masked)

    @property
    def suffix(self) -> str:
        """Return how a file of this form is called at the end, from the dot on."""
        if self.layout is Layout.PARQUET:
            return ".parquet"
        ending = ".jsonl" if self.layout is Layout.JSONL else ".csv"
        return f"{ending}.gz" if self.is_gzipped else ending

    @property
    def opening(self) -> bytes:
        """Return what stands before the first line."""
        return b"\xef\xbb\xbf" if self.layout is Layout.EXCEL and self.has_start else b""


STREAMED = (Layout.CSV, Layout.EXCEL, Layout.JSONL)
"""Layouts whose lines can leave as they are read."""

PLAIN_CSV = FileForm()


def choose_columns(names: Iterable[str]) -> tuple[Column, ...]:
    """Return the columns of these names, in the file's order; KeyError names an unknown one."""
    asked = list(names)
    known = {each.name for each in COLUMNS}
    for name in asked:
        if name not in known:
            raise KeyError(name)
    return tuple(each for each in COLUMNS if each.name in asked)


def gzipped(blocks: Blocks) -> Blocks:
    """Yield nothing, then the blocks compressed as they come; closing it closes them."""
    deflate = zlib.compressobj(wbits=GZIP_WINDOW)
    try:
        yield b""
        rows = yield from _deflated(blocks, deflate)
        yield deflate.flush()
        return rows
    finally:
        blocks.close()


def _deflated(blocks: Blocks, deflate: "zlib._Compress") -> Blocks:
    while True:
        try:
            block = next(blocks)
        except StopIteration as end:
            return int(end.value)
        if pressed := deflate.compress(block):
            yield pressed
