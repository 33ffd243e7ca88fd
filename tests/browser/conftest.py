"""A real browser against a real server; whatever the page's policy blocks is an error."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from pytest_django.live_server_helper import LiveServer

PASSWORD = "a long enough password"
SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
)  # fmt: skip
SERIOUS = ("error", "warning")
"""What the browser says about blocked or broken things; its hints are of other types."""


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the system's Chromium; without one, skip loudly, or fail in CI."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path:
        return path
    if os.environ.get("CI") == "true":
        pytest.fail("CI needs Chromium: apt-get install chromium fonts-noto-cjk")
    pytest.skip("NO BROWSER TEST RUNS: install Chromium (apt-get install chromium)")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Return a running browser."""
    # Playwright's loop runs in this thread, and Django refuses to query beside a loop.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        yield running
        running.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def officer(transactional_db: None) -> User:
    """Return an officer with a password."""
    user = User.objects.create_user("officer", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="officer"))
    return user


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, officer: User) -> Iterator[Page]:
    """Return a tab in which the officer has signed in; complaints of the browser fail the test."""
    context = browser.new_context(
        base_url=live_server.url, viewport={"width": 1280, "height": 900}, color_scheme="light"
    )
    tab = context.new_page()
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in SERIOUS:
            complaints.append(f"{message.type}: {message.text}")

    def fail(request: Request) -> None:
        # The next page cuts off what the last one still loads, such as its icon.
        if request.failure != "net::ERR_ABORTED":
            complaints.append(f"failed: {request.url}: {request.failure}")

    tab.on("console", listen)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("requestfailed", fail)
    tab.goto("/admin/")
    tab.get_by_label("Username").fill(officer.username)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    tab.get_by_role("button", name="Log out").wait_for()
    tab.wait_for_load_state("networkidle")
    yield tab
    context.close()
    assert complaints == []
