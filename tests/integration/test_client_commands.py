"""Clients and their keys from the command line."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from verification.models import ApiClient, ApiKey
from verification.models.client import Scope
from verification.services.clients import authenticate_bearer
from verification.services.errors import InvalidKeyError
from verification.services.runtime import utc_now

pytestmark = pytest.mark.django_db


def _run(*arguments: str) -> dict[str, str]:
    """Run a command and return its lines as name -> value."""
    out = StringIO()
    call_command(*arguments, stdout=out)
    return dict(re.findall(r"^(\w+) {2,}(.+)$", out.getvalue(), re.MULTILINE))


def test_a_new_client_can_do_everything_with_its_own_records_and_the_key_that_is_shown() -> None:
    shown = _run("client_create", "Onboarding app")
    client = authenticate_bearer(token=shown["key"], now=utc_now())
    assert client.name == "Onboarding app"
    assert set(client.scopes) == set(Scope.values) - {Scope.LEDGER_READ}
    assert shown["expires"] == "never"


def test_scopes_and_life_are_as_asked_for() -> None:
    shown = _run("client_create", "Reader", "--scope", "attempts:read", "--expires-in-days", "30")
    client = authenticate_bearer(token=shown["key"], now=utc_now() + timedelta(days=29))
    assert client.scopes == ["attempts:read"]
    with pytest.raises(InvalidKeyError):
        authenticate_bearer(token=shown["key"], now=utc_now() + timedelta(days=31))


def test_a_key_pair_is_shown_and_stored_sealed() -> None:
    shown = _run("client_create", "Drop-in", "--key-pair")
    key = ApiKey.objects.get(public_id=shown["api_key"])
    assert key.kind == ApiKey.Kind.SIGN
    assert shown["api_secret"].encode() not in bytes(key.secret_sealed or b"")


def test_another_key_leaves_the_first_one_valid() -> None:
    first = _run("client_create", "Onboarding app")["key"]
    second = _run("client_issue_key", "Onboarding app")["key"]
    assert first != second
    for token in (first, second):
        authenticate_bearer(token=token, now=utc_now())


def test_a_revoked_key_is_refused_and_the_other_one_is_not() -> None:
    first = _run("client_create", "Onboarding app")["key"]
    second = _run("client_issue_key", "Onboarding app")["key"]
    call_command("client_revoke_key", first.split("_")[1], stdout=StringIO())
    with pytest.raises(InvalidKeyError):
        authenticate_bearer(token=first, now=utc_now())
    authenticate_bearer(token=second, now=utc_now())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("client_create", "Onboarding app"), "There is a client 'Onboarding app' already"),
        (("client_create", ""), "1 to 100 printable characters"),
        (("client_create", "x" * 101), "1 to 100 printable characters"),
        (("client_create", "two\nlines"), "1 to 100 printable characters"),
        (("client_create", "New", "--expires-in-days", "0"), "takes 1 to 3650"),
        (("client_issue_key", "Nobody"), "There is no client 'Nobody'"),
        (("client_revoke_key", "vk_whole_key"), "12 characters after vk_"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    arguments: tuple[str, ...], sentence: str
) -> None:
    _run("client_create", "Onboarding app")
    with pytest.raises(CommandError, match=sentence):
        call_command(*arguments, stdout=StringIO())
    assert (ApiClient.objects.count(), ApiKey.objects.count()) == (1, 1)
