"""Lines of our smaller CSV files, in the format of docs/reference/csv.md."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from verification.selectors.export_columns import FORMULA_STARTS

Cell = str | int | Decimal | datetime | None


def csv_line(cells: Iterable[Cell]) -> bytes:
    """Return one line; numbers with all their digits, times in UTC, nothing as an empty cell.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([_written(each) for each in cells])
    return out.getvalue().encode()


def _written(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case datetime():
            return f"{cell:%Y-%m-%dT%H:%M:%S.%fZ}"
        case Decimal():
            return f"{cell:f}"
        case int():
            return str(cell)
        case _:
            return f"'{cell}" if cell.startswith(tuple(FORMULA_STARTS)) else cell
