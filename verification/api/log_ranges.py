"""Sizes and ranges of the log in query parameters: strict, and inside the log."""

import re
from collections.abc import Mapping

from verification.api.problems import Problem

MAX_ENTRIES = 1000
"""Entries in one page."""

MAX_NUMBER = 10**15 - 1
NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")


def read_number(parameters: Mapping[str, str], name: str) -> int | None:
    """Return a size or an index, None if it is not given; Problem `invalid_parameter`."""
    text = parameters.get(name)
    if text is None:
        return None
    if not NUMBER.fullmatch(text):
        rule = f"is an integer from 0 to {MAX_NUMBER}, without leading zeros"
        raise Problem(
            "invalid_parameter", f"The parameter {name} {rule}.", extra={"parameter": name}
        )
    return int(text)


def read_range(parameters: Mapping[str, str], *, size: int) -> range:
    """Return the indexes from `start` up to, but not including, `end`; Problem `invalid_range`."""
    start = read_number(parameters, "start") or 0
    end = read_number(parameters, "end")
    end = size if end is None else end
    if end > size:
        raise Problem("invalid_range", f"The log has {size} entries.", extra={"parameter": "end"})
    if start > end:
        raise Problem(
            "invalid_range",
            f"start is at most end, or the log's size, {size}.",
            extra={"parameter": "start"},
        )
    return range(start, end)
