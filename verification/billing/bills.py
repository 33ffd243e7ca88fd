"""The vendor's usage file: read strictly, in constant memory, once.

No format is documented, so whoever has the file names its columns. It is a CSV after RFC 4180 in
UTF-8, with or without a byte order mark, whose first line holds the names of the columns.
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import BinaryIO

from verification.errors import VerificationError

MAX_LINE_BYTES = 65_536
MAX_ID_CHARS = 200
BOM = b"\xef\xbb\xbf"
AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
CODE = re.compile(r"-?[0-9]{1,9}", re.ASCII)


class BillError(VerificationError):
    """A line is not what it must be; says which one and why, and nothing of what it holds."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line:,}: {why}")


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns say what, None for what the file does not say; the words of `billed`."""

    request_id: str
    billed: str | None = None
    amount: str | None = None
    code: str | None = None
    yes: str = "yes"
    no: str = "no"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One call as the vendor tells it; `line` counts from 1, which is the names of the columns."""

    line: int
    request_id: str
    billed: bool | None = None
    amount: Decimal | None = None
    code: int | None = None


class Bill:
    """A usage file; iterate over it once."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._file = file
        self._layout = layout
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Return the digest, in hex, of what was read so far."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[BillLine]:
        """Yield each call; BillError at the first line that is not understood."""
        reader = csv.reader(self._texts(), strict=True)
        try:
            names = next(reader, None)
            if names is None:
                raise BillError(1, "the file is empty")
            places = _places(names, self._layout)
            for cells in reader:
                if len(cells) != len(names):
                    why = f"it has {len(cells)} cells, and there are {len(names)} columns"
                    raise BillError(reader.line_num, why)
                yield self._read(reader.line_num, cells, places)
        except csv.Error as error:
            raise BillError(reader.line_num, str(error)) from None

    def _texts(self) -> Iterator[str]:
        number = 0
        while raw := self._file.readline(MAX_LINE_BYTES + 1):
            number += 1
            self._digest.update(raw)
            if len(raw) > MAX_LINE_BYTES:
                raise BillError(number, f"it has more than {MAX_LINE_BYTES:,} bytes")
            try:
                text = (raw.removeprefix(BOM) if number == 1 else raw).decode()
            except UnicodeDecodeError:
                raise BillError(number, "it is not UTF-8") from None
            if "\0" in text:
                raise BillError(number, "it holds a NUL")
            yield text

    def _read(self, line: int, cells: Sequence[str], places: dict[str, int]) -> BillLine:
        request_id = cells[places["request_id"]]
        if not 1 <= len(request_id) <= MAX_ID_CHARS or not request_id.isprintable():
            why = f"a request id has 1 to {MAX_ID_CHARS} printable characters"
            raise BillError(line, why)
        return BillLine(
            line,
            request_id,
            self._billed(line, cells[places["billed"]]) if "billed" in places else None,
            _amount(line, cells[places["amount"]]) if "amount" in places else None,
            _code(line, cells[places["code"]]) if "code" in places else None,
        )

    def _billed(self, line: int, cell: str) -> bool:
        if cell not in (self._layout.yes, self._layout.no):
            why = f"billed is neither {self._layout.yes!r} nor {self._layout.no!r}"
            raise BillError(line, why)
        return cell == self._layout.yes


def _places(names: Sequence[str], layout: Layout) -> dict[str, int]:
    """Return where each column stands that is named."""
    wanted = {
        "request_id": layout.request_id,
        "billed": layout.billed,
        "amount": layout.amount,
        "code": layout.code,
    }
    places = {}
    for what, name in wanted.items():
        if name is None:
            continue
        if names.count(name) != 1:
            said = "more than one" if name in names else "no"
            raise BillError(1, f"there is {said} column {name!r}")
        places[what] = names.index(name)
    return places


def _amount(line: int, cell: str) -> Decimal:
    if AMOUNT.fullmatch(cell) is None:
        raise BillError(line, "the amount is no number such as 0.085")
    return Decimal(cell)


def _code(line: int, cell: str) -> int | None:
    if cell == "":
        return None
    if CODE.fullmatch(cell) is None:
        raise BillError(line, "the code is no whole number")
    return int(cell)
