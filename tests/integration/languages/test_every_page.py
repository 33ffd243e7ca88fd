"""Every page of the admin, with something on it, speaks the language of who reads it."""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from http import HTTPStatus

import pytest
from django.test import Client

from project import messages
from tests.conftest import OpenToken
from tests.integration.languages.addresses import addresses_of
from tests.integration.languages.world import House, furnish
from tests.integration.ledger.lives import Lives
from verification.admin.preferences import CHOSEN
from verification.models import ApiClient
from verification.services.roles import ROLES
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

WORD = re.compile(r"[A-Za-z]{2,}")
HAN = re.compile(r"[\u4e00-\u9fff]")
DATA = re.compile(
    r"client-\d+|[0-9a-f]{64}|[\w+-]+(/[\w +-]+)+|\d+ [A-Z][a-z]{2}( \d{4})?|Procrastinate.*"
)
"""Names of clients, hashes, time zones, days, and what an app of others calls itself."""
SAID_BY = ("aria-label", "alt", "title", "placeholder", "data-label")
NOT_READ = {"script", "style", "code", "pre", "bdi", "kbd", "em", "textarea"}
"""What stands in these is no sentence of ours: codes, documents, texts from outside."""
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
NAMES = {
    *ROLES,
    *("API", "Base64", "Base", "Bearer", "FaceID", "Go", "HTTP", "ID", "JSON", "SDK", "SHA", "UTC"),
    *("USD", "CSV", "ISO", "Parquet"),
    *("Bahasa", "Indonesia", "English", "onboarding", "sandbox", "sgp", "idn", "approved"),
    *("rejected", "retry", "True", "False", "Filter", "April", "September", "November"),
}
"""Proper names and words of contracts, which are the same in every language."""


class _Reading(HTMLParser):
    """Collects what a page says, to the eye and to a screen reader."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.said += [given[name] or "" for name in SAID_BY if name in given]
        if tag not in VOID:
            self.within.append("code" if "lang" in given and tag != "html" else tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and self.within:
            self.within.pop()

    def handle_data(self, data: str) -> None:
        if not NOT_READ.intersection(self.within):
            self.said.append(" ".join(data.split()))


def _said(page: bytes) -> set[str]:
    reading = _Reading()
    reading.feed(page.decode())
    return {each for each in reading.said if not DATA.fullmatch(each) and _words(each)}


def _words(text: str) -> list[str]:
    return [each for each in WORD.findall(text) if each not in NAMES]


@pytest.fixture
def house(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> House:
    return furnish(Lives(client_app, runtime, open_token))


def _browser(house: House, language: str) -> Client:
    browser = Client()
    browser.force_login(house.reader)
    session = browser.session
    session[CHOSEN] = ("", language)
    session.save()
    return browser


def _pages(browser: Client, addresses: Mapping[str, str]) -> Iterator[tuple[str, set[str]]]:
    for name, path in addresses.items():
        answer = browser.get(path)
        is_page = answer.headers.get("Content-Type", "").startswith("text/html")
        if is_page and answer.status_code in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST}:
            yield name, _said(answer.content)


def _is_english_in_chinese(text: str) -> bool:
    """Tell a sentence without a Chinese character, or English words in a row beside them."""
    return (
        not HAN.search(text)
        or re.search(r"[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}", text) is not None
    )


def test_no_page_says_english_in_chinese(house: House) -> None:
    pages = dict(_pages(_browser(house, "zh-hans"), addresses_of(house)))
    assert len(pages) > len(house.pages)
    left = {name: sorted(filter(_is_english_in_chinese, said)) for name, said in pages.items()}
    assert {name: said for name, said in left.items() if said} == {}


def test_no_page_says_in_indonesian_what_it_says_in_english(house: House) -> None:
    addresses = addresses_of(house)
    english = dict(_pages(_browser(house, "en"), addresses))
    ours = dict(_pages(_browser(house, "id"), addresses))
    same_word = {each.id for each in messages.read_catalogue("id") if each.id == each.string}
    left = {name: sorted((said & english[name]) - same_word) for name, said in ours.items()}
    assert {name: said for name, said in left.items() if said} == {}
