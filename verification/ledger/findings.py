"""How and where a log can break."""

from dataclasses import dataclass
from enum import StrEnum


class Break(StrEnum):
    """The ways in which an audit can fail."""

    INDEX = "index"
    FORM = "form"
    NOTE = "note"
    SIGNATURE = "signature"
    ORIGIN = "origin"
    ORDER = "order"
    TIME = "time"
    ROOT = "root"
    TRUNCATED = "truncated"
    START = "start"


@dataclass(frozen=True, slots=True)
class Finding:
    """The break lies among the entries `first` <= index < `end`.

    For INDEX and FORM that is one entry. For ROOT and TRUNCATED it is what the checkpoint adds to
    the last good one. For the others `first == end`: the checkpoint after the last good one, of
    that size, is at fault, and no entry is in question yet.
    """

    how: Break
    first: int
    end: int
    why: str

    def __str__(self) -> str:
        """Return one line for a person."""
        if self.first == self.end:
            return f"{self.how}, in the checkpoint after size {self.first}: {self.why}"
        if self.end - self.first == 1:
            return f"{self.how}, at entry {self.first}: {self.why}"
        return f"{self.how}, in the entries {self.first} to {self.end - 1}: {self.why}"
