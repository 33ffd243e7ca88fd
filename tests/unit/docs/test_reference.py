"""The documentation fails the suite when it lags behind the code."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from verification.conf import Conf
from verification.lifecycle import State
from verification.outcomes import Outcome
from verification.policy.document import Policy
from verification.policy.terms import Reason, Verdict
from verification.services.faults import FaultCode

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SETTINGS_PAGE = (ROOT / "docs/reference/settings.md").read_text()
GLOSSARY = (ROOT / "docs/glossary.md").read_text()


def _headings(page: str) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", page, re.MULTILINE))


def test_every_environment_variable_has_its_heading() -> None:
    code = "".join(path.read_text() for path in (ROOT / "project").glob("settings.py"))
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', code))
    assert read, "the settings read no environment variable any more?"
    documented = {heading for heading in _headings(SETTINGS_PAGE) if heading.isupper()}
    assert read == documented


def test_every_key_of_the_apps_dictionary_is_documented() -> None:
    for each in fields(Conf):
        assert f"`{each.name.upper()}`" in SETTINGS_PAGE


def test_every_system_check_is_documented() -> None:
    code = (ROOT / "verification/checks.py").read_text()
    for check_id in re.findall(r'id="(verification\.\w+)"', code):
        assert f"`{check_id}`" in SETTINGS_PAGE


@pytest.mark.parametrize("word", [*State, *Outcome])
def test_every_state_and_outcome_is_in_the_glossary(word: str) -> None:
    assert f"| {word.replace('_', ' ')} |" in GLOSSARY


@pytest.mark.parametrize("code", FaultCode)
def test_every_finding_of_the_verification_is_explained(code: FaultCode) -> None:
    assert f"`{code}`" in (ROOT / "docs/reference/ledger-verify.md").read_text()


def test_every_kind_of_entry_is_specified() -> None:
    page = (ROOT / "docs/formats/events.md").read_text()
    for module in (
        "services/entries.py",
        "models/reveal.py",
        "models/erasure.py",
        "models/policy.py",
        "models/price.py",
        "models/control.py",
        "models/subject.py",
        "services/staff.py",
    ):
        code = (ROOT / "verification" / module).read_text()
        kinds = re.findall(r'^[A-Z_]+ = "([a-z_]+(?:\.[a-z_]+)?)"$', code, re.MULTILINE)
        assert kinds
        for kind in kinds:
            assert f"`{kind}`" in page


@pytest.mark.parametrize("word", [*Reason, *Verdict])
def test_every_reason_and_verdict_is_explained(word: str) -> None:
    assert f"| `{word}` |" in (ROOT / "docs/reference/policy.md").read_text()


def test_every_member_of_a_policy_is_specified() -> None:
    page = (ROOT / "docs/formats/policy.md").read_text()
    for each in fields(Policy):
        assert f"`{each.name}`" in page


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs/reference/commands.md").read_text()
    for path in (ROOT / "verification/management/commands").glob("[a-z]*.py"):
        assert f"`{path.stem}`" in page or f"## {path.stem}" in page, path.stem


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_documentation_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target
