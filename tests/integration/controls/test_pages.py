"""The matrix in the admin: before the first check, after one, narrowed, and one control alone."""

import re
from http import HTTPStatus

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from tests.integration.controls.breaking import House, lift_guard
from verification.controls.catalogue import CONTROLS
from verification.controls.matrix import BY_ID, lines_of
from verification.controls.requirements import INSTRUMENTS, LINES
from verification.models import ControlRun
from verification.models.control import Origin
from verification.services.control_runs import check_controls

pytestmark = pytest.mark.django_db

MATRIX = "/admin/verification/controlrun/"
CHECK = f"{MATRIX}check/"


def browser_of(role: str, name: str = "someone") -> Client:
    """Return the browser of somebody with a role."""
    person = User.objects.create_user(name, is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    browser = Client()
    browser.force_login(person)
    return browser


@pytest.fixture
def auditor(db: None) -> Client:
    return browser_of("auditor")


def read(browser: Client, path: str = MATRIX) -> str:
    """Return a page with its entities as characters."""
    answer = browser.get(path)
    assert answer.status_code == HTTPStatus.OK
    return answer.content.decode().replace("&#x27;", "'")


def test_before_the_first_check_nothing_is_claimed(auditor: Client) -> None:
    page = read(auditor)
    assert "Nothing was checked yet" in page
    assert page.count("never checked") == len(CONTROLS)
    assert "pill-good" not in page


def test_the_matrix_has_every_requirement_and_every_control(auditor: Client) -> None:
    page = read(auditor)
    assert all(each.name in page for each in INSTRUMENTS)
    assert all(each.says in page for each in LINES)
    assert all(each.title in page for each in CONTROLS)
    assert page.count("number not verified") == sum(each.place is None for each in LINES)
    duties = sum(not each.controls for each in LINES)
    assert len(re.findall(r"pill-quiet", page)) == duties


def test_check_now_keeps_a_run_in_the_name_of_who_asked_and_shows_it(auditor: Client) -> None:
    answer = auditor.post(CHECK, follow=True)
    run = ControlRun.objects.get()
    assert (run.origin, run.by_name) == ("admin", "someone")
    page = answer.content.decode()
    assert f"{run.holds} hold, {run.fails} fail" in page
    assert run.digest in page
    assert "never checked" not in page
    assert "Rights are not sealed" in page
    assert "Run rights_seal as the owner." in page


def test_what_is_broken_shows_at_the_next_check_with_its_evidence(
    house: House, auditor: Client
) -> None:
    lift_guard(house)
    auditor.post(CHECK)
    page = read(auditor, f"{MATRIX}?show=broken")
    assert "verification_reveal_guard_rows on verification_reveal is not ENABLE ALWAYS" in page
    assert "pill-good" not in page
    assert BY_ID["lockout"].holds not in page
    assert all(each.says in page for each in lines_of("guards"))


def test_reading_checks_nothing(auditor: Client) -> None:
    read(auditor)
    assert auditor.get(CHECK).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert not ControlRun.objects.exists()


def test_a_check_without_the_token_of_the_form_is_refused(auditor: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = auditor.cookies
    assert strict.post(CHECK).status_code == HTTPStatus.FORBIDDEN
    assert not ControlRun.objects.exists()


@pytest.mark.parametrize("control", BY_ID)
def test_a_control_has_its_history(auditor: Client, house: House, control: str) -> None:
    for _ in range(2):
        check_controls(origin=Origin.WORKER, name="worker", runtime=house.runtime)
    page = read(auditor, f"{MATRIX}{control}/")
    assert BY_ID[control].checked in page
    assert page.count("<bdi>the worker</bdi>") == 2


def test_a_control_that_was_never_checked_says_so(auditor: Client) -> None:
    assert "Nothing was checked yet" in read(auditor, f"{MATRIX}guards/")
    assert auditor.get(f"{MATRIX}nonsense/").status_code == HTTPStatus.NOT_FOUND
    assert auditor.post(f"{MATRIX}guards/").status_code == HTTPStatus.METHOD_NOT_ALLOWED


@pytest.mark.parametrize("role", ["officer", "engineer"])
def test_others_are_refused_and_see_no_link(role: str) -> None:
    browser = browser_of(role, "other")
    for path in (MATRIX, f"{MATRIX}guards/"):
        assert browser.get(path).status_code == HTTPStatus.FORBIDDEN
    assert browser.post(CHECK).status_code == HTTPStatus.FORBIDDEN
    assert MATRIX not in browser.get(reverse("admin:index")).content.decode()


def test_texts_from_outside_are_escaped(auditor: Client, house: House) -> None:
    house.configure(session_idle_s=9999.0)
    run = check_controls(
        origin=Origin.COMMAND, name="command:<script>alert(1)</script>", runtime=house.runtime
    )
    assert run.fails
    page = read(auditor)
    assert "<script>alert" not in page
    assert "9999 s" in page
