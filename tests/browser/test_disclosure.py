"""Revealing and erasing as staff do it; the page fixture fails on anything the policy blocks."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Download, Page, expect

from tests.factories import make_attempt, make_evidence
from verification.conf import get_conf
from verification.models import Erasure, Reveal, VerificationAttempt
from verification.models.erasure import LegalBasis
from verification.models.reveal import Purpose
from verification.services.erasing import request_erasure
from verification.services.reveals import reveal
from verification.services.runtime import get_runtime
from verification.services.sealing import add_evidence

ATTEMPTS = "/admin/verification/verificationattempt/"
ERASURES = "/admin/verification/erasure/"
CONTRAST = Path(__file__).with_name("contrast.js").read_text()
FACE = Path(__file__).parents[2].joinpath("verification/sandbox/face.jpg").read_bytes()
REASON = "the customer disputes the decision"


def _attempt(**overrides: Any) -> VerificationAttempt:
    attempt = make_attempt("verified", biz_no="LOAN-1", subject="cust-1", **overrides)
    add_evidence(
        attempt_id=attempt.pk,
        items={"image_best": FACE, "raw_answer": b'{"result_code": 1000}', "zip": b"PK\3\4"},
        keyring=get_conf().keyring,
        at=datetime.now(UTC),
    )
    return attempt


def _person(name: str, role: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def _reveal(page: Page, number: int) -> None:
    """Fill in the form of one item and send it."""
    item = page.locator("ul.evidence > li").nth(number)
    item.get_by_text("Reveal…").click()
    item.get_by_label("Purpose").select_option("dispute")
    item.get_by_label("Reason").fill(REASON)
    item.get_by_role("button", name="Reveal, on record").click()


@pytest.mark.parametrize("number", [0, 1])
def test_an_officer_reveals_in_a_new_tab(page: Page, number: int) -> None:
    attempt = _attempt()
    page.goto(f"{ATTEMPTS}{attempt.pk}/")
    with page.context.expect_page() as opened:
        _reveal(page, number)
    tab = opened.value
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.wait_for_load_state()
    if number:
        expect(tab.get_by_text('{"result_code": 1000}')).to_be_visible()
    else:
        width = tab.evaluate("document.images[0].naturalWidth")
        assert width > 0
    assert tab.evaluate("window.opener") is None
    assert complaints == []
    assert Reveal.objects.get().purpose == "dispute"
    page.reload()
    expect(page.get_by_role("heading", name="Who has seen this")).to_be_visible()
    expect(page.locator(".access")).to_contain_text("officer: Complaint or dispute")


def test_what_a_browser_cannot_show_is_saved(page: Page) -> None:
    attempt = _attempt()
    page.goto(f"{ATTEMPTS}{attempt.pk}/")
    saved: list[Download] = []

    def keep(download: Download) -> None:
        saved.append(download)

    page.on("download", keep)
    page.context.on("page", lambda tab: tab.on("download", keep))
    _reveal(page, 2)
    for _ in range(50):
        page.wait_for_timeout(100)
        if saved:
            break
    assert re.fullmatch(r"zip-[0-9a-f-]{36}\.bin", saved[0].suggested_filename)


def test_a_form_that_is_not_complete_is_not_sent(page: Page) -> None:
    attempt = _attempt()
    page.goto(f"{ATTEMPTS}{attempt.pk}/")
    item = page.locator("ul.evidence > li").first
    item.get_by_text("Reveal…").click()
    item.get_by_label("Reason").fill("short")
    item.get_by_role("button", name="Reveal, on record").click()
    assert item.get_by_label("Purpose").evaluate("each => each.validity.valueMissing")
    assert len(page.context.pages) == 1
    assert not Reveal.objects.exists()


def test_an_officer_asks_and_an_approver_decides(page: Page) -> None:
    attempt = _attempt()
    page.goto(f"{ATTEMPTS}{attempt.pk}/")
    page.get_by_text("Request erasure…").click()
    page.get_by_label("Legal basis").select_option("subject_request")
    page.locator("#erasure_reason").fill(REASON)
    page.get_by_role("button", name="Request erasure").click()
    expect(page.get_by_text("The request is on record.")).to_be_visible()
    expect(page.get_by_text("You asked for it, so somebody else must decide.")).to_be_visible()
    row = Erasure.objects.get()
    Erasure.objects.filter(pk=row.pk).update(
        decision="refused", decided_by=_person("approver", "approver"), decided_at=datetime.now(UTC)
    )
    other = request_erasure(
        attempt_id=attempt.pk,
        legal_basis=LegalBasis.UNLAWFUL,
        reason=REASON,
        by=_person("other", "officer"),
        runtime=get_runtime(),
    )
    User.objects.get(username="officer").groups.add(Group.objects.get(name="approver"))
    page.goto("/admin/")
    page.get_by_role("link", name="Erasures to decide").click()
    page.get_by_role("link", name="LOAN-1").click()
    page.get_by_role("button", name="Approve and erase").click()
    assert page.get_by_label("I understand").evaluate("each => each.validity.valueMissing")
    page.get_by_label("I understand").check()
    page.get_by_role("button", name="Approve and erase").click()
    expect(page.get_by_text("The evidence is erased.")).to_be_visible()
    expect(page.get_by_text("The key was destroyed on")).to_be_visible()
    assert page.get_by_text("Reveal…").count() == 0
    assert Erasure.objects.get(pk=other.pk).decision == "approved"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_its_window_and_can_be_read(page: Page, theme: Any, width: int) -> None:
    officer = User.objects.get(username="officer")
    officer.groups.add(Group.objects.get(name="approver"))
    attempt = _attempt()
    reveal(
        evidence_id=attempt.evidence.get(kind="image_best").pk,
        officer=officer,
        purpose=Purpose.FRAUD,
        reason="w" * 400,
        runtime=get_runtime(),
    )
    asked = request_erasure(
        attempt_id=attempt.pk,
        legal_basis=LegalBasis.SUBJECT_REQUEST,
        reason="W" * 400,
        by=_person("a" * 100, "approver"),
        runtime=get_runtime(),
    )
    erased = make_attempt("verified")
    make_evidence(erased, "image_best", erased=True)
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    gone = Erasure.objects.get(attempt=erased)
    for address in (
        f"{ATTEMPTS}{attempt.pk}/", f"{ATTEMPTS}{erased.pk}/", f"{ATTEMPTS}{_attempt().pk}/",
        ERASURES, f"{ERASURES}{asked.pk}/", f"{ERASURES}{gone.pk}/",
        "/admin/verification/reveal/", "/admin/verification/reveal/?subject=cust-1",
        "/admin/verification/reveal/?subject=nobody",
    ):  # fmt: skip
        page.goto(address)
        for each in page.locator("details").all():
            each.evaluate("each => { each.open = true }")
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, address
        faint = page.evaluate(CONTRAST)
        assert faint == [], f"{address}: {json.dumps(faint, indent=1)}"
