"""The matrix is whole: nothing is answered by nothing, nothing cites what was not verified."""

import re

import pytest

from verification.controls.catalogue import CONTROLS, Control
from verification.controls.matrix import (
    BY_ID,
    UNVERIFIED,
    lines_by_instrument,
    lines_of,
    place_of,
    state_of,
)
from verification.controls.requirements import INSTRUMENTS, LINES, Line
from verification.controls.results import CheckResult, State, counts, digest, judged

NAMED = {each.id for each in LINES}


def test_ids_are_unique() -> None:
    assert len(NAMED) == len(LINES)
    assert len(BY_ID) == len(CONTROLS)
    assert len({each.id for each in INSTRUMENTS}) == len(INSTRUMENTS)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.id)
def test_each_line_is_answered_by_controls_or_is_the_operators_duty(line: Line) -> None:
    assert line.controls or line.duty
    assert set(line.controls) <= set(BY_ID)
    assert len(set(line.controls)) == len(line.controls)
    assert line.subject
    assert line.says.endswith(".")


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.id)
def test_a_place_has_its_number_or_says_that_it_was_not_verified(line: Line) -> None:
    if line.place is None:
        assert place_of(line) == UNVERIFIED
        assert not re.search(r"\d", line.subject + line.says)
    else:
        assert re.search(r"\d", place_of(line))


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_each_control_answers_a_line_and_says_what_to_do(control: Control) -> None:
    assert lines_of(control.id)
    assert all((control.title, control.holds, control.checked, control.remedy))


def test_each_instrument_has_lines_and_none_is_lost() -> None:
    grouped = dict(lines_by_instrument())
    assert all(grouped.values())
    assert sum(map(len, grouped.values())) == len(LINES)


def test_a_line_stands_as_its_worst_control_does() -> None:
    line = next(each for each in LINES if len(each.controls) > 1)
    held = dict.fromkeys(line.controls, State.HOLDS)
    first, second = line.controls[:2]
    assert state_of(line, held) == State.HOLDS
    assert state_of(line, {**held, first: State.UNKNOWN}) == State.UNKNOWN
    assert state_of(line, {first: State.FAILS, second: State.UNKNOWN}) == State.FAILS
    assert state_of(line, {}) == State.UNKNOWN
    assert state_of(next(each for each in LINES if not each.controls), held) is None


def test_what_is_no_fault_holds() -> None:
    assert judged(fault="", held="It holds.", evidence={}).state == State.HOLDS
    assert judged(fault="It fails.", held="", evidence={"n": 1}).sentence == "It fails."


def test_every_state_is_counted() -> None:
    assert counts([State.FAILS, State.FAILS]) == {"holds": 0, "fails": 2, "unknown": 0}


def test_the_digest_changes_with_anything_that_was_said() -> None:
    base = {"guards": CheckResult(State.HOLDS, "All stand.", {"n": 1, "names": ["a"]})}
    others = (
        {"other": base["guards"]},
        {"guards": CheckResult(State.FAILS, "All stand.", {"n": 1, "names": ["a"]})},
        {"guards": CheckResult(State.HOLDS, "All fell.", {"n": 1, "names": ["a"]})},
        {"guards": CheckResult(State.HOLDS, "All stand.", {"n": 2, "names": ["a"]})},
    )
    assert digest(base) == digest(dict(base))
    assert len({digest(base), *map(digest, others)}) == len(others) + 1
