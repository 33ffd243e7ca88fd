"""The dashboard in a browser: by day and night, narrow and wide, by keyboard, to its lists."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_desk import CONTRAST, WIDE
from tests.factories import make_attempt, make_client
from tests.reviewing import decide, open_review, propose
from verification.services.rollups import rebuild
from verification.services.runtime import Runtime

PAGE = "/admin/verification/rollup/"
MEMBERS = ("verified", "verified", "different_person", "liveness_failed", "not_completed")


@pytest.fixture
def dashboard(page: Page, runtime: Runtime) -> Page:
    """Return the officer's tab with the dashboard of a month in it."""
    now, client = datetime.now(UTC), make_client("Mobile onboarding " + "W" * 70)
    for number in range(60):
        at = now - timedelta(hours=number * 11)
        make_attempt(MEMBERS[number % 5], client=client, created_at=at)
    for state in ("rejected", "in_doubt", "not_sent"):
        make_attempt(None, state=state, client=client, created_at=now)
    make_attempt(
        None, state="rejected", client=client, created_at=now, error_code="E" * 180, region="idn",
        http_status=400,
    )  # fmt: skip
    seen = make_attempt(
        "verified", client=client, created_at=now, policy_version=1, verdict="review",
        reasons=["device_tag"], device_tags={"is_root": 1, "W" * 90: 1}, verify_tags={"mask": 1},
    )  # fmt: skip
    open_review(seen, needs_second=True)
    propose(seen, "approved")
    decide(seen, "approved", by="olaf")
    rebuild(runtime=runtime)
    page.goto(f"{PAGE}?period=30d")
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_its_window_and_can_be_read(dashboard: Page, theme: Any, width: int) -> None:
    dashboard.set_viewport_size({"width": width, "height": 900})
    dashboard.emulate_media(color_scheme=theme)
    for summary in dashboard.locator("summary").all():
        summary.click()
    dashboard.wait_for_timeout(400)  # links change their colour slowly
    if shots := os.environ.get("SCREENSHOTS"):
        path = Path(shots) / f"dashboard-{width}-{theme}.png"
        dashboard.screenshot(path=path, full_page=True)
    assert dashboard.evaluate(WIDE) == []
    assert dashboard.evaluate(CONTRAST) == []


def test_what_is_not_complete_has_a_pattern_and_is_said(dashboard: Page) -> None:
    chart = dashboard.get_by_role("region", name="Attempts by outcome")
    expect(chart.locator(".hatching")).to_have_count(1)
    expect(chart.get_by_text("Not complete:")).to_be_visible()
    drawn = "() => !!document.querySelector('pattern#hatch path').getAttribute('d')"
    assert dashboard.evaluate(drawn)
    expect(dashboard.get_by_role("region", name="Attack and mismatch rates")).to_contain_text(
        "hollow"
    )


def test_tables_open_by_keyboard_and_lead_to_lists_that_count_the_same(dashboard: Page) -> None:
    chart = dashboard.get_by_role("region", name="Attempts by outcome")
    table = chart.get_by_role("table")
    expect(table).to_be_hidden()
    chart.locator(".chart-scroll").focus()
    dashboard.keyboard.press("Tab")
    expect(chart.get_by_text("Show the figures")).to_be_focused()
    dashboard.keyboard.press("Enter")
    expect(table).to_be_visible()
    dashboard.keyboard.press("Tab")
    link = table.get_by_role("link").first
    expect(link).to_be_focused()
    number = link.inner_text()
    dashboard.keyboard.press("Enter")
    dashboard.wait_for_url("**/verificationattempt/?**")
    expect(dashboard.locator(".list-head .total")).to_have_text(_attempts(number))


@pytest.mark.parametrize("section", ["By client", "By region", "Errors by code"])
def test_bars_lead_to_lists_that_count_the_same(dashboard: Page, section: str) -> None:
    rows = dashboard.get_by_role("region", name=section).get_by_role("row")
    found = [
        (each.get_by_role("link").get_attribute("href"), each.locator("td.figure").first)
        for each in rows.all()
    ]
    counts = [(address, figure.inner_text()) for address, figure in found]
    assert counts
    for address, number in counts:
        dashboard.goto(str(address))
        expect(dashboard.locator(".list-head .total")).to_have_text(_attempts(number))


def test_the_chosen_time_is_marked_and_kept(dashboard: Page) -> None:
    times = dashboard.get_by_role("navigation", name="Time")
    times.get_by_role("link", name="Last 366 days").click()
    expect(times.locator("[aria-current]")).to_have_text("Last 366 days")
    expect(dashboard.get_by_role("region", name="Attempts by outcome")).to_be_visible()


def _attempts(number: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*{number} attempts?\s*$")
