"""The grammar of magic values, and the table behind it."""

import re

import pytest

from verification.faceid.contract import ERRORS, RESULTS, ErrorRow
from verification.sandbox.scenarios import (
    FAULTS,
    FRIENDLY,
    MAX_ARGUMENT,
    ROWS,
    SCENARIOS,
    TOKEN_FAULTS,
    Scenario,
    UnknownScenarioError,
    asked_by,
)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda each: each.name)
def test_every_name_can_be_asked_for_and_says_what_it_does(scenario: Scenario) -> None:
    asked = asked_by(f"ONB-17 sandbox:{scenario.name}")
    assert asked is not None
    assert asked.scenario is scenario
    assert asked.argument == (scenario.default or 0.0)
    assert re.fullmatch(r"[a-z0-9-]+", scenario.name)
    assert len(scenario.does) > 10


def test_no_name_stands_twice() -> None:
    assert len(SCENARIOS) == len(FRIENDLY) + len(ROWS) + len(FAULTS) + len(TOKEN_FAULTS)


def test_every_row_of_the_contract_is_among_the_rows() -> None:
    assert [each.row for each in ROWS if not isinstance(each.row, ErrorRow)] == list(RESULTS)
    refusals = {(each.row, each.endpoint) for each in ROWS if isinstance(each.row, ErrorRow)}
    assert refusals == {(row, endpoint) for row in ERRORS for endpoint in row.endpoints}


@pytest.mark.parametrize("text", ["", "ONB-17", "sandbox", "sandbox slow", "Sandbox:slow"])
def test_a_text_without_a_magic_value_asks_for_nothing(text: str) -> None:
    assert asked_by(text) is None


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("sandbox:slow", 2.0),
        ("sandbox:slow:0", 0.0),
        ("sandbox:slow:0.125 and more", 0.125),
        ("ONB-17/sandbox:slow:120", MAX_ARGUMENT),
        ("sandbox:slow:3\tsandbox:atack", 3.0),
    ],
)
def test_an_argument_is_a_plain_decimal_number(text: str, argument: float) -> None:
    asked = asked_by(text)
    assert asked is not None
    assert (asked.scenario.name, asked.argument) == ("slow", argument)


@pytest.mark.parametrize(
    "magic",
    ["slow:120.001", "slow:1000", "slow:1.2345", "slow:1e1", "slow:\u0665", "slow:1:2", "slow:1,"],
)
def test_what_is_no_argument_is_refused(magic: str) -> None:
    with pytest.raises(UnknownScenarioError):
        asked_by(f"sandbox:{magic}")


@pytest.mark.parametrize("name", [name for name, each in SCENARIOS.items() if each.default is None])
def test_a_scenario_without_an_argument_takes_none(name: str) -> None:
    with pytest.raises(UnknownScenarioError):
        asked_by(f"sandbox:{name}:1")
