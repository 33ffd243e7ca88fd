"""The matrix: instruments, their lines, and the controls that answer each."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from verification.controls.catalogue import CONTROLS, Control
from verification.controls.requirements import INSTRUMENTS, LINES, Instrument, Line
from verification.controls.results import State

UNVERIFIED = "number not verified"

BY_ID: Mapping[str, Control] = MappingProxyType({each.id: each for each in CONTROLS})
"""Controls by their ids, in the order of the catalogue."""

WORST = (State.FAILS, State.UNKNOWN, State.HOLDS)


def lines_by_instrument() -> Iterator[tuple[Instrument, tuple[Line, ...]]]:
    """Yield each instrument with its lines."""
    for instrument in INSTRUMENTS:
        yield instrument, tuple(each for each in LINES if each.instrument == instrument.id)


def place_of(line: Line) -> str:
    """Return where a line stands in its instrument, or that the number was not verified."""
    return line.place or UNVERIFIED


def lines_of(control_id: str) -> tuple[Line, ...]:
    """Return the lines that a control answers."""
    return tuple(each for each in LINES if control_id in each.controls)


def state_of(line: Line, states: Mapping[str, State]) -> State | None:
    """Return the worst state of a line's controls; None if nothing but a duty answers it.

    A control that was never checked is unknown.
    """
    found = {states.get(each, State.UNKNOWN) for each in line.controls}
    return next((each for each in WORST if each in found), None)
