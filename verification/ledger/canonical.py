"""The one form in which an entry is stored and hashed: RFC 8785 (JCS), restricted.

The whole format, with vectors, is docs/formats/entry.md. Because keys are ASCII and there are no
floats, the standard library's sorted, compact output is JCS byte for byte.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NoReturn

from verification.ledger.errors import CanonicalError

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]

MAX_BYTES = 65_536
MAX_DEPTH = 16
MAX_INTEGER = 2**53 - 1


def canonical(entry: Mapping[str, Json]) -> bytes:
    """Return the canonical bytes (UTF-8, at most MAX_BYTES) of an entry.

    Values are None, booleans, integers within +-MAX_INTEGER, texts without lone surrogates, and
    lists and dictionaries of these; the entry itself counts as depth 1 of MAX_DEPTH. Anything
    else raises CanonicalError.
    """
    value = dict(entry)
    _check_values(value)
    raw = _encode(value)
    if len(raw) > MAX_BYTES:
        raise CanonicalError(f"an entry is longer than {MAX_BYTES} bytes")
    return raw


def parse(raw: bytes) -> dict[str, Json]:
    """Return the entry whose canonical bytes are `raw`; CanonicalError if they are not exactly so.

    Two different inputs never give the same entry.
    """
    if len(raw) > MAX_BYTES:
        raise CanonicalError(f"an entry is longer than {MAX_BYTES} bytes")
    value = _decode(raw)
    if not isinstance(value, dict):
        raise CanonicalError("an entry is an object")
    if not raw.isascii() or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _check_values(value)
    # White space, a key twice, another order or spelling, something after: each changes the bytes.
    if _encode(value) != raw:
        raise CanonicalError("the bytes are not the canonical form of what they say")
    return value


def _decode(raw: bytes) -> Json:
    try:
        value, _ = _DECODER.raw_decode(str(raw, "utf-8"))
    except CanonicalError:
        raise
    except UnicodeDecodeError:
        raise CanonicalError("an entry is UTF-8") from None
    except ValueError:
        raise CanonicalError("an entry is JSON") from None
    except RecursionError:
        raise CanonicalError(f"an entry is nested deeper than {MAX_DEPTH}") from None
    parsed: Json = value
    return parsed


def _encode(value: dict[str, Json]) -> bytes:
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        raise CanonicalError("a text holds half of a surrogate pair") from None


def _check_values(entry: dict[str, Json]) -> None:
    """Walk level by level, without recursion, so that no depth can exhaust the stack."""
    level: list[Json] = [entry]
    depth = 1
    while level:
        level = [member for value in level for member in _members(value, depth)]
        depth += 1


def _members(value: Json, depth: int) -> Iterable[Json]:
    """Return what stands in a container at `depth`; refuse what an entry cannot hold."""
    kind = type(value)  # exactly: a subclass could write itself differently
    if isinstance(value, dict | list) and kind in (dict, list):
        if depth > MAX_DEPTH:
            raise CanonicalError(f"an entry is nested deeper than {MAX_DEPTH}")
        if isinstance(value, list):
            return value
        _check_keys(value)
        return value.values()
    if isinstance(value, int) and kind is int and not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise CanonicalError("an integer lies beyond 2**53 - 1")
    if value is not None and kind not in (bool, int, str):
        raise CanonicalError("a value is of a type that an entry cannot hold")
    return ()


def _check_keys(members: Mapping[str, Json]) -> None:
    for key in members:
        if type(key) is not str or not key.isascii():
            raise CanonicalError("a key is not an ASCII text")


def _integer(digits: str) -> int:
    # Bounded first: turning a long text into an integer takes quadratic time.
    if len(digits) > len(str(-MAX_INTEGER)) or abs(int(digits)) > MAX_INTEGER:
        raise CanonicalError("an integer lies beyond 2**53 - 1")
    return int(digits)


def _refuse_number(_: str) -> NoReturn:
    raise CanonicalError("a number is not an integer")


_DECODER = json.JSONDecoder(
    parse_int=_integer, parse_float=_refuse_number, parse_constant=_refuse_number
)
_ENCODER = json.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,
    allow_nan=False,
    sort_keys=True,
    separators=(",", ":"),
)
