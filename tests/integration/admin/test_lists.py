"""Lists: what they find, what they refuse, and that their cost does not grow."""

import re
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import ANSWERS, NOON, make_attempt, make_client, make_session
from tests.reviewing import decide, open_review, propose
from verification.admin.listing import PAGE_SIZE
from verification.models import VerificationAttempt

ATTEMPTS = "/admin/verification/verificationattempt/"
SESSIONS = "/admin/verification/verificationsession/"
CLIENTS = "/admin/verification/apiclient/"
STATES = ("accepted", "sending", "rejected", "not_sent", "in_doubt", "closed")


def _names(browser: Client, address: str) -> list[str]:
    answer = browser.get(address)
    assert answer.status_code == HTTPStatus.OK
    return re.findall(
        r'<a href="/admin/verification/[a-z]+/[^"]+"><bdi>([^<]+)</bdi>', _body(answer.content)
    )


def _body(content: bytes) -> str:
    return content.decode().split("<tbody>")[-1]


def _link(browser: Client, address: str, rel: str) -> str | None:
    found = re.search(rf'<a href="([^"]+)" rel="{rel}"', browser.get(address).content.decode())
    return found and ATTEMPTS + found[1].replace("&amp;", "&")


def test_every_state_and_outcome_stands_in_the_list(officer: Client) -> None:
    client = make_client()
    for outcome in ANSWERS:
        make_attempt(outcome, client=client)
    for state in STATES:
        make_attempt(None, state=state, client=client)
    text = officer.get(ATTEMPTS).content.decode()
    pills = set(re.findall(r"</svg><span>(?:<bdi>)?([^<]+)(?:</bdi>)?</span></span>", text))
    assert pills >= {
        "Verified", "Different person", "Liveness failed", "Not completed", "Source failed",
        "Unrecognised", "Accepted", "Sending", "Answered", "Rejected", "Not sent", "In doubt",
        "Closed", "Attack suspected", "No risk reported", "is_root",
    }  # fmt: skip


def test_many_risk_tags_are_counted(officer: Client) -> None:
    make_attempt("verified", device_tags={f"tag_{number}": 1 for number in range(5)} | {"no": 0})
    text = officer.get(ATTEMPTS).content.decode()
    pills = re.findall(r"pill-warn.*?<span>(?:<bdi>)?([^<]+)(?:</bdi>)?</span></span>", text)
    assert pills == ["tag_0", "tag_1", "+3"]


@pytest.mark.parametrize("address", [ATTEMPTS, SESSIONS, CLIENTS])
def test_an_empty_list_says_how_rows_come(officer: Client, address: str) -> None:
    text = officer.get(address).content.decode()
    assert " yet</h2>" in text
    assert "<table" not in text


@pytest.mark.parametrize("address", [ATTEMPTS, SESSIONS])
def test_a_search_without_a_match_offers_to_clear_it(officer: Client, address: str) -> None:
    make_attempt()
    make_session()
    text = officer.get(f"{address}?q=nobody").content.decode()
    assert "match</h2>" in text
    assert f'<a href="{address}">clear all filters</a>' in text


def test_find_is_exact_by_each_identifier(officer: Client) -> None:
    wanted = make_attempt(biz_no="LOAN-7", subject="cust-7", request_id="17,req-7")
    make_attempt(biz_no="LOAN-77", subject="cust-77", request_id="17,req-77")
    for text in ("LOAN-7", "cust-7", "17,req-7", str(wanted.pk), wanted.pk.hex):
        assert _names(officer, f"{ATTEMPTS}?q={text}") == ["LOAN-7"], text
    for text in ("LOAN", "loan-7", "%", "LOAN-_"):
        assert _names(officer, f"{ATTEMPTS}?q={text}") == [], text


def test_find_takes_no_blank_off_the_middle_of_a_business_number(officer: Client) -> None:
    make_attempt(biz_no="A  B")
    assert _names(officer, f"{ATTEMPTS}?q=A++B") == ["A  B"]


def test_filters_narrow_the_list_and_combine(officer: Client) -> None:
    one, two = make_client("One"), make_client("Two")
    make_attempt("verified", client=one, biz_no="a")
    make_attempt("liveness_failed", client=one, biz_no="b", region="sgp")
    make_attempt("liveness_failed", client=two, biz_no="c")
    make_attempt(None, state="in_doubt", client=two, biz_no="d")
    wanted = {
        "state=in_doubt": {"d"},
        "outcome=liveness_failed": {"b", "c"},
        "attack=yes": {"b", "c"},
        "attack=no": {"a"},
        f"client={one.pk}": {"a", "b"},
        "region=sgp": {"b"},
        f"client={two.pk}&attack=yes": {"c"},
        "state=&outcome=": {"a", "b", "c", "d"},
    }
    found = {query: set(_names(officer, f"{ATTEMPTS}?{query}")) for query in wanted}
    assert found == wanted


def _judged(biz_no: str, verdict: str) -> VerificationAttempt:
    return make_attempt(biz_no=biz_no, policy_version=1, verdict=verdict, reasons=[])


def test_what_the_policy_said_and_what_holds_now_are_two_filters(officer: Client) -> None:
    _judged("approved", "approved")
    _judged("rejected", "rejected")
    open_review(_judged("waits", "review"))
    open_review(reviewed := _judged("reviewed", "review"))
    decide(reviewed, "approved")
    make_attempt(biz_no="unjudged")
    wanted = {
        "verdict=approved": {"approved"},
        "verdict=review": {"waits", "reviewed"},
        "decision=approved": {"approved", "reviewed"},
        "decision=rejected": {"rejected"},
        "decision=retry": set(),
        "verdict=review&decision=approved": {"reviewed"},
    }
    found = {query: set(_names(officer, f"{ATTEMPTS}?{query}")) for query in wanted}
    assert found == wanted


def test_the_list_says_what_holds_and_by_whom(officer: Client) -> None:
    open_review(proposed := _judged("proposed", "review"), needs_second=True)
    propose(proposed, "rejected")
    open_review(reviewed := _judged("reviewed", "review"))
    decide(reviewed, "rejected")
    open_review(_judged("waits", "review"))
    _judged("plain", "retry")
    make_attempt(biz_no="unjudged")
    rows = _body(officer.get(ATTEMPTS).content).split("</tr>")[:5]
    told = {}
    for row in rows:
        cell = row.partition('data-label="Decision">')[2].partition("</td>")[0]
        name = re.findall(r"<bdi>([^<]+)</bdi></a>", row)[0]
        told[name] = re.findall(r'<span(?: class="[a-z-]+")?>([^<]+)</span>', cell)
    assert told == {
        "unjudged": ["none"],
        "plain": ["Try again", "by the policy"],
        "waits": ["To be reviewed"],
        "reviewed": ["Rejected", "by officers"],
        "proposed": ["To be reviewed", "waits for a second person"],
    }


def test_days_are_whole_days_of_the_sites_time_zone(officer: Client, settings: object) -> None:
    settings.TIME_ZONE = "Asia/Jakarta"  # type: ignore[attr-defined] # pytest-django's wrapper
    make_attempt(biz_no="before", created_at=NOON.replace(hour=16, minute=59, second=59))
    make_attempt(biz_no="after", created_at=NOON.replace(hour=17, minute=0, second=0))
    assert _names(officer, f"{ATTEMPTS}?since=2026-11-20&until=2026-11-20") == ["before"]
    assert _names(officer, f"{ATTEMPTS}?since=2026-11-21&until=2026-11-21") == ["after"]
    assert "WIB" in officer.get(f"{ATTEMPTS}{_first(officer)}").content.decode()


def _first(browser: Client) -> str:
    found = re.search(rf'"{ATTEMPTS}([0-9a-f-]+/)"', browser.get(ATTEMPTS).content.decode())
    assert found
    return found[1]


def test_dates_lead_from_years_down_to_days(officer: Client) -> None:
    make_attempt(created_at=NOON.replace(year=2025, month=3))
    make_attempt(created_at=NOON)
    years = _steps(officer, ATTEMPTS)
    assert years == ["2025", "2026"]
    months = _steps(officer, f"{ATTEMPTS}?since=2026-01-01&until=2026-12-31")
    assert months == [
        "2026",
        "Jan",
        "Feb",
        "Mar",
        "Apr",
        "May",
        "Jun",
        "Jul",
        "Aug",
        "Sep",
        "Oct",
        "Nov",
    ]
    days = _steps(officer, f"{ATTEMPTS}?since=2026-11-01&until=2026-11-30")
    assert days == ["2026", "November", *map(str, range(1, 21))]
    day = _steps(officer, f"{ATTEMPTS}?since=2026-11-20&until=2026-11-20")
    assert day == ["2026", "November", "20"]
    assert _steps(officer, f"{ATTEMPTS}?since=2026-11-03&until=2026-11-20") == years


def _steps(browser: Client, address: str) -> list[str]:
    text = browser.get(address).content.decode()
    group = text.split('<span class="dates-group">')[2].split("</nav>")[0]
    return re.findall(r"<a [^>]*>([^<]+)</a>", group)


def test_a_date_link_keeps_the_other_filters(officer: Client) -> None:
    make_attempt(None, state="in_doubt")
    text = officer.get(f"{ATTEMPTS}?state=in_doubt&period=7d").content.decode()
    assert "?state=in_doubt&amp;period=today" in text
    assert "?state=in_doubt&amp;since=2026-01-01&amp;until=2026-12-31" in text


def test_pages_walk_every_row_once_in_both_directions(officer: Client) -> None:
    client = make_client()
    made = [
        make_attempt(
            "not_completed", client=client, created_at=NOON + timedelta(seconds=number // 3)
        )
        for number in range(PAGE_SIZE * 2 + 7)
    ]
    wanted = [
        each.biz_no for each in sorted(made, key=lambda a: (a.created_at, a.pk), reverse=True)
    ]
    down, address = [], ATTEMPTS
    while True:
        down.append(_names(officer, address))
        if not (following := _link(officer, address, "next")):
            break
        address = following
    assert [len(each) for each in down] == [PAGE_SIZE, PAGE_SIZE, 7]
    assert [name for page in down for name in page] == wanted
    up = [down[-1]]
    while newer := _link(officer, address, "prev"):
        up.append(_names(officer, newer))
        address = newer
    assert up[::-1] == down


def test_turning_a_page_keeps_the_filters(officer: Client) -> None:
    client = make_client()
    for _ in range(PAGE_SIZE + 1):
        make_attempt("not_completed", client=client)
    address = _link(officer, f"{ATTEMPTS}?outcome=not_completed&client={client.pk}", "next")
    assert address is not None
    given = parse_qs(urlsplit(address).query)
    assert given["outcome"] == ["not_completed"]
    assert given["client"] == [str(client.pk)]
    assert len(_names(officer, address)) == 1


def test_a_position_beyond_the_end_shows_the_way_back(officer: Client) -> None:
    make_attempt()
    text = officer.get(f"{ATTEMPTS}?before=1.{'0' * 32}").content.decode()
    assert "The list ends here" in text


def _queries(browser: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(address).status_code == HTTPStatus.OK
    return len(captured)


@pytest.mark.parametrize("query", ["", "?attack=no", "?q=x", "?period=30d"])
def test_queries_do_not_grow_with_rows(officer: Client, query: str) -> None:
    make_attempt("verified")
    few = _queries(officer, ATTEMPTS + query)
    for _ in range(30):
        session = make_session()
        make_attempt("liveness_failed", client=session.client, session=session)
    assert _queries(officer, ATTEMPTS + query) == few


@pytest.mark.parametrize("address", [SESSIONS, CLIENTS])
def test_queries_of_the_other_lists_do_not_grow_either(officer: Client, address: str) -> None:
    make_attempt(session=make_session())
    few = _queries(officer, address)
    for _ in range(20):
        session = make_session()
        make_attempt(client=session.client, session=session)
    assert _queries(officer, address) == few


def test_the_list_loads_no_sealed_bytes_and_no_digests(officer: Client) -> None:
    make_attempt("verified")
    with CaptureQueriesContext(connection) as captured:
        officer.get(ATTEMPTS)
    page = next(each["sql"] for each in captured if '"created_at" DESC' in each["sql"])
    for column in ("token_digest", "packet_sha256", "idempotency_key", "visual_attributes"):
        assert column not in page


def test_counting_stops_at_its_cap(officer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_client()
    for _ in range(4):
        make_attempt("verified", client=client)
    monkeypatch.setattr("verification.admin.listing.COUNT_CAP", 3)
    assert "3+ attempts" in officer.get(f"{ATTEMPTS}?attack=no").content.decode()
    assert "3+ attempts" in officer.get(ATTEMPTS).content.decode()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE verification_attempt")
    assert "about 4 attempts" in officer.get(ATTEMPTS).content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "x__regex=(", "x=%00", "token_digest__startswith=a", "client__keys__id__startswith=a",
        "biz_no=LOAN-1", "state__exact=answered", "_popup=1", "_to_field=id", "_changelist_filters",
        "o=1", "p=2", "all=1", "_facets=1", "_selected_action=1", "state=answered&state=rejected",
        "before=!!!", "before=", "before=1", "before=-1." + "0" * 32, "before=1." + "0" * 31,
        "before=" + "9" * 17 + "." + "0" * 32, "after=1." + "g" * 32, "before=\u0661." + "0" * 32,
        "before=1." + "0" * 32 + "&after=1." + "0" * 32,
    ],
)  # fmt: skip
def test_an_address_no_link_makes_is_sent_back_to_the_plain_list(
    officer: Client, query: str
) -> None:
    make_attempt(biz_no="LOAN-1")
    for address in (ATTEMPTS, SESSIONS):
        answer = officer.get(f"{address}?{query}")
        assert answer.status_code == HTTPStatus.FOUND
        assert answer.headers["Location"] == f"{address}?e=1"
    answer = officer.get(f"{ATTEMPTS}?e=1")
    assert "was not understood" in answer.content.decode()
    assert VerificationAttempt.objects.count() == 1


@pytest.mark.parametrize("query", ["x__regex=(", "q=x", "_popup=1"])
def test_the_list_of_clients_takes_no_parameters(officer: Client, query: str) -> None:
    answer = officer.get(f"{CLIENTS}?{query}", follow=True)
    assert answer.redirect_chain == [(f"{CLIENTS}?e=1", HTTPStatus.FOUND)]
    assert "was not understood" in answer.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "q=%00", "q=" + "x" * 513, "state=%00", "state=nosuch", "outcome=1", "attack=maybe",
        "verdict=perhaps", "decision=review",
        "client=1", "client=%00", "client=019a0000-0000-7000-8000-000000000000", "region=mars",
        "since=2024-13-45", "since=0001-01-01", "until=9999-12-31", "until=10000-01-01",
        "since=%00", "period=yesterday",
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_named_and_shows_nothing(
    officer: Client, query: str
) -> None:
    make_attempt(biz_no="LOAN-1")
    answer = officer.get(f"{ATTEMPTS}?{query}")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    text = answer.content.decode()
    assert "field-error" in text
    assert "LOAN-1" not in text


@pytest.mark.parametrize(
    "query", ["q=%ff", "q=%ED%A0%80", "q=%27%22%3E%3Cscript%3E", "q=%E2%80%AE"]
)
def test_odd_texts_are_searched_for_and_not_found(officer: Client, query: str) -> None:
    answer = officer.get(f"{ATTEMPTS}?{query}")
    assert answer.status_code == HTTPStatus.OK
    assert "<script>" not in answer.content.decode().replace("<script src", "")


def test_too_many_parameters_are_refused(officer: Client) -> None:
    query = "&".join(f"a{number}=1" for number in range(1_200))
    assert officer.get(f"{ATTEMPTS}?{query}").status_code == HTTPStatus.BAD_REQUEST
