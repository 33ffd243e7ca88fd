"""The log and the check of a record in a browser: day and night, desk and phone, keys, paper."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import OpenToken
from tests.factories import make_attempt
from tests.integration.ledger.lives import Lives, seal
from tests.owner import unguarded
from verification.ledger.canonical import canonical
from verification.ledger.keys import encode_base64
from verification.models import ApiClient, LedgerCheckpoint, LedgerEntry, VerificationAttempt
from verification.services.runtime import Runtime
from verification.services.staging import stage

ATTEMPTS = "/admin/verification/verificationattempt/"
ENTRIES = "/admin/verification/ledgerentry/"
CHECKPOINTS = "/admin/verification/ledgercheckpoint/"
CONTRAST = Path(__file__).with_name("contrast.js").read_text()


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)


@pytest.fixture
def records(page: Page, lives: Lives, runtime: Runtime) -> dict[str, UUID]:
    """Return an attempt of each standing; the page signs in first, which needs an empty site."""
    held, differing, broken = lives.reconciled(), lives.settled(), lives.settled()
    stage(canonical({"kind": "test.counted", "number": each}) for each in range(60))
    seal(runtime)
    with unguarded("verification_attempt", "verification_ledger_entry"):
        VerificationAttempt.objects.filter(pk=differing).update(outcome="liveness_failed")
        LedgerEntry.objects.filter(attempt_id=broken).update(raw=canonical({"kind": "w" * 40}))
    waiting = lives.settled()
    return {
        "This record is as it was written": held,
        "This record does NOT match its entries": differing,
        "✕ not in the signed log": broken,
        "Not sealed yet": waiting,
        "This record is not in the log": make_attempt().pk,
    }


def _check(page: Page, attempt_id: UUID) -> None:
    page.goto(f"{ATTEMPTS}{attempt_id}/")
    page.get_by_role("button", name="Verify this record").click()
    page.wait_for_url("**/verify/")


def _can_be_read(page: Page) -> None:
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, page.url
    faint = page.evaluate(CONTRAST)
    assert faint == [], f"{page.url}: {json.dumps(faint, indent=1)}"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_of_the_log_fits_its_window_and_can_be_read(
    page: Page, records: dict[str, UUID], theme: Any, width: int
) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    size = LedgerCheckpoint.objects.order_by("-size")[0].size
    indexes = LedgerEntry.objects.filter(attempt_id__in=records.values())
    addresses = [f"{ENTRIES}{each.index}/" for each in indexes]
    addresses += [ENTRIES, f"{ENTRIES}?kind=heartbeat", CHECKPOINTS]
    for address in (*addresses, f"{CHECKPOINTS}{size}/", f"{CHECKPOINTS}?before=1"):
        page.goto(address)
        _can_be_read(page)
    for says, attempt_id in records.items():
        _check(page, attempt_id)
        expect(page.get_by_text(says).first).to_be_visible()
        for each in page.locator("details").all():
            each.evaluate("element => element.open = true")
        _can_be_read(page)


def test_an_officer_follows_a_record_to_the_root(page: Page, records: dict[str, UUID]) -> None:
    _check(page, records["This record is as it was written"])
    root = bytes(LedgerCheckpoint.objects.order_by("-size")[0].root)
    expect(page.get_by_role("heading", name="This record is as it was written")).to_be_visible()
    ladder = page.get_by_role("list", name=re.compile(r"From entry \d+ to the root")).first
    expect(ladder.get_by_text("the root in the signed checkpoint")).to_contain_text(root.hex()[:8])
    page.get_by_text("All hashes in full").first.click()
    expect(page.get_by_text(root.hex(), exact=True).first).to_be_visible()
    page.get_by_role("link", name=re.compile("in full$")).first.click()
    expect(page.get_by_role("heading", name="Attempt accepted")).to_be_visible()
    page.get_by_role("link", name="The attempt it is about").click()
    expect(page.get_by_role("button", name="Verify this record")).to_be_visible()


def test_a_wire_leads_from_each_pair_to_the_hash_that_comes_of_it(
    page: Page, records: dict[str, UUID]
) -> None:
    _check(page, records["This record is as it was written"])
    ladder = page.locator(".ladder").first
    wires = [each.get_attribute("d") or "" for each in ladder.locator(".wire path").all()]
    sides = ladder.evaluate(
        "list => [...list.querySelectorAll('.pair')].map("
        "pair => pair.children[0].classList.contains('node-ours') ? 25 : 75)"
    )
    ends = [int(wire.split("H")[-1].split("V")[0]) for wire in wires]
    assert ends == [*sides[1:], 50]


def test_the_check_works_by_keyboard(page: Page, records: dict[str, UUID]) -> None:
    page.goto(f"{ATTEMPTS}{records['This record is as it was written']}/")
    button = page.get_by_role("button", name="Verify this record")
    for _ in range(20):
        page.keyboard.press("Tab")
        if button.evaluate("element => element === document.activeElement"):
            break
    assert button.evaluate("element => parseFloat(getComputedStyle(element).outlineWidth)") >= 2
    page.keyboard.press("Enter")
    page.wait_for_url("**/verify/")
    fold = page.locator("details.proof").nth(1)
    fold.locator("summary").first.focus()
    page.keyboard.press("Enter")
    expect(fold.locator(".ladder")).to_be_visible()


def test_a_page_on_paper_is_an_anchor(page: Page, records: dict[str, UUID]) -> None:
    newest = LedgerCheckpoint.objects.order_by("-size")[0]
    root = encode_base64(bytes(newest.root))
    page.goto(ATTEMPTS)
    foot = page.locator(".log-line")
    assert root not in foot.inner_text()
    assert root[:8] in foot.inner_text()
    page.emulate_media(media="print")
    assert root in foot.inner_text().replace("\n", "")
    assert f"Checkpoint of {newest.size}" in foot.inner_text()
    assert str(newest.made_at.year) in foot.inner_text()
    page.goto(f"{ATTEMPTS}{records['Not sealed yet']}/")
    expect(page.locator("form.verify")).to_be_hidden()


def test_the_note_is_selected_by_one_click_as_it_is(page: Page, records: dict[str, UUID]) -> None:
    newest = LedgerCheckpoint.objects.order_by("-size")[0]
    page.goto(f"{CHECKPOINTS}{newest.size}/")
    page.locator("pre.verbatim").click()
    selected = page.evaluate("getSelection().toString()")
    assert selected.strip() == bytes(newest.note).decode().strip()
