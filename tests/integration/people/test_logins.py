"""The page of recent logins: who may read it, what it says, and whom a filter finds."""

from http import HTTPStatus

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.integration.people.entering import CODE, asking, enrol, give_password, make_person
from verification.ledger.canonical import canonical
from verification.services.runtime import Runtime
from verification.services.sequencing import tend_log
from verification.services.staging import stage

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/verification/secondfactor/logins/"


@pytest.fixture
def auditor() -> Client:
    """Return an auditor's browser."""
    browser = Client(raise_request_exception=False)
    browser.force_login(make_person("aud", "auditor"))
    return browser


def _rows(page: str) -> list[str]:
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(each.split()) for each in body.split("<tr>")[1:]]


def test_it_says_who_what_and_how_newest_first(auditor: Client, runtime: Runtime) -> None:
    with asking():
        officer = make_person("ines", "officer")
        codes = enrol(officer).codes
        browser = Client(raise_request_exception=False)
        give_password(browser, "ines", "wrong")
        give_password(browser, "nobody-of-this-name")
        give_password(browser, "ines")
        browser.post(CODE, {"code": codes[0]})
        browser.post("/admin/logout/")
    tend_log(runtime=runtime)
    rows = _rows(auditor.get(PAGE).content.decode())
    for row, words in zip(
        rows,
        [
            ("ines", "Logged out"),
            ("ines", "Logged in", "recovery code"),
            ("ines", "Password given"),
            ("a name that no account has", "Refused", "password"),
            ("ines", "Refused", "password"),
            ("ines", "Logged in", "app"),
            ("ines", "Second factor changed", "set up"),
            ("ines", "Password given"),
        ],
        strict=True,
    ):
        assert all(word in row for word in words), (row, words)


def test_a_filter_finds_what_a_person_did_and_what_was_done_to_them(
    auditor: Client, runtime: Runtime
) -> None:
    ines, other = make_person("ines", "officer"), make_person("other", "officer")
    about = {"at": "2026-11-20T09:00:00.000000Z", "kind": "staff.second_factor_changed"}
    done = {"change": "reset", "reason": "<b>lost</b>"}
    forged = f'","by_id":"{ines.pk}"'
    stage(
        [
            canonical(
                {
                    **about,
                    **done,
                    "by": "other",
                    "by_id": str(other.pk),
                    "of": "ines",
                    "of_id": str(ines.pk),
                }
            ),
            canonical(
                {**about, **done, "by": forged, "by_id": str(other.pk), "of": "x", "of_id": "0"}
            ),
        ]
    )
    for name in ("ines", "other"):
        give_password(Client(), name)
    tend_log(runtime=runtime)
    answer = auditor.get(PAGE, {"q": "ines"})
    rows = _rows(answer.content.decode())
    assert len(rows) == 2
    assert "Logged in" in rows[0]
    assert "of <bdi>ines</bdi>" in rows[1]
    assert "&lt;b&gt;lost" in rows[1]
    assert "2 entries" in answer.content.decode()


@pytest.mark.parametrize("query", ["raw=x", "before=x", "q=a&q=b", "before=1&after=2"])
def test_an_address_that_is_not_ours_shows_the_whole_list(auditor: Client, query: str) -> None:
    assert auditor.get(f"{PAGE}?{query}").headers["Location"].startswith(PAGE)


def test_an_unknown_name_is_said_to_be_unknown(auditor: Client) -> None:
    answer = auditor.get(PAGE, {"q": "ine"})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "No account has this name" in answer.content.decode()


def test_it_is_turned_by_pages(auditor: Client, runtime: Runtime) -> None:
    person = User.objects.get(username="aud")
    entry = {"at": "2026-11-20T09:00:00.000000Z", "by": "aud", "by_id": str(person.pk)}
    stage([canonical({**entry, "kind": "staff.logged_in", "proved_by": "app"})] * 120)
    tend_log(runtime=runtime)
    seen, address = 0, PAGE
    while address:
        answer = auditor.get(address)
        seen += len(_rows(answer.content.decode()))
        older = answer.context["listing"].older
        address = f"{PAGE}{older}" if older else ""
    assert seen >= 120


def test_an_empty_log_is_said_to_be_empty(auditor: Client) -> None:
    assert "No login is in the log yet" in auditor.get(PAGE).content.decode()


def test_what_is_no_entry_is_shown_without_a_crash(auditor: Client, runtime: Runtime) -> None:
    stage([canonical({"at": "never", "kind": "staff.of_a_later_version", "step": {"a": 1}})])
    tend_log(runtime=runtime)
    answer = auditor.get(PAGE)
    assert answer.status_code == HTTPStatus.OK
    assert "Staff of a later version" in answer.content.decode()
