"""Guesses at a password are slowed down, tell nothing, and cannot fill the log."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from pytest_django import DjangoDbBlocker

from tests.integration.database.roles import Roles, acting_as, granted_roles
from tests.integration.people.entering import LIST, LOGIN, PASSWORD, give_password, make_person
from verification.jobs import tend_logins
from verification.models import LoginMinute, LoginTry, StagedEntry
from verification.services.errors import TooManyTriesError
from verification.services.lockout import MOST_FAILURES, claim_try
from verification.services.privileges import Kind
from verification.services.runtime import get_runtime
from verification.services.staff import MOST_REFUSALS, record_refusal

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 20, 9, 0, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """Return a clock that stands still until it is moved."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(scope="module")
def roles(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Roles]:
    """Make the roles and grant."""
    with django_db_blocker.unblock(), granted_roles() as made:
        yield made


def _guess(name: str, times: int, **address: Any) -> list[Any]:
    browser = Client(raise_request_exception=False, **address)
    return [give_password(browser, name, "wrong") for _ in range(times)]


def _staged() -> list[dict[str, object]]:
    entries = [json.loads(bytes(each.raw)) for each in StagedEntry.objects.order_by("no")]
    return [each for each in entries if str(each["kind"]).startswith("staff.login")]


def test_the_sixth_try_is_not_looked_at_for_fifteen_minutes(
    clock: time_machine.Traveller,
) -> None:
    make_person("ines", "officer")
    answers = _guess("ines", 6)
    assert [each.status_code for each in answers] == [HTTPStatus.OK] * 5 + [429]
    browser = Client(raise_request_exception=False)
    held = give_password(browser, "ines", PASSWORD)
    assert held.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert held.headers["Retry-After"] == "900"
    assert "09:15:30 UTC" in held.content.decode()
    assert browser.get(LIST).status_code == HTTPStatus.FOUND
    clock.shift(timedelta(minutes=14, seconds=59))
    assert give_password(browser, "ines", PASSWORD).status_code == 429
    clock.shift(timedelta(seconds=1))
    assert give_password(browser, "ines", PASSWORD).status_code == HTTPStatus.FOUND


def test_a_right_password_forgets_the_failures() -> None:
    make_person("ines", "officer")
    for _ in range(3):
        _guess("ines", 4)
        assert give_password(Client(), "ines").status_code == HTTPStatus.FOUND
    assert not LoginTry.objects.exists()


def test_one_address_locks_nobody_out_elsewhere() -> None:
    make_person("ines", "officer")
    _guess("ines", 7, REMOTE_ADDR="203.0.113.9")
    assert give_password(Client(), "ines").status_code == HTTPStatus.FOUND


def test_behind_a_proxy_the_address_is_the_one_it_says() -> None:
    make_person("ines", "officer")
    named = {**settings.VERIFICATION, "ADDRESS_HEADER": "HTTP_X_REAL_IP"}
    with override_settings(VERIFICATION=named):
        _guess("ines", 7, HTTP_X_REAL_IP="203.0.113.9")
        assert give_password(Client(HTTP_X_REAL_IP="203.0.113.10"), "ines").status_code == 302
        assert give_password(Client(HTTP_X_REAL_IP="203.0.113.9"), "ines").status_code == 429


def test_nothing_tells_which_accounts_there_are() -> None:
    make_person("ines", "officer")
    make_person("gone", "officer")
    type(make_person("left")).objects.filter(username__in=["gone"]).update(is_active=False)
    seen = {}
    for name in ("ines", "gone", "nobody-of-this-name"):
        answers = _guess(name, 7)
        seen[name] = [
            (
                each.status_code,
                each.headers.get("Retry-After"),
                each.context["form"].non_field_errors() if each.status_code == 200 else None,
            )
            for each in answers
        ]
    assert seen["ines"] == seen["gone"] == seen["nobody-of-this-name"]


def test_guesses_at_the_same_moment_count_each() -> None:
    came, barrier = [], threading.Barrier(12)

    def guess() -> None:
        barrier.wait()
        try:
            claim_try(typed="ines", address="203.0.113.9", runtime=get_runtime())
            came.append(True)
        except TooManyTriesError:
            came.append(False)
        finally:
            connection.close()

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(came) == [False] * (12 - MOST_FAILURES) + [True] * MOST_FAILURES


def test_no_name_and_no_address_is_kept(clock: time_machine.Traveller) -> None:
    _guess("hunter2-typed-here", 6, REMOTE_ADDR="203.0.113.9")
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, '') FROM verification_login_try t")
        kept = cursor.fetchone()[0]
    assert "hunter2" not in kept
    assert "203.0.113" not in kept
    clock.shift(timedelta(minutes=15))
    tend_logins(0)
    assert not LoginTry.objects.exists()


def test_a_flood_of_bad_logins_is_some_entries_and_a_count(
    clock: time_machine.Traveller, roles: Roles
) -> None:
    runtime = get_runtime()
    with acting_as(roles[Kind.WEB]):
        for number in range(500):
            record_refusal(typed=f"guess-{number}", runtime=runtime)
    assert len(_staged()) == MOST_REFUSALS
    with acting_as(roles[Kind.WORKER]):
        tend_logins(0)  # the minute is not over
        assert len(_staged()) == MOST_REFUSALS
        clock.shift(timedelta(minutes=2))
        tend_logins(0)
        tend_logins(0)
    (flood,) = _staged()[MOST_REFUSALS:]
    assert flood == {
        "at": "2026-11-20T09:02:30.000000Z",
        "count": 500,
        "kind": "staff.logins_refused",
        "minute": "2026-11-20T09:00:00.000000Z",
        "recorded": MOST_REFUSALS,
    }
    assert not LoginMinute.objects.exists()


def test_a_few_bad_logins_need_no_count(clock: time_machine.Traveller) -> None:
    make_person("ines", "officer")
    _guess("ines", 2)
    clock.shift(timedelta(minutes=3))
    tend_logins(0)
    assert [each["kind"] for each in _staged()] == ["staff.login_refused"] * 2
    assert not LoginMinute.objects.exists()


def test_the_refusal_is_a_page_of_the_site() -> None:
    page = _guess("ines", 6)[-1]
    assert "no-store" in page.headers["Cache-Control"]
    text = page.content.decode()
    assert "Too many tries" in text
    assert "ines" not in text
    assert Client().get(LOGIN).status_code == HTTPStatus.OK
