"""What an officer sees and does: at a desk and on a phone, by day and by night, by keyboard."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.factories import (
    NOON,
    make_attempt,
    make_bearer_key,
    make_client,
    make_evidence,
    make_session,
)
from verification.admin.listing import PAGE_SIZE
from verification.models import ApiClient, VerificationAttempt, VerificationSession

ATTEMPTS = "/admin/verification/verificationattempt/"
CONTRAST = Path(__file__).with_name("contrast.js").read_text()
STATES = ("accepted", "sending", "rejected", "not_sent", "in_doubt", "closed")
OUTCOMES = (
    "verified", "different_person", "liveness_failed", "not_completed", "source_failed",
    "unrecognised",
)  # fmt: skip


def _everything() -> list[str]:
    """Store one of each state and outcome; return the address of every page."""
    client = make_client("Mobile onboarding")
    make_bearer_key(client)
    make_bearer_key(client, revoked_at=NOON)
    session = make_session(client)
    for outcome in OUTCOMES:
        attempt = make_attempt(
            outcome, client=client, subject="cust-1", session=session, verify_tags={"tag": "x"},
            visual_attributes={"mask": 0}, unknown_fields={"w" * 200: "W" * 900},
        )  # fmt: skip
        make_evidence(attempt, "image_best", erased=outcome == "unrecognised")
    for state in STATES:
        make_attempt(None, state=state, client=client, biz_no="B" * 300)
    lists = ["/admin/", ATTEMPTS, f"{ATTEMPTS}?state=in_doubt&since=2026-11-01&until=2026-11-30"]
    lists += [f"{ATTEMPTS}?e=1", f"{ATTEMPTS}?q=nobody", "/admin/password_change/"]
    lists += ["/admin/verification/verificationsession/", "/admin/verification/apiclient/"]
    records: list[Any] = [*VerificationAttempt.objects.all(), *VerificationSession.objects.all()]
    records += ApiClient.objects.all()
    return lists + [f"/admin/verification/{each._meta.model_name}/{each.pk}/" for each in records]


def test_an_officer_finds_and_reads_an_attempt(page: Page) -> None:
    client = make_client("Mobile onboarding")
    make_attempt("verified", client=client, biz_no="LOAN-1", subject="cust-1")
    make_attempt("liveness_failed", client=client, biz_no="LOAN-2", subject="cust-1")
    page.get_by_role("navigation", name="Records").get_by_role("link", name="Attempts").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_label("Outcome").select_option("Liveness failed")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="LOAN-2").click()
    expect(page.get_by_role("heading", name="Liveness failed")).to_be_visible()
    expect(page.get_by_text("Presentation attack suspected")).to_be_visible()
    page.get_by_role("link", name="All of this subject").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("link", name="Clear", exact=True).click()
    page.get_by_label("Find").fill("LOAN-1")
    page.get_by_label("Find").press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)


def test_pages_turn_by_links(page: Page) -> None:
    client = make_client()
    for number in range(PAGE_SIZE + 2):
        at = NOON + timedelta(seconds=number)
        make_attempt("not_completed", client=client, biz_no=f"N{number}", created_at=at)
    page.goto(ATTEMPTS)
    page.get_by_role("link", name="Older →").click()
    expect(page.get_by_role("link", name="N1", exact=True)).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("link", name="← Newer").click()
    expect(page.get_by_role("link", name="N51", exact=True)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_its_window_and_can_be_read(page: Page, theme: Any, width: int) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    for address in _everything():
        page.goto(address)
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, address
        faint = page.evaluate(CONTRAST)
        assert faint == [], f"{address}: {json.dumps(faint, indent=1)}"


def test_an_empty_site_can_be_read_too(page: Page) -> None:
    page.goto(ATTEMPTS)
    expect(page.get_by_role("heading", name="No attempts yet")).to_be_visible()
    assert page.evaluate(CONTRAST) == []


def test_a_row_becomes_a_card_on_a_phone(page: Page) -> None:
    make_attempt("verified", biz_no="LOAN-1")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(ATTEMPTS)
    box = page.get_by_role("link", name="LOAN-1").bounding_box()
    pill = page.get_by_text("Verified", exact=True).last.bounding_box()
    assert box is not None
    assert pill is not None
    assert pill["y"] > box["y"] + box["height"]
    assert pill["x"] + pill["width"] < 390


def test_the_theme_switch_overrules_the_system_and_is_kept(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.goto(ATTEMPTS)
    light = page.evaluate(ground)
    page.get_by_role("button", name=re.compile("Toggle theme")).click()
    dark = page.evaluate(ground)
    assert dark != light
    page.goto("/admin/")
    assert page.evaluate(ground) == dark


def test_the_keyboard_reaches_everything_with_a_visible_focus(page: Page) -> None:
    make_attempt("verified", biz_no="LOAN-1")
    page.goto(ATTEMPTS)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    seen: list[str] = []
    for _ in range(45):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "[document.activeElement.name || document.activeElement.innerText || '',"
            " parseFloat(getComputedStyle(document.activeElement).outlineWidth)]"
        )
        seen.append(name.strip())
        if name.strip() == "LOAN-1":
            break
        assert outline >= 2 or not name, name
    assert {"q", "state", "Apply", "Today", "LOAN-1"} <= set(seen)


def test_paper_shows_the_record_without_the_tools(page: Page) -> None:
    attempt = make_attempt("verified")
    page.emulate_media(media="print")
    page.goto(f"{ATTEMPTS}{attempt.pk}/")
    expect(page.get_by_role("heading", name="Verified")).to_be_visible()
    expect(page.locator("#header")).to_be_hidden()
    page.goto(ATTEMPTS)
    expect(page.locator("form.filters")).to_be_hidden()


def test_a_hostile_text_runs_nothing(page: Page) -> None:
    attack = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    attempt = make_attempt(
        "unrecognised", biz_no=attack, result_message=attack, device_tags={attack: 1},
        unknown_fields={attack: attack},
    )  # fmt: skip
    for address in (ATTEMPTS, f"{ATTEMPTS}{attempt.pk}/"):
        page.goto(address)
        assert "owned'" in page.inner_text("main")
        assert page.title() != "owned"
        assert page.locator("main img").count() == 0
