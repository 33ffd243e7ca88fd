"""Costs and prices in a browser: by day and night, narrow and wide, without a script."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.test_desk import CONTRAST, WIDE
from tests.factories import ANSWERS, make_attempt, make_client, make_session
from verification.models import Price
from verification.services.prices import set_price
from verification.services.runtime import Runtime

PRICES = "/admin/verification/price/"
COSTS = f"{PRICES}costs/?month=2026-11"
NOTE = "by the contract of 2026 " + "W" * 90


@pytest.fixture
def chief(page: Page, officer: User, runtime: Runtime) -> Page:
    """Return the tab of somebody who may set prices; there are prices and calls."""
    User.objects.filter(pk=officer.pk).update(is_superuser=True)
    officer.refresh_from_db()
    for amount, currency, day in (("0.1", "USD", "01"), ("1250.5", "IDR", "15")):
        set_price(
            kind="verify", region=None, amount=amount, currency=currency,
            valid_from=f"2026-11-{day}", note=NOTE, by=officer, runtime=runtime,
        )  # fmt: skip
    client = make_client("Mobile onboarding " + "W" * 70)
    for number in range(12):
        at = datetime(2026, 11, 2 * number + 1, tzinfo=UTC)
        make_attempt(list(ANSWERS)[number % len(ANSWERS)], client=client, created_at=at)
    make_attempt(None, state="in_doubt", client=client)
    make_session(client)
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 2560])
def test_the_pages_fit_their_window_and_can_be_read(chief: Page, theme: Any, width: int) -> None:
    chief.set_viewport_size({"width": width, "height": 900})
    chief.emulate_media(color_scheme=theme)
    for name, path in (("costs", COSTS), ("prices", PRICES), ("set", f"{PRICES}set/")):
        chief.goto(path)
        if shots := os.environ.get("SCREENSHOTS"):
            file = Path(shots) / f"{name}-{width}-{theme}.png"
            chief.screenshot(path=file, full_page=True)
        assert chief.evaluate(WIDE) == [], name
        assert chief.evaluate(CONTRAST) == [], name


def test_a_price_is_set_by_hand_and_a_month_chosen(chief: Page) -> None:
    chief.goto(COSTS)
    expect(chief.get_by_text("IDR").first).to_be_visible()
    chief.get_by_role("link", name="Set a price").click()
    chief.get_by_label("Call", exact=True).select_option("verify")
    chief.get_by_label("Price of one billed call").fill("0.2")
    chief.get_by_label("Currency").fill("USD")
    chief.get_by_label("From").fill("2026-11-15")
    chief.get_by_label("Note").fill(NOTE)
    chief.get_by_role("button", name="Set the price").click()
    expect(chief.get_by_text("The price is on record.")).to_be_visible()
    expect(chief.get_by_text("corrected since")).to_be_visible()
    assert Price.objects.count() == 3
    chief.goto(COSTS)
    expect(chief.get_by_text("IDR")).to_have_count(0)
    chief.locator("#month").fill("2026-10")
    chief.get_by_role("button", name="Show").click()
    expect(chief.get_by_role("heading", name="No calls in this month")).to_be_visible()


@pytest.fixture
def plain(browser: Browser, chief: Page, live_server: LiveServer) -> Iterator[Page]:
    """Return a tab of the same person in which no script runs."""
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    context.add_cookies(chief.context.cookies())  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def test_it_works_without_a_script(plain: Page) -> None:
    plain.goto(COSTS)
    expect(plain.get_by_role("heading", name="Totals")).to_be_visible()
    with plain.expect_download() as saved:
        plain.get_by_role("link", name="Save as CSV").click()
    assert saved.value.suggested_filename == "costs-2026-11.csv"
    assert b"IDR" in Path(saved.value.path()).read_bytes()
