"""The dashboard's page: its figures, where they lead, and what it costs."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.formats import date_format

from tests.factories import make_attempt, make_client
from tests.integration.reveals.conftest import make_person
from tests.reviewing import decide, open_review, propose, step
from tests.reviewing import officer as people
from verification.admin.charts import nice_top, percent
from verification.models import RollupDay, RollupPosition
from verification.services.prices import set_price
from verification.services.rollups import rebuild
from verification.services.runtime import Runtime

PAGE = "/admin/verification/rollup/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def officer() -> User:
    """Return somebody who may see it."""
    return make_person("olga", "officer")


@pytest.fixture
def browser(officer: User, client: Client) -> Client:
    """Return a browser in which they are logged in."""
    client.force_login(officer)
    return client


def fill(runtime: Runtime, attempts: int = 3) -> None:
    now = timezone.now()
    client = make_client()
    for number in range(attempts):
        at = now - timedelta(hours=number * 5)
        outcome = ("verified", "different_person", "liveness_failed")[number % 3]
        make_attempt(outcome, client=client, created_at=at, policy_version=1,
                     verdict="review", reasons=["device_tag"])  # fmt: skip
    rebuild(runtime=runtime)


def test_before_anything_was_counted_it_says_so(browser: Client) -> None:
    page = browser.get(PAGE)
    assert page.status_code == 200
    assert "No attempts in this time" in page.content.decode()
    assert "within a minute of the first attempt" in page.content.decode()


def test_every_figure_leads_to_the_list_that_makes_it_up(browser: Client, runtime: Runtime) -> None:
    fill(runtime)
    text = browser.get(PAGE).content.decode()
    addresses = {each.replace("&amp;", "&") for each in re.findall(r'href="([^"]+)"', text)}
    lists = [each for each in addresses if "verificationattempt/?" in each]
    assert any("outcome=different_person" in each for each in lists)
    assert any("attack=yes" in each for each in lists)
    assert any("client=" in each for each in lists)
    for each in lists:
        answer = browser.get(each)
        assert answer.status_code == 200, each
        assert "is not understood" not in answer.content.decode(), each


def test_the_longest_time_is_a_leap_year(browser: Client) -> None:
    assert browser.get(f"{PAGE}?since=2020-01-01&until=2020-12-31").status_code == 200
    assert browser.get(f"{PAGE}?since=2019-12-31&until=2020-12-31").status_code == 400


def test_lists_count_what_the_figures_count(browser: Client, runtime: Runtime) -> None:
    fill(runtime, 6)
    client = make_client("Another bank")
    now = timezone.now()
    for state in ("rejected", "rejected", "not_sent", "in_doubt"):
        make_attempt(None, state=state, client=client, created_at=now, region="idn")
    rebuild(runtime=runtime)
    text = browser.get(f"{PAGE}?period=30d").content.decode()
    rows = re.findall(
        r'<th scope="row"><a href="([^"]+)">.*?<td class="figure">([0-9,]+)</td>', text
    )
    cells = re.findall(r'<td class="figure"[^>]*><a href="([^"]+)">([0-9,]+)</a></td>', text)
    tiles = re.findall(r'<a class="tile[^"]*" href="([^"]+)"><strong>([0-9,]+)</strong>', text)
    found = [(each.replace("&amp;", "&"), number) for each, number in (*rows, *cells, *tiles)]
    attempts = [each for each in found if "verificationattempt" in each[0]]
    assert {"error=BAD_ARGUMENTS", "region=idn", f"client={client.pk}"} <= {
        part for address, _number in attempts for part in address.split("&")
    }
    assert any("outcome=" in address for address, _number in attempts)
    for address, number in [*attempts, *(each for each in found if "/review/?" in each[0])]:
        if "reason=" not in address:  # the desk lists those that wait
            shown = " ".join(browser.get(address).content.decode().split())
            assert re.search(rf">\s*{number} (attempts?|reviews?)\b", shown), address


def test_a_bar_that_is_not_complete_says_so(browser: Client, runtime: Runtime) -> None:
    fill(runtime, 2)
    text = browser.get(f"{PAGE}?period=30d").content.decode()
    today = date_format(timezone.localdate(), "j M")
    assert f"Not complete: {today} (hatched, because more may be counted)." in text
    assert 'fill="url(#hatch)"' in text
    assert text.count('id="hatch"') == 1
    assert f"{today} (so far)" in text
    # What no worker has counted is not complete either, however long ago it was.
    RollupPosition.objects.update(counted_at=timezone.now() - timedelta(days=2))
    before = date_format(timezone.localdate() - timedelta(days=2), "j M")
    text = browser.get(f"{PAGE}?period=30d").content.decode()
    assert f"Not complete: {before} to {today}" in text
    text = browser.get(f"{PAGE}?since=2020-01-01&until=2020-01-02").content.decode()
    assert "Not complete" not in text


def test_what_two_people_decided_and_gave_back_is_counted(
    browser: Client, runtime: Runtime
) -> None:
    made = timezone.now() - timedelta(days=1)
    ones = [
        make_attempt("verified", created_at=made, policy_version=1, verdict="review",
                     reasons=["near_threshold"])
        for _ in range(3)
    ]  # fmt: skip
    for each in ones:
        open_review(each, needs_second=True)
        propose(each, "approved")
    decide(ones[0], "approved", by="olaf")
    step(ones[1], "returned", people("olaf"), "approved")
    rebuild(runtime=runtime)
    text = browser.get(f"{PAGE}?since=2026-11-20&until=2026-11-21").content.decode()
    assert "<strong>1</strong><span>decided by two people<br>proposals given back: 1" in text
    assert "approved: 1, rejected: 0, retry: 0" in text
    assert "alone, by breaking the glass: 0" in text
    assert "<strong>under 32 s</strong>" in text


def test_calls_cost_nothing_until_there_is_a_price(client: Client, runtime: Runtime) -> None:
    client.force_login(make_person("anna", "approver"))
    fill(runtime, 4)
    assert "Cost of the billed calls" not in client.get(PAGE).content.decode()
    today = timezone.now().date()
    for amount, day in (("0.0850", "2020-01-01"), ("2", today + timedelta(days=1))):
        price(runtime, amount, str(day))
    text = client.get(PAGE).content.decode()
    assert "<dt>Cost of the billed calls</dt><dd>0.2550 USD</dd>" in text
    assert "Without a price" not in text


def test_who_may_not_see_costs_sees_none(browser: Client, runtime: Runtime) -> None:
    fill(runtime, 4)
    price(runtime, "0.0850", "2020-01-01")
    text = browser.get(PAGE).content.decode()
    assert "Calls by billing" in text
    assert "Cost of the billed calls" not in text


def test_each_day_has_its_price_and_each_currency_its_sum(client: Client, runtime: Runtime) -> None:
    client.force_login(make_person("anna", "approver"))
    for day in (9, 10, 20):
        make_attempt("verified", created_at=datetime(2026, 11, day, tzinfo=UTC))
    rebuild(runtime=runtime)
    price(runtime, "0.1", "2026-11-10")
    price(runtime, "1500", "2026-11-20", "IDR")
    text = client.get(f"{PAGE}?since=2026-11-01&until=2026-11-30").content.decode()
    assert "<dd>0.1 USD</dd>" in text
    assert "<dd>1,500 IDR</dd>" in text
    assert "<dt>Without a price</dt><dd>1</dd>" in text


def price(runtime: Runtime, amount: str, valid_from: str, currency: str = "USD") -> None:
    set_price(
        kind="verify",
        region=None,
        amount=amount,
        currency=currency,
        valid_from=valid_from,
        note="by the contract of 2026",
        by=User.objects.get_or_create(username="root", is_staff=True, is_superuser=True)[0],
        runtime=runtime,
    )


def test_no_rate_stands_without_the_number_it_is_of(browser: Client, runtime: Runtime) -> None:
    fill(runtime, 1)
    text = browser.get(PAGE).content.decode()
    assert "0.0 % of 1" in text


def test_it_narrows_by_time_client_and_region(browser: Client, runtime: Runtime) -> None:
    fill(runtime)
    nobody = make_client("empty")
    for query in (f"client={nobody.pk}", "region=idn", "since=2020-01-01&until=2020-01-02"):
        text = browser.get(f"{PAGE}?{query}").content.decode()
        assert "No attempts in this time" in text, query
        assert "Choose another time" in text


@pytest.mark.parametrize(
    "query", ["since=x", "client=1", "region=moon", "since=2020-01-01&until=2021-01-02",
              "since=2020-01-02&until=2020-01-01", "period=9d"],
)  # fmt: skip
def test_what_cannot_be_is_marked_and_nothing_is_counted(query: str, browser: Client) -> None:
    page = browser.get(f"{PAGE}?{query}")
    assert page.status_code == 400
    assert "is not understood" in page.content.decode()


def test_what_no_link_of_ours_asks_is_not_tried(browser: Client) -> None:
    assert browser.get(f"{PAGE}?client__name__startswith=a").status_code == 302


def test_it_costs_the_same_at_any_size(browser: Client, runtime: Runtime) -> None:
    counts = []
    for attempts in (1, 12):
        fill(runtime, attempts)
        browser.get(PAGE)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            browser.get(PAGE)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_it_costs_the_same_for_any_number_of_people_and_days(
    browser: Client, runtime: Runtime
) -> None:
    counts = set()
    for number in range(4):
        each = make_attempt(
            "verified",
            created_at=timezone.now(),
            policy_version=1,
            verdict="review",
            reasons=["near_threshold"],
        )
        open_review(each)
        decide(each, "approved", by=f"officer-{number}")
        rebuild(runtime=runtime)
        for since in ("2026-11-20", "2026-01-01"):
            with CaptureQueriesContext(connection) as queries:
                text = browser.get(f"{PAGE}?since={since}&until=2026-12-31").content.decode()
            assert f"officer-{number}" in text
            counts.add(len(queries))
    assert len(counts) == 1


def test_a_name_from_outside_is_escaped(browser: Client, runtime: Runtime) -> None:
    fill(runtime, 1)
    row = RollupDay.objects.filter(figure="reason").get()
    row.pk, row.figure, row.member = None, "device_tag", "<script>x</script>\u202e"
    row.save(force_insert=True)
    text = browser.get(PAGE).content.decode()
    assert "<script>x" not in text
    assert "&lt;script&gt;x" in text
    assert "\u202e" not in text


def test_a_stranger_does_not_see_it(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert client.get(PAGE).status_code == 403


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (99, 100), (501, 1000)]
)
def test_an_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert nice_top(value) == top


def test_a_share_of_nothing_is_none() -> None:
    assert percent(1, 0) == "-"
    assert percent(1, 8) == "12.5 %"
