"""A key that is missing is said at the start, not at the first reveal."""

import time
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connection
from django.test import override_settings

from project.gunicorn_conf import say_what_fails
from tests.factories import NOON, make_attempt, make_client, make_evidence
from tests.integration.keys.rings import KEYS, NEW, OLD, ONLY_NEW
from tests.owner import unguarded
from verification.checks import check_keys, check_keys_in_database
from verification.conf import get_conf
from verification.selectors.wrapped_keys import keks_in_use
from verification.services.clients import issue_key_pair
from verification.services.self_check import check_keyring, check_stored_keys
from verification.vault.keyring import Keyring

WITHOUT_OLD = {**settings.VERIFICATION, "KEYRING": f"{NEW}:{'C' * 43}="}
MANY = """
    INSERT INTO verification_evidence_key (attempt_id, kek_id, sealed, created_at)
    SELECT gen_random_uuid(), 'key-' || (number %% 3), '\\x00', now()
    FROM generate_series(1, %s) AS number
"""


def errors(found: list[CheckMessage]) -> list[str]:
    """Return the ids of what a system check found."""
    return [str(each.id) for each in found if isinstance(each, Error)]


def test_every_key_of_a_good_keyring_opens_what_it_sealed() -> None:
    assert check_keyring(Keyring(NEW, KEYS)) == []
    assert errors(list(check_keys())) == []


def test_a_key_that_seals_and_does_not_open_is_named() -> None:
    class Forgetful(dict[str, bytes]):
        def __getitem__(self, name: str) -> bytes:
            value = super().__getitem__(name)
            self[name] = b"\x09" * len(value)
            return value

    keyring = Keyring(NEW, Forgetful(KEYS))
    named = zip(KEYS, check_keyring(keyring), strict=True)
    assert [repr(key) in sentence for key, sentence in named] == [True, True]


@pytest.mark.django_db
def test_keys_that_the_database_needs_and_the_keyring_lacks_are_named() -> None:
    assert check_stored_keys(ONLY_NEW) == []
    make_evidence(make_attempt("verified"), "image_best")
    (sentence,) = check_stored_keys(ONLY_NEW)
    assert repr(OLD) in sentence
    assert "evidence keys" in sentence
    assert check_stored_keys(Keyring(NEW, KEYS)) == []


@pytest.mark.django_db
def test_secrets_of_key_pairs_are_looked_at_as_well() -> None:
    issue_key_pair(client=make_client(), keyring=get_conf().keyring, now=NOON)
    (sentence,) = check_stored_keys(ONLY_NEW)
    assert "API keys" in sentence


@pytest.mark.django_db
def test_an_erased_key_is_needed_by_nobody() -> None:
    make_evidence(make_attempt("verified"), "image_best", erased=True)
    assert keks_in_use() == {}


@pytest.mark.django_db
def test_the_system_check_says_it_when_it_may_ask_the_database() -> None:
    make_evidence(make_attempt("verified"), "image_best")
    with override_settings(VERIFICATION=WITHOUT_OLD):
        assert errors(list(check_keys_in_database(databases=["default"]))) == ["verification.E012"]
        assert list(check_keys_in_database(databases=None)) == []
    assert list(check_keys_in_database(databases=["default"])) == []


@pytest.mark.django_db
def test_the_web_process_says_it_when_it_starts() -> None:
    make_evidence(make_attempt("verified"), "image_best")
    said = Mock()
    say_what_fails(said)
    said.critical.assert_not_called()
    with override_settings(VERIFICATION=WITHOUT_OLD):
        say_what_fails(said)
    (call,) = said.critical.call_args_list
    assert "verification.E012" in str(call.args[1])


@pytest.mark.django_db
def test_it_takes_no_longer_for_many_keys() -> None:
    with unguarded("verification_evidence_key"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(MANY, [200_000])
        cursor.execute("ANALYZE verification_evidence_key")
        started = time.perf_counter()
        assert sorted(keks_in_use()) == ["key-0", "key-1", "key-2"]
        took_s = time.perf_counter() - started
        started = time.perf_counter()
        cursor.execute("SELECT count(sealed) FROM verification_evidence_key")
        assert took_s < (time.perf_counter() - started) / 2
        cursor.execute("DELETE FROM verification_evidence_key")
