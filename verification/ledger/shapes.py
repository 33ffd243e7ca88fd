"""Recognise canonical entries quickly, by shapes that were proved canonical once.

Parsing an entry and writing it again takes ten times as long as hashing it. Entries of a log have
few shapes: the same keys in the same order, other values. From each new shape that `parse` has
accepted, a pattern is learned that fixes keys, order and punctuation and leaves holes for simple
values. What matches is canonical: the order was proved, and a hole takes only printable ASCII
texts without escapes, integers below 10**15, booleans and null, each of which has one spelling.
What does not match goes to `parse`, so that a shape can only save time, never decide against.
"""

import re

from verification.ledger.canonical import MAX_BYTES, Json, parse

MAX_SHAPES = 64

_AFTER_KEY = b'":'
_HOLE = rb'(?:"[ !#-\[\]-~]*+"|true|false|null|0|-?[1-9][0-9]{0,14}+)'


class ShapeMemory:
    """Checks canonical form and remembers at most MAX_SHAPES shapes; one per audit, one thread."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._by_keys: dict[int, list[re.Pattern[bytes]]] = {}

    def check(self, raw: bytes) -> None:
        """Return if `raw` is canonical, else raise the CanonicalError of `parse`."""
        if len(raw) <= MAX_BYTES:
            for pattern in self._by_keys.get(raw.count(_AFTER_KEY), ()):
                if pattern.fullmatch(raw):
                    return
        entry = parse(raw)
        # What has escapes or more than ASCII would not fit even its own shape.
        if len(self._known) < MAX_SHAPES and raw.isascii() and b"\\" not in raw:
            self._learn(entry)

    def _learn(self, entry: dict[str, Json]) -> None:
        shape = _shape(entry)
        if shape not in self._known:
            self._known.add(shape)
            # No hole takes a quote inside, so what matches has as many of these as the shape has.
            alike = self._by_keys.setdefault(shape.count(_AFTER_KEY), [])
            alike.append(re.compile(shape))


def _shape(value: Json) -> bytes:
    """Return the pattern of a canonical value that is written without escapes."""
    if isinstance(value, dict):
        return rb"\{%b\}" % b",".join(
            re.escape(b'"%b":' % key.encode()) + _shape(value[key]) for key in sorted(value)
        )
    if isinstance(value, list):
        return rb"\[%b\]" % b",".join(map(_shape, value))
    return _HOLE
