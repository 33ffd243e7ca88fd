"""`keys_rotate`: what it prints, and its exit code."""

import io
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.factories import make_attempt, make_client, make_evidence
from tests.integration.keys.rings import NEW, OLD, by_kek
from tests.integration.ledger.lives import Lives
from tests.owner import unguarded
from verification.models import ApiClient, EvidenceKey
from verification.services.clients import issue_key_pair
from verification.services.runtime import Runtime, get_runtime

pytestmark = pytest.mark.django_db(transaction=True)

OLD_KEY, NEW_KEY = f"{OLD}:{'A' * 43}=", f"{NEW}:{'C' * 43}="


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def run(keyring: str, *arguments: str) -> str:
    """Run the command under a keyring and return what it prints."""
    out = io.StringIO()
    with override_settings(VERIFICATION={**settings.VERIFICATION, "KEYRING": keyring}):
        call_command("keys_rotate", *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture
def attempts(client_app: ApiClient, runtime: Runtime, lives: Lives) -> list[UUID]:
    """Store attempts with evidence and a key pair under the old key."""
    keyring = get_runtime().conf.keyring
    issue_key_pair(client=client_app, keyring=keyring, now=runtime.now())
    return [lives.settled() for _ in range(3)]


def test_the_whole_rotation_as_an_operator_does_it(attempts: list[UUID]) -> None:
    said = run(f"{OLD_KEY},{NEW_KEY}", "--check")
    assert said.splitlines() == [
        f"3 evidence keys under '{OLD}', the primary key",
        f"1 API keys under '{OLD}', the primary key",
        f"The key '{NEW}' of the keyring is no longer needed.",
    ]
    both = f"{NEW_KEY},{OLD_KEY}"
    assert run(both, "--check").splitlines() == [
        f"3 evidence keys under '{OLD}'",
        f"1 API keys under '{OLD}'",
    ]
    assert by_kek() == {OLD: 3}
    said = run(both)
    assert "3 evidence keys wrapped anew" in said
    assert "1 API keys wrapped anew" in said
    assert f"3 evidence keys under '{NEW}', the primary key" in said
    assert f"The key '{OLD}' of the keyring is no longer needed." in said
    assert run(NEW_KEY).startswith("0 evidence keys wrapped anew")


def test_what_does_not_open_is_named_and_the_rest_is_done(attempts: list[UUID]) -> None:
    with unguarded("verification_evidence_key"):
        EvidenceKey.objects.filter(pk=attempts[1]).update(sealed=b"\x01" * 61)
    out = io.StringIO()
    both = {**settings.VERIFICATION, "KEYRING": f"{NEW_KEY},{OLD_KEY}"}
    with override_settings(VERIFICATION=both), pytest.raises(CommandError, match="Not every"):
        call_command("keys_rotate", stdout=out, stderr=out)
    assert f"attempt {attempts[1]}: " in out.getvalue()
    assert "2 evidence keys wrapped anew" in out.getvalue()
    assert f"1 evidence keys under '{OLD}'" in out.getvalue()
    assert by_kek() == {NEW: 2, OLD: 1}


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_key_that_the_keyring_lacks_is_an_error(
    attempts: list[UUID], arguments: list[str]
) -> None:
    out = io.StringIO()
    only_new = {**settings.VERIFICATION, "KEYRING": NEW_KEY}
    with override_settings(VERIFICATION=only_new), pytest.raises(CommandError):
        call_command("keys_rotate", *arguments, stdout=out, stderr=out)
    assert f"3 evidence keys under '{OLD}', which the keyring lacks" in out.getvalue()


def test_erased_keys_need_no_key_of_the_keyring() -> None:
    make_evidence(make_attempt("verified", client=make_client()), "image_best", erased=True)
    assert "keys under" not in run(NEW_KEY, "--check")


def test_on_a_terminal_there_is_a_bar(
    attempts: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("verification.management.progress.TERMINAL_EVERY_S", 0.0)
    run(f"{NEW_KEY},{OLD_KEY}")
    assert "evidence keys [##########" in terminal.getvalue()
