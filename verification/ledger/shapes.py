"""Recognise canonical entries quickly, by shapes that were proved canonical once.

Parsing an entry and writing it again takes ten times as long as hashing it. Entries of a log have
few shapes: the same keys in the same order, other values. From each new shape that `parse` has
accepted, a pattern is learned that fixes keys, order and punctuation and leaves holes for simple
values. What matches is canonical: the order was proved, and a hole takes only printable ASCII
texts without escapes, integers below 10**15, booleans and null, each of which has one spelling.
What does not match goes to `parse`, so that a shape can only save time, never decide against.
"""

import json
import re

from verification.ledger.canonical import MAX_BYTES, Json, parse

MAX_SHAPES = 24

_HOLE = rb'(?:"[ !#-\[\]-~]*+"|true|false|null|0|-?[1-9][0-9]{0,14}+)'


class ShapeMemory:
    """Checks canonical form and remembers at most MAX_SHAPES shapes; one per audit, one thread."""

    def __init__(self) -> None:
        self._patterns: list[re.Pattern[bytes]] = []
        self._known: set[bytes] = set()

    def check(self, raw: bytes) -> None:
        """Return if `raw` is canonical, else raise the CanonicalError of `parse`."""
        if len(raw) <= MAX_BYTES:
            for pattern in self._patterns:
                if pattern.fullmatch(raw):
                    return
        self._learn(parse(raw))

    def _learn(self, entry: dict[str, Json]) -> None:
        if len(self._known) >= MAX_SHAPES:
            return
        shape = _shape(entry)
        if shape not in self._known:
            self._known.add(shape)
            self._patterns.append(re.compile(shape))


def _shape(value: Json) -> bytes:
    """Return the pattern of a canonical value; the keys come in the order of their bytes."""
    if isinstance(value, dict):
        return rb"\{%b\}" % b",".join(
            re.escape(json.dumps(key, ensure_ascii=False).encode()) + b":" + _shape(value[key])
            for key in sorted(value)
        )
    if isinstance(value, list):
        return rb"\[%b\]" % b",".join(map(_shape, value))
    return _HOLE
