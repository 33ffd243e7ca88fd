"""The page on the sandbox lists what the sandbox has."""

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from verification.sandbox.request_log import MAX_ENTRIES, LoggedRequest
from verification.sandbox.scenarios import MAX_ARGUMENT, SCENARIOS, Scenario, asked_by

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/sandbox.md").read_text()


def told(scenario: Scenario) -> str:
    default = "" if scenario.default is None else f" ({scenario.default:g})"
    return f"{scenario.does}{default}"


def verify_table() -> str:
    """The table that the page must have for verify."""
    lines = ["| `sandbox:` | what it does | spent |", "|---|---|---|"]
    lines += [
        f"| `{each.name}` | {told(each)} | {'yes' if each.spends else 'no'} |"
        for each in SCENARIOS.values()
        if each.endpoint == "verify"
    ]
    return "\n".join(lines)


def token_table() -> str:
    """The table that the page must have for get_biz_token."""
    lines = ["| `sandbox:` | what it does |", "|---|---|"]
    lines += [
        f"| `{each.name}` | {told(each)} |"
        for each in SCENARIOS.values()
        if each.endpoint == "get_biz_token"
    ]
    return "\n".join(lines)


@pytest.mark.parametrize("table", [verify_table, token_table])
def test_the_page_lists_every_scenario_as_it_is(table: Callable[[], str]) -> None:
    expected = table()
    heading = expected.partition("\n")[0]
    listed = PAGE.partition(f"\n{heading}\n")[2].partition("\n\n")[0]
    assert f"{heading}\n{listed}" == expected


def test_the_examples_of_magic_values_are_ones() -> None:
    block = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    assert all(asked_by(line) for line in block[1].splitlines())


def test_every_field_of_the_request_log_is_explained() -> None:
    log = PAGE.partition("## Request log")[2]
    for each in fields(LoggedRequest):
        assert f"`{each.name}`" in log
    assert f"newest {MAX_ENTRIES:,}" in log


def test_the_range_of_arguments_is_the_one_in_force() -> None:
    assert f"from 0 to {MAX_ARGUMENT:g} " in PAGE
