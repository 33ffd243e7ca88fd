"""A whole day at the desk: two people, two browsers, one attempt that neither may decide alone.

DAY_PICTURES names a folder: then the pictures of the documentation are taken on the way.
"""

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.conftest import OpenToken
from tests.integration.ledger.lives import Lives, seal
from tests.integration.people.entering import PASSWORD, app_code, asking, make_person
from verification.models import ApiClient, Export, LedgerEntry, Reveal, Review, VerificationAttempt
from verification.selectors.export_columns import MASK, MASKED_TAIL
from verification.services.rollups import rebuild
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

ATTEMPTS = "/admin/verification/verificationattempt/"
DESK = "/admin/verification/review/"
SCENARIOS = (
    "risk-tags", "success", "attack", "different-person", "cancelled", "unknown-code", "success",
    "success", "device-risk", "success",
)  # fmt: skip
DETECTED = {"verbose": "1", "device_risk": "1", "verify_risk_detect": "1"}
KINDS = {
    "attempt.accepted", "attempt.settled", "evidence.revealed", "review.proposed",
    "review.decided", "export.created",
}  # fmt: skip
"""What a day like this leaves in the log."""

Sit = Callable[[str], AbstractContextManager[Page]]


@pytest.fixture
def people(transactional_db: None) -> dict[str, User]:
    return {name: make_person(name, name) for name in ("officer", "approver")}


@pytest.fixture
def sit(browser: Browser, live_server: LiveServer, people: dict[str, User]) -> Iterator[Sit]:
    """Return a function that seats somebody at a browser of their own, logged in with a code."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        complaints.append(f"{message.type}: {message.text}")

    @contextmanager
    def seat(name: str) -> Iterator[Page]:
        context = browser.new_context(
            base_url=live_server.url, viewport={"width": 1280, "height": 900}
        )
        context.on("console", listen)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        tab = context.new_page()
        _log_in(tab, people[name])
        yield tab
        context.close()

    with asking():
        yield seat
    assert complaints == []


def _log_in(tab: Page, person: User) -> None:
    tab.goto("/admin/")
    tab.get_by_label("Username").fill(person.username)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    tab.get_by_label("Code").wait_for()
    tab.get_by_label("Code").fill(app_code(person))
    tab.keyboard.press("Enter")
    expect(tab.locator(".codes code")).to_have_count(10)
    tab.get_by_role("link", name="I have them").click()
    tab.get_by_role("navigation", name="Records").wait_for()


def _picture(tab: Page, name: str) -> None:
    if folder := os.environ.get("DAY_PICTURES"):
        tab.evaluate("scrollTo(0, 0)")
        tab.screenshot(path=Path(folder) / f"admin-{name}.png")


@pytest.fixture
def morning(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> VerificationAttempt:
    """Verify ten people through the sandbox; return the attempt that two must decide."""
    lives = Lives(client_app, runtime, open_token)
    made = [
        lives.submitted(f"LOAN-{number} sandbox:{scenario}", uuid=f"person-{number}", **DETECTED)
        for number, scenario in enumerate(SCENARIOS)
    ]
    rebuild(runtime=runtime)
    seal(runtime)
    return VerificationAttempt.objects.get(pk=made[0], review__needs_second=True)


def test_a_whole_day(sit: Sit, morning: VerificationAttempt, runtime: Runtime) -> None:
    with ExitStack() as seats:
        officer = seats.enter_context(sit("officer"))
        approver = seats.enter_context(sit("approver"))
        _take(officer, morning)
        _find_it_taken(approver, morning)
        _reveal(officer)
        _propose(officer)
        _agree(approver, morning)
        expect(approver.locator("#review")).to_contain_text("Decided by approver")
        _look_around(officer)
        rows = _export(approver)
    decided = next(each for each in rows if each["id"] == str(morning.pk))
    assert decided["biz_no"] == f"{MASK}{str(morning.biz_no)[-MASKED_TAIL:]}"
    assert len(rows) == len(SCENARIOS)
    review = Review.objects.get(pk=morning.pk)
    assert (review.state, review.decision) == ("decided", "rejected")
    assert (Reveal.objects.count(), Export.objects.count()) == (1, 1)
    seal(runtime)
    assert verify(runtime=runtime).faults == ()
    assert set(LedgerEntry.objects.values_list("kind", flat=True)) >= KINDS


def _take(tab: Page, attempt: VerificationAttempt) -> None:
    tab.get_by_role("navigation", name="Records").get_by_role("link", name="Desk").click()
    _picture(tab, "desk")
    tab.get_by_role("button", name="Take next").click()
    tab.wait_for_url(f"**{ATTEMPTS}*/")
    if not tab.url.endswith(f"{attempt.pk}/"):
        tab.goto(f"{ATTEMPTS}{attempt.pk}/")
        tab.get_by_role("button", name="Take it").click()
    expect(tab.locator(".lease")).to_contain_text("Yours until")


def _find_it_taken(tab: Page, attempt: VerificationAttempt) -> None:
    """Somebody else has it: the page says who, and offers neither the decision nor the taking."""
    tab.goto(f"{ATTEMPTS}{attempt.pk}/")
    expect(tab.locator(".lease")).to_contain_text("officer works on it until")
    expect(tab.get_by_role("button", name="Take it")).to_have_count(0)
    expect(tab.get_by_role("button", name="Propose")).to_have_count(0)


def _reveal(tab: Page) -> None:
    item = tab.locator("ul.evidence > li").filter(has_text="image_best")
    item.get_by_text("Reveal…").click()
    item.get_by_label("Purpose").select_option("review")
    item.get_by_label("Reason").fill("the tags of the device look wrong")
    with tab.context.expect_page() as opened:
        item.get_by_role("button", name="Reveal, on record").click()
    image = opened.value.get_by_role("img", name="Revealed evidence image_best")
    assert image.evaluate("each => each.naturalWidth") > 0
    opened.value.close()


def _propose(tab: Page) -> None:
    tab.reload()
    tab.locator("#review").get_by_role("radio", name="Rejected").first.check()
    tab.locator("#decide_code").select_option("rejected:attack_seen")
    tab.locator("#decide_note").fill("the edge of a mask shows")
    _picture(tab, "review")
    tab.get_by_role("button", name="Propose", exact=False).first.click()
    expect(tab.locator("#review")).to_contain_text("You proposed this, so somebody else must agree")
    expect(tab.get_by_role("button", name="Agree")).to_have_count(0)


def _agree(tab: Page, attempt: VerificationAttempt) -> None:
    tab.goto(f"{DESK}?show=proposed")
    tab.get_by_role("link", name=attempt.biz_no).click()
    tab.locator("#second_note").fill("so it does")
    tab.get_by_role("button", name="Agree").click()


def _look_around(tab: Page) -> None:
    """Look at what the day has become: the list, a record, the dashboard."""
    tab.goto(ATTEMPTS)
    expect(tab.get_by_role("row")).to_have_count(len(SCENARIOS) + 1)
    inside = "each => each.scrollWidth <= each.clientWidth"
    assert tab.locator(".table-card").evaluate(inside), "a column is cut off"
    _picture(tab, "list")
    tab.get_by_role("link", name="LOAN-0").click()
    expect(tab.get_by_role("heading", name="Who has seen this")).to_be_visible()
    _picture(tab, "attempt")
    tab.goto("/admin/verification/rollup/")
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    _picture(tab, "dashboard")


def _export(tab: Page) -> list[dict[str, str]]:
    tab.goto(ATTEMPTS)
    tab.get_by_role("link", name="Export this list", exact=False).click()
    with tab.expect_download() as saved:
        tab.get_by_role("button", name="Save now, on record").click()
    text = saved.value.path().read_text(encoding="utf-8")
    return list(csv.DictReader(StringIO(text, newline="")))
