"""A policy that lives in a repository: proposed by a command, compared by a system check."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.checks import CheckMessage, run_checks
from django.core.management import CommandError, call_command
from django.test.utils import override_settings

from tests.integration.policies.changing import NOTE, document
from verification.models import ReviewPolicy
from verification.policy.document import write_document
from verification.services.policies import decide_policy
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with another policy, and a line break at its end."""
    path = tmp_path / "policy.json"
    path.write_bytes(write_document(document(margin="3")) + b"\n")
    return path


def test_a_file_is_proposed(file: Path, paula: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("policy_propose", str(file), by="paula", note=NOTE)
    assert capsys.readouterr().out == "version 2 proposed\n"
    row = ReviewPolicy.objects.get(pk=2)
    assert (row.state, row.proposed_by, row.note) == ("proposed", paula, NOTE)
    assert row.document.encode() == file.read_bytes().strip()
    with pytest.raises(CommandError, match="says the same"):
        call_command("policy_propose", str(file), by="paula", note=NOTE)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"by": "stranger"}, "There is no account 'stranger'"),
        ({"by": "nobody"}, "Your role does not include this"),
        ({"note": "short"}, "Give a reason"),
        ({"file": "/nowhere"}, "No such file"),
        ({"file": "/dev/null"}, "not a policy"),
    ],
)
def test_what_is_refused_is_told_in_a_sentence(
    change: dict[str, str], sentence: str, file: Path, paula: User, nobody: User
) -> None:
    given = {"file": str(file), "by": "paula", "note": NOTE, **change}
    with pytest.raises(CommandError, match=sentence):
        call_command("policy_propose", given["file"], by=given["by"], note=given["note"])
    assert ReviewPolicy.objects.count() == 1


def warned(settings: Any, path: Path | None) -> list[CheckMessage]:
    """Return what the check says of a file."""
    given = {**settings.VERIFICATION, "POLICY_FILE": str(path or "")}
    with override_settings(VERIFICATION=given):
        found = run_checks(databases=["default"])
    return [each for each in found if each.id == "verification.W013"]


def test_the_check_compares_the_file_with_what_is_in_force(
    settings: Any, file: Path, paula: User, dora: User, runtime: Runtime
) -> None:
    assert warned(settings, None) == []
    [other] = warned(settings, file)
    assert other.msg == "POLICY_FILE says something else than version 1, which is in force."
    call_command("policy_propose", str(file), by="paula", note=NOTE)
    assert warned(settings, file) == [other]
    decide_policy(version=2, approve=True, by=dora, runtime=runtime)
    assert warned(settings, file) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"no json"])
def test_the_check_tells_a_file_that_is_no_policy(
    settings: Any, content: bytes, file: Path
) -> None:
    file.write_bytes(content)
    [found] = warned(settings, file)
    assert "is not a policy" in found.msg
    file.unlink()
    [missing] = warned(settings, file)
    assert missing.msg == "POLICY_FILE cannot be read: No such file or directory."
