"""One strict JSON loader (RFC 8259) for bodies that strangers send.

Refused, although parsers differ or accept them: a byte order mark, other encodings than UTF-8,
duplicate keys, NaN and Infinity, NUL and lone surrogates in keys and values, deep nesting, and
numbers too long to be meant. Fractions and exponents become `Decimal` with the digits as sent.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NoReturn

from verification.errors import VerificationError
from verification.faceid.types import Json

MAX_INT_CHARS = 40
MAX_FLOAT_CHARS = 64
MAX_EXPONENT = 400

_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)\Z")
_UNWANTED = re.compile("[\0\ud800-\udfff]")


class StrictJsonError(VerificationError, ValueError):
    """Bytes that are not strict JSON. The text says what is wrong and quotes nothing."""


def loads(raw: bytes | bytearray | memoryview, max_depth: int = 32) -> Json:
    """Parse a whole document; a scalar has depth 0, `[]` depth 1.

    Raises StrictJsonError and nothing else.
    """
    try:
        text = str(raw, "utf-8")
        value: Json = _DECODER.decode(text)
    except StrictJsonError:
        raise
    except UnicodeDecodeError:
        raise StrictJsonError("The text is not UTF-8.") from None
    except ValueError:
        raise StrictJsonError("The text is not JSON.") from None
    except RecursionError:
        raise StrictJsonError("The text is nested too deeply.") from None
    # Raw control characters are refused by the decoder and raw surrogates by UTF-8, so only an
    # escape can bring them in; most documents have none and are spared the search.
    _check(value, max_depth, search_text="\\u" in text)
    return value


def _check(document: Json, max_depth: int, *, search_text: bool) -> None:
    """Walk level by level, without recursion: depth, and the characters of keys and values."""
    level: list[Json] = [document]
    depth = 0
    while level:
        below: list[Json] = []
        for value in level:
            if isinstance(value, dict | list):
                if depth == max_depth:
                    raise StrictJsonError("The text is nested too deeply.")
                below.extend(_members(value, with_keys=search_text))
            elif search_text and isinstance(value, str) and _UNWANTED.search(value):
                raise StrictJsonError("A text holds NUL or half a surrogate pair.")
        level = below
        depth += 1


def _members(container: dict[str, Json] | list[Json], *, with_keys: bool) -> Iterator[Json]:
    if isinstance(container, list):
        yield from container
        return
    if with_keys:
        yield from container
    yield from container.values()


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise StrictJsonError("An object has a key twice.")
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_INT_CHARS:
        raise StrictJsonError("A number is too long.")
    return int(digits)


def _decimal(digits: str) -> Decimal:
    exponent = _EXPONENT.search(digits)
    if len(digits) > MAX_FLOAT_CHARS or (exponent and abs(int(exponent[1])) > MAX_EXPONENT):
        raise StrictJsonError("A number is too long or too large.")
    return Decimal(digits)


def _constant(_: str) -> NoReturn:
    raise StrictJsonError("NaN and Infinity are not numbers.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_decimal, parse_int=_integer, parse_constant=_constant
)
