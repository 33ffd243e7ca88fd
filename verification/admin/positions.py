"""Positions in a list as they stand in an address: microseconds since 1970, a dot, the id."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from verification.selectors.listing import Position

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOKEN = re.compile(r"([0-9]{1,16})\.([0-9a-f]{32})", re.ASCII)


def write_position(position: Position) -> str:
    """Return the text for an address."""
    return f"{(position.created_at - EPOCH) // timedelta(microseconds=1)}.{position.id.hex}"


def read_position(text: str) -> Position | None:
    """Return the position of a text; None for anything `write_position` does not write."""
    if not (match := TOKEN.fullmatch(text)):
        return None
    return Position(EPOCH + timedelta(microseconds=int(match[1])), UUID(hex=match[2]))
