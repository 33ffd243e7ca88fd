"""Recognise canonical entries quickly, by shapes that were proved canonical once.

Parsing an entry and writing it again takes ten times as long as hashing it. Entries of a log have
few shapes: the same keys in the same order, other values. From each new shape that `parse` has
accepted, a pattern is learned that fixes keys, order and punctuation and leaves holes for simple
values. What matches is canonical: the order was proved, and a hole takes only texts, integers
below 10**15, booleans and null, each of which has one spelling in an entry that is ASCII without
escapes. All else goes to `parse`, so that a shape can only save time, never decide against.
"""

import re

from verification.ledger.canonical import MAX_BYTES, Json, parse

MAX_SHAPES = 64

_PLAIN = bytes(each for each in range(0x20, 0x80) if each != ord("\\"))
# Two quick looks instead of one slow one: a pattern reads `[^"]` five times as fast as a class, and
# what it would let through is not plain.
_HOLE = rb'(?:"[^"]*+"|true|false|null|0|-?[1-9][0-9]{0,14}+)'


class ShapeMemory:
    """Checks canonical form and remembers at most MAX_SHAPES shapes; one per audit, one thread."""

    def __init__(self) -> None:
        self._shapes: dict[bytes, re.Pattern[bytes]] = {}
        # The shape that an entry of this length had last: nearly always the right one to try.
        self._by_length: dict[int, re.Pattern[bytes]] = {}

    def check(self, raw: bytes) -> None:
        """Return if `raw` is canonical, else raise the CanonicalError of `parse`."""
        is_plain = len(raw) <= MAX_BYTES and not raw.translate(None, _PLAIN)
        if is_plain and self._fits(raw):
            return
        entry = parse(raw)
        # Anything else would not fit even its own shape.
        if is_plain and len(self._shapes) < MAX_SHAPES:
            shape = _shape(entry)
            self._shapes.setdefault(shape, re.compile(shape))

    def _fits(self, raw: bytes) -> bool:
        likely = self._by_length.get(len(raw))
        if likely and likely.fullmatch(raw):
            return True
        for pattern in self._shapes.values():
            if pattern.fullmatch(raw):
                self._by_length[len(raw)] = pattern
                return True
        return False


def _shape(value: Json) -> bytes:
    """Return the pattern of a canonical value that is written without escapes."""
    if isinstance(value, dict):
        return rb"\{%b\}" % b",".join(
            re.escape(b'"%b":' % key.encode()) + _shape(value[key]) for key in sorted(value)
        )
    if isinstance(value, list):
        return rb"\[%b\]" % b",".join(map(_shape, value))
    return _HOLE
