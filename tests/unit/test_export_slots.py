"""Exports at once are bounded, and every way an export can end frees its slot."""

from collections.abc import Generator

import pytest

from verification.services.errors import ExportsBusyError
from verification.services.export_slots import ExportSlots


def blocks() -> Generator[bytes, None, None]:
    yield b"one"
    yield b"two"


def broken() -> Generator[bytes, None, None]:
    yield b"one"
    raise OSError


def unstartable() -> Generator[bytes, None, None]:
    """Fail where an export fails whose database is away: before there is anything to read."""
    raise ConnectionError


def test_one_more_than_there_are_slots_is_told_to_come_back() -> None:
    slots = ExportSlots(2)
    held = [slots.stream(blocks), slots.stream(blocks)]
    with pytest.raises(ExportsBusyError):
        slots.stream(blocks)
    held[0].close()
    assert list(slots.stream(blocks)) == [b"one", b"two"]


def test_a_slot_is_free_after_the_last_block() -> None:
    slots = ExportSlots(1)
    for _ in range(3):
        assert b"".join(slots.stream(blocks)) == b"onetwo"


def test_a_slot_is_free_after_a_reader_that_went_away_or_never_came() -> None:
    slots = ExportSlots(1)
    for _ in range(3):
        stream = slots.stream(blocks)
        stream.close()
        stream.close()
    next(started := slots.stream(blocks))
    started.close()
    assert list(slots.stream(blocks))


def test_a_slot_is_free_after_a_failure() -> None:
    slots = ExportSlots(1)
    for _ in range(3):
        with pytest.raises(OSError, match=r"^$"):
            list(slots.stream(broken))

    for _ in range(3):
        with pytest.raises(ConnectionError):
            slots.stream(unstartable)
    assert list(slots.stream(blocks))
