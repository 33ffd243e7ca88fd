"""The second factor in a browser: set up at the first login, asked for at the next."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.integration.people.entering import PASSWORD, app_code, asking
from verification.identifiers import uuid7
from verification.models import SecondFactor
from verification.services.runtime import get_runtime, utc_now
from verification.services.sequencing import tend_log

SCREENS = [(390, "light"), (1280, "dark"), (2560, "light")]


@pytest.fixture
def chief(transactional_db: None) -> User:
    """Return an administrator with a password."""
    person = User.objects.create_user("chief", password=PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name="administrator"))
    return person


@pytest.fixture
def tab(browser: Browser, live_server: LiveServer, chief: User) -> Iterator[Page]:
    """Return a tab of a site that asks for the second factor; the browser must not complain."""
    with asking():
        context = browser.new_context(base_url=live_server.url)
        page = context.new_page()
        complaints: list[str] = []

        def listen(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                complaints.append(f"{message.type}: {message.text}")

        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        context.close()
        # The browser calls an answer of 400 or 429 an error; those are asked for here.
        assert [each for each in complaints if "status of 4" not in each] == []


def _give_password(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("chief")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Code").wait_for()


def _give_code(page: Page, code: str) -> None:
    page.get_by_label("Code").fill(code)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def _unused(person: User) -> str:
    """Return the app's code as if it had not been used in this half minute."""
    SecondFactor.objects.update(last_step=None)
    return app_code(person)


def _fits(page: Page) -> None:
    for width, scheme in SCREENS:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    for field in page.locator(".deed input:not([type=hidden]), .deed textarea").all():
        assert field.evaluate("each => each.labels.length") == 1


def test_it_is_set_up_at_the_first_login_and_asked_for_at_the_next(tab: Page, chief: User) -> None:
    _give_password(tab)
    assert tab.get_by_role("navigation", name="Records").count() == 0
    picture = tab.locator("svg.qr").bounding_box()
    assert picture is not None
    assert picture["width"] > 150
    _fits(tab)
    _give_code(tab, "000000" if app_code(chief) != "000000" else "111111")
    expect(tab.get_by_role("alert")).to_contain_text("not the code")
    _give_code(tab, app_code(chief))
    codes = tab.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    assert all(re.fullmatch(r"(?:[2-9a-z]{4}-){3}[2-9a-z]{4}", each) for each in codes)
    _fits(tab)
    tab.get_by_role("link", name="I have them").click()
    tab.get_by_role("navigation", name="Records").wait_for()
    tab.get_by_role("button", name="Log out").click()
    _give_password(tab)
    _fits(tab)
    _give_code(tab, _unused(chief))
    tab.get_by_role("navigation", name="Records").wait_for()
    tend_log(runtime=get_runtime())
    tab.get_by_role("link", name="Recent logins").click()
    tab.get_by_label("Person").fill("chief")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("row", name="Second factor changed")).to_be_visible()
    _fits(tab)


def test_a_recovery_code_opens_and_another_factor_is_reset(tab: Page, chief: User) -> None:
    other = User.objects.create_user("other", password=PASSWORD, is_staff=True)
    _give_password(tab)
    _give_code(tab, app_code(chief))
    code = tab.locator(".codes code").first.inner_text()
    tab.context.clear_cookies()
    _give_password(tab)
    _give_code(tab, code.upper())
    expect(tab.locator(".messagelist")).to_contain_text("9 are left")
    factor = SecondFactor.objects.get(user=chief)
    factor.pk, factor.user, factor.secret_id = None, other, uuid7(utc_now())
    factor.save()
    tab.goto(f"/admin/auth/user/{other.pk}/change/")
    tab.get_by_role("link", name="Reset it").click()
    _fits(tab)
    tab.get_by_label("Reason").fill("lost the phone on a train")
    tab.get_by_role("button", name="Reset the second factor").click()
    expect(tab.locator(".messagelist")).to_contain_text("it is on record")
    assert not SecondFactor.objects.filter(user=other).exists()


def test_who_guesses_is_told_to_wait(tab: Page) -> None:
    for _ in range(6):
        tab.goto("/admin/login/")
        tab.get_by_label("Username").fill("chief")
        tab.get_by_label("Password").fill("wrong")
        tab.get_by_role("button", name="Log in").click()
    expect(tab.get_by_role("heading", name="Too many tries")).to_be_visible()
    _fits(tab)
