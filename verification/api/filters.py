"""Query parameters: an allow-list, typed and strict, and the cursors of pages."""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

from verification.api.problems import Problem
from verification.lifecycle import State
from verification.models import ApiClient, LedgerCheckpoint
from verification.models.review import ReviewState
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Verdict
from verification.selectors.as_of import newest_repeatable, repeatable_checkpoint
from verification.selectors.attempts import AttemptQuery, Position
from verification.selectors.export_columns import COLUMNS
from verification.selectors.export_form import STREAMED, FileForm, Layout, choose_columns
from verification.services.export_shape import Shape

MAX_PARAMETERS = 50
MAX_PAGE_SIZE = 200
DEFAULT_PAGE_SIZE = 50
FIRST_YEAR, LAST_YEAR = 1970, 9998
INT32 = range(-(2**31), 2**31)
INTEGER = re.compile(r"-?[0-9]{1,10}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
CURSOR = re.compile(r"[A-Za-z0-9_-]{1,200}")
PAGE_PARAMETERS = frozenset({"cursor", "page_size"})
FILE_PARAMETERS = frozenset({"as_of", "columns", "layout"})
JOB_PARAMETERS = frozenset({"columns", "layout", "gzip"})
BUNDLE = "bundle"
FLAGS = {"true": True, "false": False}
LATEST = "latest"
SIZE = re.compile(r"[0-9]{1,18}", re.ASCII)

Choice = TypeVar("Choice", bound=Enum)


def read_parameters(query_string: str, *, allowed: Collection[str]) -> dict[str, str]:
    """Return the query parameters by name.

    `query_string` is WSGI's: percent-encoded, any raw byte as one Latin-1 character. Raises
    Problem: unknown, repeated, not UTF-8, with NUL, too many, or without `=`.
    """
    if not query_string:
        return {}
    parameters: dict[str, str] = {}
    for name, text in _pairs(query_string):
        if name not in allowed:
            raise Problem("unknown_parameter", f"Known here: {', '.join(sorted(allowed)) or '-'}.")
        if name in parameters:
            raise _invalid(name, "is given once")
        parameters[name] = text
    return parameters


def attempt_query(parameters: Mapping[str, str], *, client: ApiClient) -> AttemptQuery:
    """Return the filters among the parameters, for a client's own attempts."""
    given: dict[str, Any] = {
        name: read(name, parameters[name]) for name, read in READERS.items() if name in parameters
    }
    return AttemptQuery(client=client, **given)


def export_form(parameters: Mapping[str, str]) -> FileForm:
    """Return what the file is to look like: `layout`, and `columns` with commas between."""
    read_layout = _choice(Layout)
    layout = parameters.get("layout", Layout.CSV)
    columns = COLUMNS
    if (names := parameters.get("columns")) is not None:
        try:
            columns = choose_columns(names.split(","))
        except KeyError:
            raise _invalid("columns", "names columns of the file, with commas between") from None
    return FileForm(columns, read_layout("layout", layout))


def streamed_form(parameters: Mapping[str, str]) -> FileForm:
    """Return the form of a stream, which takes fewer layouts than a file."""
    form = export_form(parameters)
    if form.layout not in STREAMED:
        raise _invalid("layout", f"is one of {', '.join(STREAMED)} in a stream: ask for a file")
    return form


def export_shape(parameters: Mapping[str, str]) -> Shape:
    """Return what a file is to be: as `export_form`, `layout` may be `bundle`, and `gzip`."""
    is_bundle = parameters.get("layout") == BUNDLE
    plain = {**parameters, "layout": Layout.CSV.value} if is_bundle else parameters
    form = export_form(plain)
    gzip = parameters.get("gzip", "false")
    if gzip not in FLAGS:
        raise _invalid("gzip", "is true or false")
    return Shape(
        columns=tuple(each.name for each in form.columns),
        layout=form.layout,
        is_gzipped=FLAGS[gzip],
        is_masked=False,
        is_bundle=is_bundle,
    )


def export_as_of(parameters: Mapping[str, str]) -> LedgerCheckpoint | None:
    """Return the checkpoint of `as_of`, a size or `latest`, if it is given."""
    text = parameters.get("as_of")
    if text is None:
        return None
    if text == LATEST:
        checkpoint = newest_repeatable()
    else:
        checkpoint = repeatable_checkpoint(int(text)) if SIZE.fullmatch(text) else None
    if checkpoint is None:
        rule = f"is {LATEST}, or the size of a checkpoint as of which an export can be repeated"
        raise _invalid("as_of", rule)
    return checkpoint


def page_size(parameters: Mapping[str, str]) -> int:
    """Return how many attempts a page holds, 1 to 200."""
    text = parameters.get("page_size", str(DEFAULT_PAGE_SIZE))
    size = int(text) if INTEGER.fullmatch(text) else 0
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise _invalid("page_size", f"is an integer from 1 to {MAX_PAGE_SIZE}")
    return size


def cursor_of(position: Position) -> str:
    """Return the opaque text of a position."""
    text = f"{position.created_at.astimezone(UTC).isoformat()}|{position.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(parameters: Mapping[str, str]) -> Position | None:
    """Return where the page starts; Problem `invalid_cursor` for all but our own cursors."""
    text = parameters.get("cursor")
    if text is None:
        return None
    try:
        position = _decode_cursor(text)
    except (ValueError, OverflowError, binascii.Error):
        position = None
    if position is None or cursor_of(position) != text:
        raise Problem("invalid_cursor", "Take `next_cursor` of the page before, unchanged.")
    return position


def _decode_cursor(text: str) -> Position | None:
    if not CURSOR.fullmatch(text):
        return None
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    created_at, _, identity = decoded.partition("|")
    at = datetime.fromisoformat(created_at)
    in_range = at.tzinfo is not None and FIRST_YEAR <= at.year <= LAST_YEAR
    return Position(at, UUID(identity)) if in_range else None


def _pairs(query_string: str) -> list[tuple[str, str]]:
    try:
        raw = parse_qsl(
            query_string.encode("latin-1"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=MAX_PARAMETERS,
        )
        return [(name.decode("utf-8"), value.decode("utf-8")) for name, value in raw]
    except ValueError:
        detail = f"At most {MAX_PARAMETERS} parameters `name=value`, in percent-encoded UTF-8."
        raise Problem("invalid_parameter", detail) from None


def _choice(kind: type[Choice]) -> Callable[[str, str], Choice]:
    def read(name: str, text: str) -> Choice:
        try:
            return kind(text)
        except ValueError:
            choices = ", ".join(each.value for each in kind)
            raise _invalid(name, f"is one of {choices}") from None

    return read


def _integer(name: str, text: str) -> int:
    if not INTEGER.fullmatch(text) or int(text) not in INT32:
        raise _invalid(name, "is an integer of 32 bits in ASCII digits")
    return int(text)


def _text(max_chars: int) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if not text or len(text) > max_chars or CONTROL.search(text):
            raise _invalid(name, f"has 1 to {max_chars} characters, none of them control")
        return text

    return read


def _time(name: str, text: str) -> datetime:
    """Read RFC 3339 with its offset; a bare date is its midnight in UTC."""
    try:
        at = _parse_time(text)
    except ValueError:
        at = None
    if at is None:
        raise _invalid(name, "is a date or an RFC 3339 time with its offset, `+` written as %2B")
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise _invalid(name, f"lies between the years {FIRST_YEAR} and {LAST_YEAR}")
    return at.astimezone(UTC)  # PostgreSQL knows no offsets of 16 hours and more


def _parse_time(text: str) -> datetime | None:
    if DATE.fullmatch(text):
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    return datetime.fromisoformat(text) if TIME.fullmatch(text) else None


def _invalid(name: str, rule: str) -> Problem:
    extra = {"parameter": name}
    return Problem("invalid_parameter", f"The parameter {name} {rule}.", extra=extra)


READERS: Mapping[str, Callable[[str, str], object]] = MappingProxyType(
    {
        "state": _choice(State),
        "outcome": _choice(Outcome),
        "decision": _choice(Decision),
        "verdict": _choice(Verdict),
        "review_state": _choice(ReviewState),
        "result_code": _integer,
        "biz_no": _text(512),
        "request_id": _text(200),
        "subject": _text(128),
        "created_from": _time,
        "created_before": _time,
    }
)
"""Every filter and how its text is read."""

EXPORT_READERS: Mapping[str, Callable[[str, str], object]] = MappingProxyType(
    {
        name: READERS[name]
        for name in ("state", "outcome", "decision", "verdict", "created_from", "created_before")
    }
)
"""Those of a file that is made later: none is a text about a person, for they are kept."""
