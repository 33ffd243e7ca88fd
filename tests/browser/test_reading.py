"""Pages stay whole for who enlarges, spaces out or recolours them, and for who has no mouse."""

from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.browser.test_desk import ATTEMPTS, DESK, WIDE, _queue

SPACED = """* {
  line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important;
}
p { margin-bottom: 2em !important; }"""
CUT = """() => [...document.querySelectorAll("button, .pill, h1, h2, label, summary")]
  .filter((each) => each.checkVisibility() && !each.closest(".visually-hidden"))
  .filter((each) => getComputedStyle(each).overflow === "hidden" || each.tagName === "BUTTON")
  .filter((each) => each.scrollHeight > each.clientHeight + 2
    || each.scrollWidth > each.clientWidth + 2)
  .map((each) => each.outerHTML.slice(0, 80))"""
FOCUS = """() => {
  const at = document.activeElement;
  const box = at.getBoundingClientRect();
  const style = getComputedStyle(at);
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return {
    name: `${at.tagName} ${at.name || at.innerText || ""}`.slice(0, 50),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    covered: Boolean(top) && !at.contains(top) && !top.contains(at),
  };
}"""
OTHERS = (
    "/admin/verification/rollup/", "/admin/verification/rightschange/",
    "/admin/verification/exportrequest/attempts/", "/admin/verification/price/",
    "/admin/verification/price/set/", "/admin/verification/price/costs/?month=2026-11",
    "/admin/verification/reviewpolicy/1/",
    "/admin/verification/ledgerentry/", "/admin/verification/preference/", "/admin/",
)  # fmt: skip


@pytest.fixture
def addresses(page: Page, officer: User) -> list[str]:
    """Return pages with something on them, for somebody who may work on all of it."""
    User.objects.filter(pk=officer.pk).update(is_superuser=True)
    return [DESK, ATTEMPTS, *(f"{ATTEMPTS}{each.pk}/" for each in _queue()[:2]), *OTHERS]


def test_pages_reflow_at_320_pixels(page: Page, addresses: list[str]) -> None:
    """WCAG 1.4.10: what 400 % makes of a window of 1280."""
    page.set_viewport_size({"width": 320, "height": 256})
    wide = {}
    for address in addresses:
        page.goto(address)
        if found := page.evaluate(WIDE):
            wide[address] = found
    assert wide == {}


@pytest.mark.parametrize("width", [390, 1280])
def test_spaced_out_text_is_not_cut(page: Page, addresses: list[str], width: int) -> None:
    """WCAG 1.4.12."""
    page.set_viewport_size({"width": width, "height": 900})
    lost = {}
    for address in addresses:
        page.goto(address)
        page.evaluate(
            "(css) => { const sheet = new CSSStyleSheet(); sheet.replaceSync(css);"
            " document.adoptedStyleSheets = [sheet]; }",
            SPACED,
        )
        if found := [*page.evaluate(WIDE), *page.evaluate(CUT)]:
            lost[address] = found
    assert lost == {}


def test_the_keyboard_goes_through_every_page_and_is_seen(page: Page, addresses: list[str]) -> None:
    """WCAG 2.1.2, 2.4.7, 2.4.11: a visible focus that nothing covers, and no trap."""
    wrong = []
    for address in addresses:
        page.goto(address)
        seen = []
        for _ in range(90):
            page.keyboard.press("Tab")
            at = page.evaluate(FOCUS)
            if at["name"].startswith("BODY"):
                break
            seen.append(at["name"])
            if not at["outlined"] or at["covered"]:
                wrong.append((urlsplit(page.url).path, at))
        assert "Skip to main content" in seen[0], address
        assert len(set(seen)) > 8, address
    assert wrong == []


def test_motion_stops_and_forced_colours_keep_edges(page: Page, addresses: list[str]) -> None:
    page.emulate_media(reduced_motion="reduce", forced_colors="active")
    page.goto(addresses[2])
    moving = page.evaluate(
        "[...document.querySelectorAll('*')]"
        ".filter((each) => getComputedStyle(each).transitionDuration !== '0s').length"
    )
    assert moving == 0
    edge = page.locator(".pill").first.evaluate("each => getComputedStyle(each).borderTopWidth")
    assert edge == "1px"


def test_what_is_wrong_is_told_with_its_field(page: Page, addresses: list[str]) -> None:
    """WCAG 3.3.1: who cannot see a field turn red is told, and told of which field."""
    page.goto("/admin/password_change/")
    page.get_by_role("button", name="Change my password").evaluate(
        "each => each.form.noValidate = true"
    )
    page.get_by_role("button", name="Change my password").click()
    field = page.get_by_label("Old password")
    expect(field).to_have_attribute("aria-invalid", "true")
    told = field.get_attribute("aria-describedby")
    assert told
    expect(page.locator(f"#{told.split()[0]}")).to_contain_text("required")
