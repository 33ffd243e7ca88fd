"""Longer words and other characters break no page: nothing is wider than a narrow window."""

from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from tests.conftest import OpenToken
from tests.integration.languages.world import House, furnish
from tests.integration.ledger.lives import Lives
from verification.admin.preferences import CHOSEN
from verification.models import ApiClient
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

WIDTHS = (390, 1280)
LISTS = (
    "/admin/login/?next=/admin/",
    "/admin/",
    "/admin/verification/review/",
    "/admin/verification/verificationattempt/",
    "/admin/verification/rollup/?period=30d",
    "/admin/verification/reviewpolicy/",
    "/admin/verification/ledgerentry/",
)
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"
LEAVES_ITS_CARD = """[...document.querySelectorAll(".card .pill, .card button")].filter(
  (each) => each.getBoundingClientRect().right > each.closest(".card").getBoundingClientRect().right
).map((each) => each.textContent)"""
"""Pills and buttons that stand out of the card they belong to."""


@pytest.fixture
def house(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> House:
    return furnish(Lives(client_app, runtime, open_token))


def _key(house: House, language: str) -> str:
    """Return the cookie of the reader's session, in which the language is chosen."""
    visitor = Client()
    visitor.force_login(house.reader)
    session = visitor.session
    session[CHOSEN] = ("", language)
    session.save()
    return visitor.cookies[settings.SESSION_COOKIE_NAME].value


def test_no_page_is_wider_than_its_window(
    browser: Browser, live_server: LiveServer, house: House
) -> None:
    paths = [*LISTS, *(path for name, path in house.pages.items() if name.split()[0] != "entry")]
    wide = []
    for language in ("zh-hans", "id"):
        context = browser.new_context(base_url=live_server.url)
        context.add_cookies(
            [
                {
                    "name": settings.SESSION_COOKIE_NAME,
                    "value": _key(house, language),
                    "domain": str(urlsplit(live_server.url).hostname),
                    "path": "/",
                }
            ]
        )
        tab = context.new_page()
        for path in paths:
            tab.goto(path)
            for width in WIDTHS:
                tab.set_viewport_size({"width": width, "height": 900})
                out = tab.evaluate(LEAVES_ITS_CARD) if width == WIDTHS[0] else []
                if tab.evaluate(TOO_WIDE) > 0 or out:
                    wide.append((language, path, width, out))
        context.close()
    assert wide == []
