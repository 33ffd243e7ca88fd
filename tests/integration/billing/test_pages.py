"""Costs and prices in the admin: who sees and sets them, and what nonsense is answered with."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.factories import make_attempt, make_client, make_session
from tests.integration.billing.conftest import NOTE, SetPrice
from verification.admin.session_limits import PROVED
from verification.models import Price
from verification.selectors.costs import COLUMNS

pytestmark = pytest.mark.django_db(transaction=True)

PRICES = "/admin/verification/price/"
SET = f"{PRICES}set/"
COSTS = f"{PRICES}costs/?month=2026-11"
SAVED = f"{PRICES}costs.csv?month=2026-11"
SEEING = {"approver", "auditor", "administrator", "root"}
FORM = {
    "call": "verify", "region": "", "amount": "0.0850", "currency": "USD",
    "valid_from": "2026-11-01", "note": NOTE,
}  # fmt: skip

Enter = Callable[[str], Client]


@pytest.fixture
def enter(people: dict[str, User]) -> Enter:
    """Return a function that gives the browser of somebody who has just logged in."""

    def go(name: str) -> Client:
        browser = Client()
        browser.force_login(people[name])
        return browser

    return go


@pytest.mark.parametrize("page", [PRICES, COSTS, SAVED])
def test_who_sees_costs(page: str, people: dict[str, User], enter: Enter) -> None:
    seen = {each for each in people if enter(each).get(page).status_code == HTTPStatus.OK}
    assert seen == SEEING


def test_who_sets_prices(people: dict[str, User], enter: Enter) -> None:
    for each in people:
        answer = enter(each).post(SET, FORM)
        may = each in {"administrator", "root"}
        assert answer.status_code == (HTTPStatus.FOUND if may else HTTPStatus.FORBIDDEN), each
    assert Price.objects.count() == 2


def test_a_price_is_set_and_shown(enter: Enter) -> None:
    browser = enter("administrator")
    assert "No prices yet" in browser.get(PRICES).content.decode()
    text = browser.post(SET, {**FORM, "region": "idn"}, follow=True).content.decode()
    assert "The price is on record." in text
    assert "0.0850 USD" in text
    browser.post(SET, {**FORM, "region": "idn", "amount": "0.07"})
    text = browser.get(PRICES).content.decode()
    assert text.count("corrected since") == 1
    assert "Set a price" not in enter("auditor").get(PRICES).content.decode()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"amount": "0,085"}, "Give an amount such as"),
        ({"currency": "usd"}, "Give an amount such as"),
        ({"valid_from": "1.11.2026"}, "Give the first day"),
        ({"call": ""}, "Choose which call"),
        ({"region": "<b>"}, "Choose a region"),
        ({"note": "x"}, "Give a reason"),
    ],
)
def test_what_is_no_price_is_said_and_kept(
    given: dict[str, str], sentence: str, enter: Enter
) -> None:
    answer = enter("administrator").post(SET, {**FORM, **given, "note": given.get("note", NOTE)})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    text = answer.content.decode()
    assert sentence in text
    assert "<b>" not in text
    assert 'value="0' in text
    assert not Price.objects.exists()


def test_a_price_needs_a_fresh_login(enter: Enter) -> None:
    browser = enter("administrator")
    session = browser.session
    session[PROVED] = 0
    session.save()
    answer = browser.post(SET, FORM)
    assert answer.headers["Location"].startswith(reverse("admin:verification_reauth"))
    assert not Price.objects.exists()


def test_a_price_cannot_be_set_from_another_site(people: dict[str, User]) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(people["administrator"])
    assert browser.post(SET, FORM).status_code == HTTPStatus.FORBIDDEN
    assert not Price.objects.exists()


def test_the_report_of_a_month(put: SetPrice, enter: Enter) -> None:
    put("0.10")
    put("1500", "2026-11-15", currency="IDR")
    client = make_client("Mobile <b>onboarding</b>")
    for day, outcome in ((1, "verified"), (20, "verified"), (2, "not_completed"), (3, "verified")):
        make_attempt(outcome, client=client, created_at=datetime(2026, 11, day, tzinfo=UTC))
    make_attempt(None, state="in_doubt", client=client)
    make_session(client)
    text = enter("auditor").get(COSTS).content.decode()
    for shown in ("<dd>0.20 USD</dd>", "<dd>1,500 IDR</dd>", "<dd>+ 1,500 IDR</dd>", "no price"):
        assert shown in text
    assert "Mobile &lt;b&gt;onboarding" in text
    assert "state=in_doubt" in text
    assert "outcome=verified" in text
    assert "Neither known to be billed nor priced" in text


def test_a_row_leads_to_its_attempts(put: SetPrice, enter: Enter) -> None:
    put("0.10")
    client = make_client()
    mine = make_attempt(None, state="in_doubt", client=client)
    make_attempt(None, state="in_doubt", region="idn")
    browser = enter("auditor")
    text = browser.get(COSTS).content.decode()
    address = next(
        part.split('"')[0] for part in text.split('href="') if str(client.pk) in part[:200]
    )
    listed = browser.get(address.replace("&amp;", "&")).content.decode()
    assert str(mine.biz_no) in listed
    assert listed.count("/change/") == 0
    assert listed.count("ONB-") == listed.count(str(mine.biz_no))


def test_an_empty_month_and_nonsense(enter: Enter) -> None:
    browser = enter("auditor")
    assert "No calls in this month" in browser.get(COSTS).content.decode()
    for month in ("x", "2026-13", "0000-01", "2026-11-01"):
        answer = browser.get(f"{PRICES}costs/", {"month": month})
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert "Give a month as 2026-11." in answer.content.decode()
        assert browser.get(f"{PRICES}costs.csv", {"month": month}).status_code == HTTPStatus.FOUND
    assert browser.get(f"{PRICES}costs/?client=1").headers["Location"] == f"{PRICES}costs/?e=1"
    assert "not understood" in browser.get(f"{PRICES}costs/?e=1").content.decode()
    assert browser.post(COSTS).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert browser.get(f"{PRICES}costs/").status_code == HTTPStatus.OK


def test_the_csv_says_the_same(put: SetPrice, enter: Enter) -> None:
    put("0.10")
    make_attempt("verified")
    answer = enter("auditor").get(SAVED)
    header, line = answer.content.decode().splitlines()
    assert header == ",".join(COLUMNS)
    assert line.startswith("2026-11,verify,")
    assert line.endswith(",answered,1000,SUCCESS,yes,1,USD,0.10")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="costs-2026-11.csv"'
    assert "no-store" in answer.headers["Cache-Control"]
