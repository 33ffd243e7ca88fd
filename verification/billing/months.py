"""A month of UTC, as bills and reports name it: `2026-11`."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from verification.errors import VerificationError

MONTH = re.compile(r"(2[01][0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)
DECEMBER = 12


class MonthError(VerificationError):
    """The text is not a month."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the years 2000 to 2199."""

    year: int
    number: int

    def __str__(self) -> str:
        """Return it as `2026-11`."""
        return f"{self.year:04}-{self.number:02}"

    @property
    def first(self) -> date:
        """Return its first day."""
        return date(self.year, self.number, 1)

    @property
    def following(self) -> "Month":
        """Return the month after it."""
        if self.number == DECEMBER:
            return Month(self.year + 1, 1)
        return Month(self.year, self.number + 1)

    @property
    def start(self) -> datetime:
        """Return its first moment, in UTC."""
        return datetime.combine(self.first, time.min, UTC)

    @property
    def end(self) -> datetime:
        """Return the first moment that is not of it."""
        return self.following.start


def read_month(text: str) -> Month:
    """Read `2026-11`; MonthError for anything else."""
    found = MONTH.fullmatch(text)
    if found is None:
        raise MonthError(f"{text[:40]!r} is no month such as 2026-11")
    return Month(int(found[1]), int(found[2]))
