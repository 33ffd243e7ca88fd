"""The desk in a browser: by keyboard alone, two officers at once, narrow, wide, by night."""

import json
import os
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from playwright.sync_api import Browser, Locator, Page, expect

from tests.factories import make_attempt, make_client, make_session
from tests.integration.desk.waiting import DUTIES, make_person, make_review
from verification.conf import get_conf
from verification.models import Reveal, Review, ReviewStep
from verification.policy.terms import Decision
from verification.services.review_queue import take
from verification.services.reviews import decide, note
from verification.services.runtime import get_runtime
from verification.services.saved_filters import save_filter
from verification.services.sealing import add_evidence

ATTEMPTS = "/admin/verification/verificationattempt/"
DESK = "/admin/verification/review/"
FACE = Path(__file__).parents[2].joinpath("verification/sandbox/face.jpg").read_bytes()
WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? []
    : [...document.querySelectorAll('body *')]
        .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
        .map(each => `${each.tagName}.${each.className} ${each.textContent.trim().slice(0, 40)}`)"""
CONTRAST = Path(__file__).with_name("contrast.js").read_text()


@pytest.fixture
def desk(page: Page, officer: User) -> Page:
    """Return the officer's tab, with the duties of an approver."""
    duties = {*DUTIES["officer"], *DUTIES["approver"]}
    officer.user_permissions.add(*Permission.objects.filter(codename__in=duties))
    return page


def _queue() -> list[Review]:
    now = datetime.now(UTC)
    client = make_client("Mobile onboarding")
    session = make_session(client)
    attempt = make_attempt(
        "verified", client=client, session=session, biz_no="LOAN-1", subject="cust-1",
        policy_version=1, verdict="review", reasons=["near_threshold", "device_tag"],
        device_tags={"is_root": 1, "is_hook": 0},
    )  # fmt: skip
    add_evidence(
        attempt_id=attempt.pk, items={"image_best": FACE}, keyring=get_conf().keyring, at=now
    )
    make_attempt("liveness_failed", subject="cust-1", biz_no="LOAN-0")
    return [
        make_review(attempt, needs_second=True, reasons=["near_threshold", "device_tag"],
                    priority=2, due_at=now + timedelta(minutes=35)),
        make_review(biz_no="LOAN-2", due_at=now - timedelta(hours=2)),
        make_review(biz_no="LOAN-3", due_at=now + timedelta(hours=9)),
    ]  # fmt: skip


def test_a_whole_round_by_keyboard_alone(desk: Page, officer: User) -> None:
    first, second, third = _queue()
    desk.goto(DESK)
    desk.keyboard.press("j")
    expect(desk.get_by_role("link", name="LOAN-1")).to_be_focused()
    desk.keyboard.press("j")
    expect(desk.get_by_role("link", name="LOAN-2")).to_be_focused()
    desk.keyboard.press("k")
    desk.keyboard.press("Enter")
    desk.wait_for_url(f"**{ATTEMPTS}{first.pk}/")
    desk.go_back()
    desk.keyboard.press("n")
    desk.wait_for_url(f"**{ATTEMPTS}{first.pk}/")
    expect(desk.locator(".lease")).to_contain_text("Yours until")
    desk.keyboard.press("r")
    expect(desk.get_by_role("radio", name="Rejected").first).to_be_checked()
    desk.keyboard.press("c")
    expect(desk.locator("#decide_code")).to_be_focused()
    desk.keyboard.type("Presentation")
    desk.keyboard.press("Escape")
    desk.keyboard.press("p")
    desk.keyboard.type("nja?k is only typed here")
    desk.keyboard.press("Escape")
    desk.keyboard.press("f")
    desk.wait_for_url(f"**{ATTEMPTS}{second.pk}/")
    first.refresh_from_db()
    assert (first.state, first.decision, first.reason_code) == (
        "proposed", "rejected", "attack_seen",
    )  # fmt: skip
    assert ReviewStep.objects.get().note == "nja?k is only typed here"
    desk.keyboard.press("u")
    expect(desk.get_by_text("You gave it back.")).to_be_visible()
    desk.keyboard.press("s")
    expect(desk.get_by_role("radio", name="In an hour")).to_be_focused()
    desk.keyboard.press("Space")
    desk.locator("#snooze_note").focus()
    desk.keyboard.type("they call back")
    desk.keyboard.press("Tab")
    desk.keyboard.press("Enter")
    expect(desk.locator("#review")).to_contain_text("Snoozed until")
    desk.keyboard.press("n")
    desk.wait_for_url(f"**{ATTEMPTS}{third.pk}/")
    desk.keyboard.press("o")
    desk.keyboard.type("seen")
    desk.keyboard.press("Tab")
    desk.keyboard.press("Enter")
    expect(desk.locator(".timeline")).to_contain_text("seen")
    assert Review.objects.get(pk=third.pk).leased_by == officer


def test_the_list_of_keys_is_true_and_keys_can_be_switched_off(desk: Page) -> None:
    _queue()
    desk.goto(DESK)
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog")).to_contain_text("Take next")
    expect(desk.get_by_role("dialog")).to_contain_text("Next and previous row")
    desk.get_by_label("Single keys do something here").uncheck()
    desk.keyboard.press("Escape")
    desk.keyboard.press("n")
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog")).to_be_hidden()
    desk.goto(DESK)
    desk.keyboard.press("n")
    desk.wait_for_timeout(200)
    assert desk.url.endswith(DESK)
    desk.get_by_role("button", name="Keys").click()
    desk.get_by_label("Single keys do something here").check()
    desk.keyboard.press("Escape")
    desk.keyboard.press("n")
    desk.wait_for_url(f"**{ATTEMPTS}*/")


def test_no_two_things_of_a_page_have_one_key(desk: Page) -> None:
    reviews = _queue()
    for address in (DESK, *(f"{ATTEMPTS}{each.pk}/" for each in reviews)):
        desk.goto(address)
        keys = desk.eval_on_selector_all(
            "[aria-keyshortcuts]",
            "all => all.map(each => each.getAttribute('aria-keyshortcuts'))",
        )
        assert sorted(keys) == sorted({*keys}), address
        assert not {"j", "k", "x", "?"} & {*keys}


def test_reasons_of_another_decision_cannot_be_chosen(desk: Page) -> None:
    review = _queue()[1]
    desk.goto(f"{ATTEMPTS}{review.pk}/")
    desk.get_by_role("radio", name="Approved").check()
    desk.locator("#decide_code").select_option("approved:same_person")
    desk.get_by_role("radio", name="Rejected").check()
    assert desk.locator("#decide_code").input_value() == ""
    assert desk.locator("#decide_code optgroup:not([disabled])").count() == 1


def test_two_officers_meet_at_one_review(desk: Page) -> None:
    review = _queue()[1]
    # A tab that nobody listens to: Chromium complains about every answer that refuses.
    tab = desk.context.new_page()
    tab.goto(f"{ATTEMPTS}{review.pk}/")
    other = make_person("olga", "officer")
    take(attempt_id=review.pk, by=other, runtime=get_runtime())
    tab.locator("#review").get_by_role("radio", name="Approved").check()
    tab.locator("#decide_code").select_option("approved:same_person")
    tab.locator("#decide_note").fill("all is well")
    with tab.expect_response(lambda answer: answer.url.endswith("/decide/")) as refused:
        tab.get_by_role("button", name="Decide", exact=False).first.click()
    assert refused.value.status == HTTPStatus.CONFLICT
    expect(tab.get_by_role("alert")).to_contain_text("olga works on it until")
    expect(tab.get_by_role("alert")).to_contain_text("all is well")
    decide(
        attempt_id=review.pk, decision=Decision.RETRY, reason_code="other", note="", by=other,
        runtime=get_runtime(),
    )  # fmt: skip
    desk.goto(f"{ATTEMPTS}{review.pk}/")
    expect(desk.locator("#review")).to_contain_text("Decided by olga")


def test_all_of_it_works_without_script(desk: Page, browser: Browser, live_server: Any) -> None:
    review = _queue()[1]
    context = browser.new_context(
        base_url=live_server.url, java_script_enabled=False,
        storage_state=desk.context.storage_state(),
    )  # fmt: skip
    tab = context.new_page()
    tab.goto(DESK)
    expect(tab.get_by_role("button", name="Keys")).to_be_hidden()
    tab.get_by_role("link", name="LOAN-2").click()
    tab.get_by_role("button", name="Take it").click()
    tab.locator("#review").get_by_role("radio", name="Try again").check()
    tab.locator("#decide_code").select_option("retry:poor_capture")
    tab.get_by_role("button", name="Decide", exact=True).click()
    expect(tab.get_by_text("Your decision is on record.")).to_be_visible()
    review.refresh_from_db()
    assert review.reason_code == "poor_capture"
    context.close()


def test_many_are_decided_by_keyboard(desk: Page) -> None:
    _queue()
    desk.goto(DESK)
    for _each in range(3):
        desk.keyboard.press("j")
        desk.keyboard.press("x")
    desk.locator(".bulk-bar").get_by_role("radio", name="Try again").check()
    desk.locator("#bulk_code").select_option("retry:other")
    desk.get_by_role("button", name="Show what would be done").click()
    expect(desk.get_by_text("You would decide it")).to_have_count(2)
    desk.get_by_label("I have looked at each of them.").check()
    desk.get_by_role("button", name="Do it").click()
    expect(desk.get_by_role("heading", name="What was done")).to_be_visible()
    assert sorted(Review.objects.values_list("state", flat=True)) == [
        "decided", "decided", "proposed",
    ]  # fmt: skip


def test_a_revealed_image_is_enlarged_and_held_beside_another(desk: Page) -> None:
    attempt = _queue()[0].attempt
    add_evidence(
        attempt_id=attempt.pk, items={"image_reference": FACE}, keyring=get_conf().keyring,
        at=datetime.now(UTC),
    )  # fmt: skip
    desk.goto(f"{ATTEMPTS}{attempt.pk}/")
    desk.keyboard.press("v")
    item = desk.locator("ul.evidence > li").filter(has_text="image_reference")
    item.get_by_text("Reveal…").click()
    with desk.context.expect_page() as opened:
        _fill(item)
    tab = opened.value
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    image = tab.get_by_role("img", name="Revealed evidence image_reference")
    assert image.evaluate("each => each.naturalWidth") > 0
    before = image.bounding_box()
    tab.locator(".frame").focus()
    tab.keyboard.press("+")
    tab.get_by_role("button", name="Larger").click()
    after = image.bounding_box()
    assert before
    assert after
    assert after["width"] > before["width"] * 1.5
    tab.keyboard.press("0")
    tab.get_by_role("button", name="Fit").click()
    assert image.bounding_box() == before
    tab.locator(".frame").focus()
    tab.keyboard.press("Shift+Tab")
    expect(tab.get_by_role("button", name="Fit")).to_be_focused()  # the keyboard is not trapped
    other = tab.locator("[data-beside]")
    other.get_by_text("Reveal…").click()
    _fill(other)
    expect(tab.locator(".view")).to_have_count(2)
    expect(tab.locator("[data-beside]")).to_have_count(0)
    assert Reveal.objects.count() == 2
    for width in (390, 1280):
        for theme in ("light", "dark"):
            tab.set_viewport_size({"width": width, "height": 800})
            tab.emulate_media(color_scheme=theme)
            tab.wait_for_timeout(400)  # links change their colour slowly
            _can_be_read(tab, f"viewer-{width}-{theme}")
    assert complaints == []


def _fill(item: Locator) -> None:
    item.get_by_label("Purpose").select_option("dispute")
    item.get_by_label("Reason").fill("the customer disputes the decision")
    item.get_by_role("button", name="Reveal, on record").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 2560])
def test_every_page_fits_its_window_and_can_be_read(
    desk: Page, officer: User, theme: Any, width: int
) -> None:
    first, second, third = _queue()
    other = make_person("w" * 60, "officer")
    runtime = get_runtime()
    save_filter(name="W" * 60, query="priority=urgent", by=officer, runtime=runtime)
    note(attempt_id=first.pk, text="@officer " + "W" * 300, by=other, runtime=runtime)
    decide(
        attempt_id=first.pk, decision=Decision.REJECTED, reason_code="attack_seen",
        note="a mask\nthe edge shows", by=other, runtime=runtime,
    )  # fmt: skip
    take(attempt_id=second.pk, by=other, runtime=runtime)
    desk.emulate_media(color_scheme=theme)
    desk.set_viewport_size({"width": width, "height": 900})
    addresses = (
        DESK, f"{DESK}?priority=urgent", f"{DESK}mentions/",
        *(f"{ATTEMPTS}{each.pk}/" for each in (first, second, third)),
    )  # fmt: skip
    for number, address in enumerate(addresses):
        desk.goto(address)
        _can_be_read(desk, f"{number}-{width}-{theme}")
    desk.goto(DESK)
    desk.get_by_label("Choose LOAN-3").check()
    desk.locator(".bulk-bar").get_by_role("radio", name="Try again").check()
    desk.locator("#bulk_code").select_option("retry:other")
    desk.get_by_role("button", name="Show what would be done").click()
    expect(desk.get_by_text("You would decide it")).to_be_visible()
    _can_be_read(desk, f"bulk-{width}-{theme}")


def _can_be_read(desk: Page, name: str) -> None:
    """Nothing is cut off, nothing is faint. DESK_SHOTS names a folder for pictures to look at."""
    if shots := os.environ.get("DESK_SHOTS"):
        desk.screenshot(path=f"{shots}/{name}.png", full_page=True)
    for each in desk.locator("details").all():
        each.evaluate("each => { each.open = true }")
    wide = desk.evaluate(WIDE)
    assert wide == [], f"{name}: {wide}"
    faint = desk.evaluate(CONTRAST)
    assert faint == [], f"{name}: {json.dumps(faint, indent=1)}"
