"""axe-core finds nothing on any page of the admin: on a phone, at a desk, by day and by night.

Every address that the resolver knows is looked at; one that nobody has listed here fails.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client, override_settings
from django.urls import resolve, reverse
from playwright.sync_api import Browser, ConsoleMessage, Page
from pytest_django.live_server_helper import LiveServer

from tests.browser.axe import Finding, findings
from tests.browser.conftest import SERIOUS
from tests.conftest import OpenToken
from tests.integration.desk.waiting import make_review
from tests.integration.languages.world import WHY, House, furnish
from tests.integration.ledger.lives import Lives
from tests.integration.people.doors import NOBODY, SAMPLES, doors
from tests.integration.people.entering import PASSWORD, app_code, asking
from verification.conf import get_conf
from verification.models import ApiClient, VerificationAttempt
from verification.models.rights import Growth
from verification.selectors.record import AttemptFilter
from verification.services import rights
from verification.services.runtime import Runtime
from verification.services.saved_filters import save_filter
from verification.services.sealing import add_evidence
from verification.services.staff_exports import Wanted, decide_export, request_export

pytestmark = pytest.mark.django_db(transaction=True)

FACE = Path(__file__).parents[2].joinpath("verification/sandbox/face.jpg").read_bytes()
ATTEMPTS = "/admin/verification/verificationattempt/"
DESK = "/admin/verification/review/"
NO_PAGE = {
    "autocomplete", "jsi18n", "view_on_site", "logout",
    "verification_review_change", "verification_erasure_certificate", "auth_user_delete",
    "verification_factor_codes", "verification_erasure_decide", "verification_erasure_request",
    "verification_exportrequest_decide", "verification_exportrequest_take",
    "verification_exportrequest_prepare", "verification_exportrequest_end",
    "verification_exportjob_cancel", "verification_exportjob_take",
    "verification_exportrequest_withdraw", "verification_price_csv", "verification_review_act",
    "verification_review_filter", "verification_review_glass", "verification_review_next",
    "verification_review_save", "verification_reviewpolicy_cancel",
    "verification_reviewpolicy_decide", "verification_reviewpolicy_paste",
    "verification_reviewpolicy_try", "verification_reviewpolicy_withdraw",
    "verification_rightschange_decide", "verification_rightschange_look",
    "verification_rightschange_withdraw", "verification_verificationattempt_verify",
    "verification_retentionrun_request", "verification_retentionrun_decide",
    "verification_retentionrun_cancel", "verification_legalhold_place",
    "verification_legalhold_lift",
    "verification_controlrun_check", "verification_controlrun_pack",
    "verification_subjectreport_take", "verification_subjecterasure_request",
    "verification_subjecterasure_decide", "verification_subjecterasure_answer",
}  # fmt: skip
"""What only does something, answers with data, or leads elsewhere: a GET of it shows no record."""
FROM_A_FORM = {"verification_review_bulk", "verification_evidence_reveal", "login"}
"""Pages that a form leads to, or that nobody sees who has logged in."""
NARROWED = (
    f"{ATTEMPTS}?q=nobody", f"{ATTEMPTS}?since=2026-11-30&until=2026-11-01",
    f"{ATTEMPTS}?state=in_doubt&period=7d",
    f"{DESK}?show=decided", f"{DESK}?show=proposed", f"{DESK}?q=nothing",
    "/admin/verification/ledgerentry/?q=nothing", "/admin/verification/rollup/?period=30d",
    "/admin/verification/rollup/?since=2001-01-01&until=2001-01-02",
    "/admin/verification/reveal/?attempt=x", "/admin/verification/reveal/?subject=nobody",
    "/admin/verification/exportrequest/attempts/?q=nobody", "/admin/auth/user/?q=nobody",
    "/admin/nothing/", f"{ATTEMPTS}{NOBODY}/", "/nothing/",
    f"/admin/verification/erasure/{NOBODY}/decide/",
)  # fmt: skip
"""Lists that are narrowed, empty or asked for nonsense; pages that are none."""

ALIKE = ("entry ", "attempt different", "attempt liveness", "attempt not_", "attempt source")
"""Pages of the house that show the same as another one."""
ASKS = {"officer": rights.request_rights, "auditor": rights.break_glass_for_rights}


@dataclass
class Tour:
    """Walks through pages, and keeps what axe finds on each and which addresses were shown."""

    browser: Browser
    address: str
    found: dict[str, list[Finding]] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def enter(self, person: User | None = None) -> Page:
        """Open a new browser, in which somebody may have logged in."""
        context = self.browser.new_context(base_url=self.address)
        if person is not None:
            context.add_cookies([_session_of(person, self.address)])
        tab = context.new_page()
        tab.on("console", self._listen)
        return tab

    def visit(self, tab: Page, path: str, name: str = "") -> None:
        """Go to a page and look at it; what refuses or leads elsewhere counts as not shown."""
        answer = tab.goto(path)
        assert answer is not None
        self.look(tab, name or path, is_shown=answer.ok and not answer.request.redirected_from)

    def look(self, tab: Page, name: str, *, is_shown: bool = True) -> None:
        """Look at the page as it is."""
        if is_shown:
            match = resolve(urlsplit(tab.url).path)
            self.shown.add(str(match.url_name))
        if found := findings(tab):
            self.found[name] = found

    def _listen(self, message: ConsoleMessage) -> None:
        # The browser calls every answer of 4xx or 5xx an error; those are asked for here.
        is_asked_for = "the server responded with a status of" in message.text
        if message.type in SERIOUS and not is_asked_for:
            self.complaints.append(f"{message.location['url']}: {message.text}")


def _session_of(person: User, address: str) -> Any:
    visitor = Client()
    visitor.force_login(person)
    return {
        "name": settings.SESSION_COOKIE_NAME,
        "value": visitor.cookies[settings.SESSION_COOKIE_NAME].value,
        "domain": str(urlsplit(address).hostname),
        "path": "/",
    }


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    return Lives(client_app, runtime, open_token)


@pytest.fixture
def house(lives: Lives) -> House:
    return furnish(lives)


def test_axe_finds_nothing_on_any_page(
    browser: Browser, live_server: LiveServer, house: House, runtime: Runtime
) -> None:
    tour = Tour(browser, live_server.url)
    _look_at_records(tour, house, runtime)
    _look_at_what_is_posted(tour, house)
    _look_at_refusals(tour)
    _look_at_the_way_in(tour)
    assert tour.found == {}
    assert tour.complaints == []
    assert doors().keys() - tour.shown == NO_PAGE


def _look_at_records(tour: Tour, house: House, runtime: Runtime) -> None:
    tab = tour.enter(house.reader)
    save_filter(name="mine", query="priority=urgent", by=house.reader, runtime=runtime)
    single = {name: path for name, path in house.pages.items() if not name.startswith(ALIKE)}
    single |= {"entry": house.pages["entry review.decided"]}
    unknown = (str(NOBODY), str(SAMPLES["int"]))
    known = {name: path for name, path in doors().items() if not any(e in path for e in unknown)}
    paths = [path for name, path in known.items() if name not in NO_PAGE | FROM_A_FORM]
    for path in (*paths, *NARROWED, *single.values(), *_staff(house, runtime)):
        tour.visit(tab, path)


def _staff(house: House, runtime: Runtime) -> Iterator[str]:
    """Add people, requests for rights and exports; return their pages."""
    person = User.objects.create_user("new", password=PASSWORD, is_staff=True)
    role = Group.objects.get(name="officer")
    for view in ("change", "history", "password_change"):
        yield reverse(f"admin:auth_user_{view}", args=[person.pk])
    for view in ("change", "history", "delete"):
        yield reverse(f"admin:auth_group_{view}", args=[role.pk])
    yield reverse("admin:verification_rightschange_request", args=[person.pk])
    for name, ask in ASKS.items():
        row = ask(
            account_id=str(person.pk), growth=Growth.ROLE, role_id=Group.objects.get(name=name).pk,
            reason=WHY, by=house.reader, runtime=runtime,
        )  # fmt: skip
        yield reverse("admin:verification_rightschange_change", args=[row.pk])
    yield reverse("admin:verification_rightschange_changelist")
    for by in (house.reader, User.objects.get(username="r2")):
        asked = request_export(wanted=Wanted(AttemptFilter(), WHY), by=by, runtime=runtime)
        yield reverse("admin:verification_exportrequest_change", args=[asked.pk])
        if by != house.reader:
            decide_export(request_id=asked.pk, approve=True, by=house.reader, runtime=runtime)
    yield reverse("admin:verification_exportrequest_changelist")


def _look_at_what_is_posted(tour: Tour, house: House) -> None:
    """Look at what only a form leads to."""
    attempt = VerificationAttempt.objects.get(pk=make_review(biz_no="LOAN-1").pk)
    items = {"image_best": FACE, "image_reference": FACE}
    add_evidence(
        attempt_id=attempt.pk, items=items, keyring=get_conf().keyring, at=datetime.now(UTC)
    )
    tab = tour.enter(house.reader)
    tab.goto(DESK)
    tab.keyboard.press("?")
    tour.look(tab, "keys")
    tab.goto(DESK)
    tab.get_by_label("Choose LOAN-1").check()
    tab.locator(".bulk-bar").get_by_role("radio", name="Try again").check()
    tab.locator("#bulk_code").select_option("retry:other")
    tab.get_by_role("button", name="Show what would be done").click()
    tour.look(tab, "bulk preview")
    tab.get_by_label("I have looked at each of them.").check()
    tab.get_by_role("button", name="Do it").click()
    tour.look(tab, "bulk done")
    _reveal(tour, tab, attempt)
    _post_nonsense(tour, tab, attempt)


def _reveal(tour: Tour, tab: Page, attempt: VerificationAttempt) -> None:
    tab.goto(f"{ATTEMPTS}{attempt.pk}/")
    item = tab.locator("ul.evidence > li").first
    item.get_by_text("Reveal…").click()
    item.get_by_label("Purpose").select_option("dispute")
    item.get_by_label("Reason").fill(WHY)
    with tab.context.expect_page() as opened:
        item.get_by_role("button", name="Reveal, on record").click()
    opened.value.wait_for_load_state()
    tour.look(opened.value, "viewer")


NO_CHECKS = """document.querySelectorAll("form").forEach((each) => {
  each.noValidate = true; each.target = "";
})"""


def _post_nonsense(tour: Tour, tab: Page, attempt: VerificationAttempt) -> None:
    """Look at what forms answer when nothing that they ask for is given."""
    forms = {
        "reveal": (f"{ATTEMPTS}{attempt.pk}/", "Reveal, on record"),
        "erasure": (f"{ATTEMPTS}{attempt.pk}/", "Request erasure"),
        "policy": ("/admin/verification/reviewpolicy/propose/", "Propose"),
        "staff": ("/admin/auth/user/add/", "Save"),
        "price": ("/admin/verification/price/set/", "Set the price"),
        "password": ("/admin/password_change/", "Change my password"),
        "confirm": (reverse("admin:verification_reauth"), "Go on"),
    }
    for name, (path, button) in forms.items():
        tab.goto(path)
        tab.evaluate(NO_CHECKS)
        tab.evaluate(
            "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
        )
        tab.evaluate("document.querySelectorAll('form').forEach((each) => { each.target = ''; })")
        tab.get_by_role("button", name=button).first.click()
        tab.wait_for_load_state()
        tour.look(tab, f"nonsense in {name}", is_shown=name != "erasure")


def _look_at_refusals(tour: Tour) -> None:
    nobody = User.objects.create_user("nobody", is_staff=True)
    tab = tour.enter(nobody)
    for path in ("/admin/", ATTEMPTS, DESK):
        tour.visit(tab, path, f"{path} without a role")
    with override_settings(ROOT_URLCONF="tests.browser.broken_urls"):
        tour.visit(tab, "/admin/fails/")
    tab.goto("/admin/password_change/done/")
    tab.get_by_role("button", name="Log out").click()
    tour.look(tab, "logged out", is_shown=False)


def _look_at_the_way_in(tour: Tour) -> None:
    """Look at the login and the second factor."""
    person = User.objects.create_superuser("chief", password=PASSWORD)
    with asking():
        tab = tour.enter()
        tour.visit(tab, "/admin/login/")
        _give(tab, "wrong")
        tour.look(tab, "wrong password")
        _give(tab, PASSWORD)
        tour.look(tab, "set-up of the second factor")
        tab.get_by_label("Code").fill("000000")
        tab.keyboard.press("Enter")
        tab.get_by_role("alert").wait_for()
        tour.look(tab, "wrong code at set-up")
        tab.get_by_label("Code").fill(app_code(person))
        tab.keyboard.press("Enter")
        tab.locator(".codes").wait_for()
        tour.look(tab, "recovery codes")
        for path in (reverse("admin:verification_factor"), reverse("admin:verification_reauth")):
            tour.visit(tab, path)
        tour.visit(tab, reverse("admin:verification_factor_codes"))
        tour.visit(tab, reverse("admin:verification_factor_reset", args=[person.pk]))
        tab.context.clear_cookies()
        tab.goto("/admin/login/")
        _give(tab, PASSWORD)
        tour.look(tab, "code")
        tab.context.clear_cookies()
        for _ in range(6):
            tab.goto("/admin/login/")
            _give(tab, "wrong")
        tour.look(tab, "too many tries")


def _give(tab: Page, password: str) -> None:
    tab.get_by_label("Username").fill("chief")
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Log in").click()
    tab.wait_for_load_state()


def test_axe_works_beside_the_policy_of_a_page(
    browser: Browser, live_server: LiveServer, db: None
) -> None:
    """The suite would be silent if axe were: take a label away, and it must speak."""
    tour = Tour(browser, live_server.url)
    tab = tour.enter()
    tab.goto("/admin/login/")
    tab.evaluate("document.querySelector('label').remove()")
    assert {each.rule for each in findings(tab)} == {"label"}
    assert tour.complaints == []
