"""Every page of the admin stands up to axe-core: both themes, wide and narrow, by keyboard too."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Literal
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from tests.conftest import OpenToken
from tests.integration.languages.addresses import addresses_of
from tests.integration.languages.world import House, furnish
from tests.integration.ledger.lives import Lives
from tests.integration.people.entering import PASSWORD, app_code, asking, make_person
from verification.models import ApiClient, Evidence, Review, SecondFactor
from verification.models.evidence import RAW_ANSWER
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

Look = Callable[[Page, str], None]

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}
SCREENS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1280), ("dark", 390))
OPEN_ALL = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
RUN = """async (rules) => (await axe.run(document, rules)).violations.map((each) =>
  `${each.id}: ${each.nodes.slice(0, 3).map((node) => node.target)}`)"""
POST = """([path, fields]) => {
  const form = document.createElement("form");
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  Object.assign(form, { method: "post", action: path });
  for (const [name, value] of [["csrfmiddlewaretoken", token], ...fields]) {
    form.append(Object.assign(document.createElement("input"), { name, value }));
  }
  document.body.append(form);
  form.submit();
}"""
UNSEEN_FOCUS = """() => {
  const it = document.activeElement;
  if (it === document.body || it.matches(".skip-to-content-link")) return null;
  const style = getComputedStyle(it), box = it.getBoundingClientRect();
  const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  const seen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return (ringed || style.boxShadow !== "none") && seen ? null : it.outerHTML.slice(0, 200);
}"""
"""What has the focus, if nothing shows it or it is out of sight."""

ADMIN = "/admin/verification/"
ENTRIES = 3
"""So many of the log's entries are looked at: their pages differ in the text of the entry only."""


@pytest.fixture
def house(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> House:
    return furnish(Lives(client_app, runtime, open_token))


@pytest.fixture
def context(browser: Browser, live_server: LiveServer) -> Iterator[BrowserContext]:
    """Return a browser in which nobody has signed in."""
    found = browser.new_context(base_url=live_server.url)
    yield found
    found.close()


@pytest.fixture
def look() -> Iterator[Look]:
    """Return a function that holds a page against the rules; it fails at the end, with all."""
    found: dict[str, list[str]] = {}

    def go(tab: Page, name: str) -> None:
        # Not a script of the page: the browser's own channel is not held to the page's policy.
        tab.evaluate(AXE)
        tab.evaluate(OPEN_ALL)
        for scheme, width in SCREENS:
            tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            tab.set_viewport_size({"width": width, "height": 900})
            if said := tab.evaluate(RUN, RULES):
                found[f"{name} {scheme} {width}"] = said

    yield go
    assert found == {}


def _enter(context: BrowserContext, live_server: LiveServer, person: User) -> Page:
    """Return a tab in which somebody has signed in."""
    visitor = Client()
    visitor.force_login(person)
    cookie = {
        "name": settings.SESSION_COOKIE_NAME,
        "value": visitor.cookies[settings.SESSION_COOKIE_NAME].value,
        "domain": str(urlsplit(live_server.url).hostname),
        "path": "/",
    }
    context.add_cookies([cookie])  # type: ignore[list-item]  # the type of a cookie is not public
    return context.new_page()


def _is_page(tab: Page, path: str) -> bool:
    """Return whether an address answers with something to look at, not with a file or nothing."""
    answer = tab.context.request.get(path)
    is_html = answer.headers.get("content-type", "").startswith("text/html")
    return is_html and bool(answer.body()) and "content-disposition" not in answer.headers


def test_every_page_there_is(
    context: BrowserContext, live_server: LiveServer, house: House, look: Look
) -> None:
    tab = _enter(context, live_server, house.reader)
    pages = {name: path for name, path in addresses_of(house).items() if _is_page(tab, path)}
    entries = [name for name in pages if name.startswith("entry ")]
    assert len(pages) > len(house.pages)
    for name in pages.keys() - entries[ENTRIES:]:
        tab.goto(pages[name])
        look(tab, name)


def test_pages_that_answer_an_act(
    context: BrowserContext, live_server: LiveServer, house: House, look: Look
) -> None:
    tab = _enter(context, live_server, house.reader)
    attempt = house.pages["review 0"]
    decided = Review.objects.filter(state="decided").first()
    assert decided is not None
    choice = [("decision", "approved:same_person"), ("note", "0123456789")]
    two = [("attempt", str(each.pk)) for each in Review.objects.all()[:4]]
    raw = Evidence.objects.filter(kind=RAW_ANSWER, attempt__erasures=None).first()
    assert raw is not None
    purpose = [("purpose", "dispute"), ("reason", "the customer disputes it")]
    acts: dict[str, tuple[str, list[tuple[str, str]]]] = {
        "a note that is missing": (f"{ADMIN}review/{attempt.split('/')[-2]}/note/", []),
        "decided before": (f"{ADMIN}review/{decided.pk}/decide/", choice),
        "many, before": (f"{ADMIN}review/bulk/", [*two, *choice]),
        "many, done": (f"{ADMIN}review/bulk/", [*two, *choice, ("sure", "on")]),
        "revealed": (f"{ADMIN}reveal/{raw.pk}/", purpose),
        "a reveal without a reason": (f"{ADMIN}reveal/{raw.pk}/", [("purpose", "dispute")]),
        "an export without a reason": (f"{ADMIN}exportrequest/attempts/", [("ask", "1")]),
        "a policy that is none": (f"{ADMIN}reviewpolicy/propose/", [("document", "{")]),
        "preferences that are none": (f"{ADMIN}preference/", [("time_zone", "Mars/Base")]),
        "a user without a name": ("/admin/auth/user/add/", []),
        "logged out": ("/admin/logout/", []),
    }
    for name, (path, fields) in acts.items():
        tab.goto(attempt)
        with tab.expect_navigation():
            tab.evaluate(POST, [path, fields])
        look(tab, name)


def test_what_strangers_and_the_lost_see(
    context: BrowserContext, live_server: LiveServer, look: Look, db: None
) -> None:
    tab = context.new_page()
    for name, path in (("login", "/admin/"), ("not there", "/nowhere/")):
        tab.goto(path)
        look(tab, name)
    for _ in range(6):
        tab.goto("/admin/login/")
        tab.get_by_label("Username").fill("chief")
        tab.get_by_label("Password").fill("wrong")
        tab.get_by_role("button", name="Log in").click()
        if _ == 0:
            look(tab, "wrong password")
    look(tab, "too many tries")
    tab = _enter(context, live_server, make_person("engineer", "engineer"))
    tab.goto("/admin/auth/user/")
    look(tab, "not allowed")
    tab.goto(f"{ADMIN}verificationattempt/{uuid4()}/")
    look(tab, "no such attempt")
    for path in ("verificationattempt/", "review/", "exportrequest/", "rightschange/", "rollup/"):
        tab.goto(f"{ADMIN}{path}")
        look(tab, f"empty {path}")


def test_the_second_factor_from_its_picture_to_its_codes(
    context: BrowserContext, look: Look, db: None
) -> None:
    chief = make_person("chief", "administrator")
    with asking():
        tab = context.new_page()
        tab.goto("/admin/")
        tab.get_by_label("Username").fill("chief")
        tab.get_by_label("Password").fill(PASSWORD)
        tab.get_by_role("button", name="Log in").click()
        tab.get_by_label("Code").wait_for()
        look(tab, "enrol")
        tab.get_by_label("Code").fill(app_code(chief))
        with tab.expect_navigation():
            tab.keyboard.press("Enter")
        look(tab, "recovery codes")
        tab.goto("/admin/verification/secondfactor/")
        look(tab, "own second factor")
        context.clear_cookies()
        SecondFactor.objects.update(last_step=None)
        tab.goto("/admin/")
        tab.get_by_label("Username").fill("chief")
        tab.get_by_label("Password").fill(PASSWORD)
        tab.get_by_role("button", name="Log in").click()
        tab.get_by_label("Code").fill("000000")
        with tab.expect_navigation():
            tab.keyboard.press("Enter")
        look(tab, "wrong code")


WALKED = ("review 0", "export None", "rights waits", "policy 1", "checkpoint")


@pytest.mark.parametrize("colours", ["none", "active"])
def test_the_focus_is_seen_wherever_it_goes_and_comes_back(
    context: BrowserContext,
    live_server: LiveServer,
    house: House,
    colours: Literal["none", "active"],
) -> None:
    tab = _enter(context, live_server, house.reader)
    tab.emulate_media(forced_colors=colours)
    lists = [f"{ADMIN}{each}/" for each in ("review", "verificationattempt", "rollup")]
    unseen = []
    for path in (*lists, *(house.pages[each] for each in WALKED)):
        tab.goto(path)
        tab.evaluate("document.activeElement.blur()")
        stops = 0
        while stops < 200:
            tab.keyboard.press("Tab")
            stops += 1
            if said := tab.evaluate(UNSEEN_FOCUS):
                unseen.append((path, said))
            if tab.evaluate("document.activeElement === document.body"):
                break
        assert stops < 200, f"the focus never leaves {path}"
    assert unseen == []


TOO_WIDE = """(document.documentElement.scrollWidth <= innerWidth) ? [] :
  [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
    .map((each) => each.outerHTML.slice(0, 80))"""
SPACING = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important;
  word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }"""
CUT = """[...document.querySelectorAll("button, .pill, label, h1, h2, dt, .tile")].filter(
  (each) => each.offsetParent && each.scrollWidth > each.clientWidth + 1 &&
  getComputedStyle(each).overflowX !== "visible").map((each) => each.outerHTML.slice(0, 160))"""


def test_nothing_is_lost_at_320_pixels_or_with_wider_spacing(
    browser: Browser, live_server: LiveServer, house: House
) -> None:
    # A style that a reader brings along; what the page itself may load is tested elsewhere.
    context = browser.new_context(base_url=live_server.url, bypass_csp=True)
    tab = _enter(context, live_server, house.reader)
    lists = [f"{ADMIN}{each}/" for each in ("review", "verificationattempt", "rollup")]
    lost = []
    for path in ("/admin/", *lists, *(house.pages[each] for each in WALKED)):
        tab.set_viewport_size({"width": 320, "height": 800})
        tab.goto(path)
        if wide := tab.evaluate(TOO_WIDE):
            lost.append((path, f"wider than 320 pixels: {wide[:5]}"))
        tab.set_viewport_size({"width": 1280, "height": 800})
        tab.add_style_tag(content=SPACING)
        if cut := tab.evaluate(CUT):
            lost.append((path, str(cut)))
    context.close()
    assert lost == []
