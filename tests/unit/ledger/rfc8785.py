"""RFC 8785, section 3.2, written down step by step and slowly, to compare with."""

from typing import Any

# 3.2.2.2: these controls have short escapes, the other ones are written \u00hh.
SHORT = {0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r"}


def serialize(value: Any) -> str:
    """Return the canonical text of a value without fractions."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, list):
        return "[" + ",".join(serialize(each) for each in value) + "]"
    # 3.2.3: properties are sorted by their names as arrays of UTF-16 code units.
    names = sorted(value, key=utf16_units)
    return "{" + ",".join(quote(name) + ":" + serialize(value[name]) for name in names) + "}"


def utf16_units(text: str) -> list[int]:
    """Return the UTF-16 code units of a text."""
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


def quote(text: str) -> str:
    """Return a string as 3.2.2.2 writes it."""
    return '"' + "".join(map(character, text)) + '"'


def character(each: str) -> str:
    """Return one character inside of a string."""
    code = ord(each)
    if code in SHORT:
        return SHORT[code]
    if code <= 0x1F:
        return f"\\u{code:04x}"
    if code in (0x22, 0x5C):
        return "\\" + each
    return each
