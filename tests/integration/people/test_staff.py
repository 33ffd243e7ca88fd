"""What goes on record at the login, how long it lasts, and what accounts cannot be used for."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from verification.admin.session_limits import FRESH_S, PROVED
from verification.models import Preference, StagedEntry

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long pass phrase"
LOGIN, LIST = "/admin/login/", "/admin/verification/verificationattempt/"
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def chief() -> User:
    """Return an administrator with a password."""
    person = User.objects.create_user("chief", password=PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name="administrator"))
    return person


@pytest.fixture
def browser(chief: User) -> Client:
    """Return the administrator's browser, logged in by the form."""
    client = Client(raise_request_exception=False)
    assert _log_in(client, "chief", PASSWORD) == HTTPStatus.FOUND
    return client


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Return a clock that stands still until it is moved."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def _log_in(client: Client, name: str, password: str) -> int:
    return client.post(LOGIN, {"username": name, "password": password}).status_code


def _staged() -> list[dict[str, object]]:
    entries = [json.loads(bytes(each.raw)) for each in StagedEntry.objects.order_by("no")]
    return [each for each in entries if str(each["kind"]).startswith("staff.")]


def test_a_login_and_a_logout_are_on_record(chief: User, browser: Client) -> None:
    browser.post("/admin/logout/")
    assert [(each["kind"], each["by"], each["by_id"]) for each in _staged()] == [
        ("staff.logged_in", "chief", str(chief.pk)),
        ("staff.logged_out", "chief", str(chief.pk)),
    ]


def test_a_refused_login_tells_no_password_and_no_unknown_name(chief: User) -> None:
    client = Client()
    known = client.post(LOGIN, {"username": "chief", "password": "wrong"})
    unknown = client.post(LOGIN, {"username": "hunter2-typed-here", "password": "wrong"})
    errors = [each.context["form"].non_field_errors() for each in (known, unknown)]
    assert errors[0] == errors[1]
    one, two = _staged()
    assert (one["by"], one["name_digest"]) == ("chief", None)
    assert (two["by"], len(str(two["name_digest"]))) == (None, 64)
    assert "hunter2" not in json.dumps([one, two])
    assert "wrong" not in json.dumps([one, two])


def test_who_cannot_be_recorded_is_not_let_in(chief: User) -> None:
    client = Client(raise_request_exception=False)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE verification_ledger_stage RENAME TO away")
    try:
        assert _log_in(client, "chief", PASSWORD) == HTTPStatus.INTERNAL_SERVER_ERROR
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO verification_ledger_stage")
    assert client.get(LIST).status_code == HTTPStatus.FOUND


@pytest.mark.parametrize(("minutes", "status"), [(29, HTTPStatus.OK), (31, HTTPStatus.FOUND)])
def test_an_idle_session_ends(
    clock: time_machine.Traveller, browser: Client, minutes: int, status: HTTPStatus
) -> None:
    clock.shift(timedelta(minutes=minutes))
    assert browser.get(LIST).status_code == status


def test_a_busy_session_ends_after_twelve_hours(
    clock: time_machine.Traveller, browser: Client
) -> None:
    for _ in range(12 * 3):
        clock.shift(timedelta(minutes=20))
        assert browser.get(LIST).status_code == HTTPStatus.OK
    clock.shift(timedelta(minutes=1))
    assert browser.get(LIST).headers["Location"].startswith(LOGIN)
    assert _staged()[-1]["kind"] == "staff.logged_out"


def test_another_password_ends_every_other_session(chief: User, browser: Client) -> None:
    chief.set_password("another long phrase")
    chief.save()
    assert browser.get(LIST).status_code == HTTPStatus.FOUND


def test_the_session_key_changes_at_login(chief: User) -> None:
    client = Client()
    client.session.save()
    session = client.session
    session["planted"] = 1
    session.save()
    client.cookies["sessionid"] = session.session_key or ""
    before = client.cookies["sessionid"].value
    _log_in(client, "chief", PASSWORD)
    assert client.cookies["sessionid"].value != before


def test_a_stale_proof_asks_for_the_password_and_does_not_post_again(
    clock: time_machine.Traveller, browser: Client
) -> None:
    clock.shift(timedelta(seconds=FRESH_S + 1))
    form = {"username": "new", "usable_password": "false"}
    page = "http://testserver/admin/auth/user/add/"
    asked = browser.post("/admin/auth/user/add/", form, headers={"referer": page})
    assert asked.headers["Location"] == (
        "/admin/verification/preference/confirm/?next=%2Fadmin%2Fauth%2Fuser%2Fadd%2F"
    )
    assert not User.objects.filter(username="new").exists()
    wrong = browser.post(asked.headers["Location"], {"password": "wrong"})
    assert wrong.status_code == HTTPStatus.BAD_REQUEST
    back = browser.post(asked.headers["Location"], {"password": PASSWORD})
    assert back.headers["Location"] == "/admin/auth/user/add/"
    assert not User.objects.filter(username="new").exists()
    assert browser.session[PROVED] == NOW.timestamp() + FRESH_S + 1


@pytest.mark.parametrize("page", ["", "add/", "{}/change/", "{}/delete/"])
def test_roles_are_not_changed_without_a_fresh_proof(
    clock: time_machine.Traveller, page: str
) -> None:
    browser = Client(raise_request_exception=False)
    User.objects.create_superuser("root", password=PASSWORD)
    _log_in(browser, "root", PASSWORD)
    clock.shift(timedelta(seconds=FRESH_S + 1))
    role = Group.objects.get(name="officer")
    form = {
        "name": "other",
        "post": "yes",
        "action": "delete_selected",
        "_selected_action": role.pk,
    }
    answer = browser.post(f"/admin/auth/group/{page.format(role.pk)}", form)
    assert answer.headers["Location"].startswith("/admin/verification/preference/confirm/")
    assert Group.objects.filter(name="officer").exists()
    assert not Group.objects.filter(name="other").exists()


def test_five_wrong_passwords_end_the_session(browser: Client) -> None:
    for _ in range(5):
        browser.post("/admin/verification/preference/confirm/", {"password": "wrong"})
    assert browser.get(LIST).status_code == HTTPStatus.FOUND


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_the_way_back_stays_on_this_site(browser: Client, wanted: str) -> None:
    form = {"password": PASSWORD, "next": wanted}
    answer = browser.post("/admin/verification/preference/confirm/", form)
    assert answer.headers["Location"] == "/admin/"


@pytest.mark.parametrize(
    "query", ["password__startswith=a", "groups__name=officer", "user_permissions__codename=x"]
)
def test_the_list_of_accounts_answers_no_question_of_its_own(browser: Client, query: str) -> None:
    answer = browser.get(f"/admin/auth/user/?{query}")
    assert answer.status_code == HTTPStatus.BAD_REQUEST


def test_an_administrator_cannot_rise(chief: User, browser: Client) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    for tail in ("change/", "password/"):
        form = {"username": "root", "password1": "x" * 20, "password2": "x" * 20}
        browser.post(f"/admin/auth/user/{root.pk}/{tail}", form)
    root.refresh_from_db()
    assert root.check_password(PASSWORD)
    officer = str(Group.objects.get(name="officer").pk)
    wanted: dict[str, str | list[str]] = {
        "username": "chief", "is_active": "on", "is_staff": "on", "is_superuser": "on",
        "groups": [officer], "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00",
    }  # fmt: skip
    assert browser.post(f"/admin/auth/user/{chief.pk}/change/", wanted).status_code == 302
    joined = chief.date_joined
    chief.refresh_from_db()
    assert not chief.is_superuser
    assert chief.date_joined == joined
    assert [each.name for each in chief.groups.all()] == ["administrator"]


def test_an_account_is_not_deleted_and_the_page_says_what_to_do(browser: Client) -> None:
    other = User.objects.create_user("other")
    answer = browser.post(f"/admin/auth/user/{other.pk}/delete/", {"post": "yes"})
    assert answer.status_code == HTTPStatus.CONFLICT
    assert "Active" in answer.content.decode()
    assert User.objects.filter(pk=other.pk).exists()


def test_preferences_hold_for_one_person(chief: User, browser: Client) -> None:
    form = {"time_zone": "Asia/Jakarta", "language": "id"}
    assert browser.post("/admin/verification/preference/", form).status_code == HTTPStatus.FOUND
    page = browser.get("/admin/password_change/").content.decode()
    assert 'lang="id"' in page
    assert Preference.objects.get(person=chief).time_zone == "Asia/Jakarta"
    bad = browser.post("/admin/verification/preference/", {"time_zone": "../etc", "language": "x"})
    assert bad.status_code == HTTPStatus.BAD_REQUEST
    assert 'lang="en"' in Client().get(LOGIN).content.decode()
