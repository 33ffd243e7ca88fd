"""The reference of controls says what the matrix says, row by row."""

from pathlib import Path

import pytest

from verification.controls.catalogue import CONTROLS, Control
from verification.controls.matrix import lines_by_instrument, place_of
from verification.controls.requirements import LINES, Line

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/controls.md").read_text()


def control_row(control: Control) -> str:
    """Return the row of a control."""
    return f"| `{control.id}` | {control.title} | {control.checked} | {control.remedy} |"


def line_row(line: Line) -> str:
    """Return the row of a line."""
    controls = ", ".join(f"`{each}`" for each in line.controls) or "none"
    return f"| {place_of(line)} | {line.subject} | {line.says} | {controls} | {line.duty} |"


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_each_control_has_its_row(control: Control) -> None:
    assert control_row(control) in PAGE


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.id)
def test_each_line_has_its_row(line: Line) -> None:
    assert line_row(line) in PAGE


def test_there_is_nothing_else_in_the_tables() -> None:
    instruments = [instrument for instrument, _lines in lines_by_instrument()]
    assert all(f"### {each.name}\n" in PAGE for each in instruments)
    rows = [each for each in PAGE.splitlines() if each.startswith("|")]
    heads = 2 * (1 + len(instruments))
    assert len(rows) == len(CONTROLS) + len(LINES) + heads
