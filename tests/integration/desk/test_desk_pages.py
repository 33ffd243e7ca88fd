"""The desk and the review on a record's page, by the forms that staff have; no script is needed."""

import html
import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import make_attempt
from tests.integration.desk.waiting import make_person, make_review, signed_in
from verification.admin.review_fragments import clock
from verification.models import Mention, Review, ReviewStep, SavedFilter

DESK = "/admin/verification/review/"
ATTEMPTS = "/admin/verification/verificationattempt/"


def _page(browser: Client, address: str, status: int = HTTPStatus.OK) -> str:
    answer = browser.get(address)
    assert answer.status_code == status
    return _words(answer.content.decode())


def _words(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def _act(browser: Client, review: Review, act: str, **form: Any) -> Any:
    return browser.post(f"{DESK}{review.pk}/{act}/", form)


def _decision(decision: str = "approved", code: str = "same_person", **more: str) -> dict[str, str]:
    return {"decision": decision, "reason_code": f"{decision}:{code}", **more}


def test_an_empty_desk_says_so(officer: User) -> None:
    assert "Nothing waits" in _page(signed_in(officer), DESK)


def test_the_desk_lists_the_most_pressing_first(officer: User) -> None:
    now = datetime.now(UTC)
    make_review(biz_no="LATER", due_at=now + timedelta(hours=3, minutes=1))
    make_review(biz_no="OVERDUE", due_at=now - timedelta(hours=2, minutes=1))
    make_review(biz_no="URGENT", priority=1, due_at=now + timedelta(minutes=35, seconds=30))
    page = _page(signed_in(officer), DESK)
    assert page.index("URGENT") < page.index("OVERDUE") < page.index("LATER")
    for words in ("due in 35 min", "overdue 2 h", "due in 3 h", "Near threshold", "3 reviews"):
        assert words in page


def test_each_figure_leads_to_the_list_that_it_counts(approver: User) -> None:
    browser, now = signed_in(approver), datetime.now(UTC)
    make_review(biz_no="SOON", due_at=now + timedelta(minutes=20))
    make_review(biz_no="OVERDUE", due_at=now - timedelta(hours=1))
    make_review(biz_no="TWO", needs_second=True)
    _act(signed_in(make_person("olga", "officer")), Review.objects.get(needs_second=True),
         "decide", **_decision())  # fmt: skip
    make_review(biz_no="ASLEEP", snoozed_until=now + timedelta(days=1))
    make_review(biz_no="MINE", assignee=approver)
    answer = browser.get(DESK)
    shown = {str(door.label): (door.count, door.address) for door in answer.context["doors"]}
    assert shown["You were named"][0] == 0
    for label, only in (
        ("Overdue", "OVERDUE"), ("Due within an hour", "SOON"),
        ("Wait for a second person", "TWO"), ("Snoozed", "ASLEEP"), ("Mine", "MINE"),
    ):  # fmt: skip
        count, address = shown[label]
        rows = browser.get(f"{DESK}{address}").context["rows"]
        assert (count, [_words(str(each.biz_no)).strip() for each in rows]) == (1, [only]), label
    assert shown["Open"][0] == len(browser.get(f"{DESK}{shown['Open'][1]}").context["rows"]) == 3


def test_pages_reach_each_review_once_and_lead_back(officer: User) -> None:
    browser, now = signed_in(officer), datetime.now(UTC)
    attempt = make_attempt("verified", policy_version=1, verdict="review", reasons=[])
    client = attempt.client
    made = {
        make_review(
            make_attempt("verified", client=client, policy_version=1, verdict="review", reasons=[]),
            priority=1 + number % 3, due_at=now + timedelta(minutes=number // 4),
        ).pk
        for number in range(120)
    }  # fmt: skip
    seen: list[UUID] = []
    trail: list[list[UUID]] = []
    listing = browser.get(DESK).context["listing"]
    while True:
        trail.append([each.pk for each in listing.rows])
        seen += trail[-1]
        if listing.later is None:
            break
        listing = browser.get(f"{DESK}{listing.later}").context["listing"]
    assert len(seen) == len(set(seen)) == 120
    assert set(seen) == made
    back = browser.get(f"{DESK}{listing.earlier}").context["listing"]
    assert [each.pk for each in back.rows] == trail[-2]
    first = browser.get(f"{DESK}{back.earlier}").context["listing"]
    assert [each.pk for each in first.rows] == trail[0]
    assert first.earlier is None


def test_the_desk_costs_the_same_number_of_queries_however_long(officer: User) -> None:
    browser = signed_in(officer)
    make_review()
    with CaptureQueriesContext(connection) as few:
        browser.get(DESK)
    for _number in range(30):
        make_review(assignee=officer)
    with CaptureQueriesContext(connection) as many:
        browser.get(DESK)
    assert len(many) == len(few)


@pytest.mark.parametrize(
    "query", ["client=x", "priority=9", "reason=no", "show=all", "due=never", "assignee=1'"]
)
def test_a_filter_that_is_not_understood_is_refused_in_words(officer: User, query: str) -> None:
    make_review()
    page = _page(signed_in(officer), f"{DESK}?{query}", HTTPStatus.BAD_REQUEST)
    assert "A filter is not understood" in page


@pytest.mark.parametrize("query", ["x=1", "after=1", "before=1.2.3", "q=a&q=b", "o=1"])
def test_an_address_that_no_link_makes_leads_to_the_plain_desk(officer: User, query: str) -> None:
    answer = signed_in(officer).get(f"{DESK}?{query}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{DESK}?e=1")


def test_an_officer_takes_decides_and_takes_the_next(officer: User) -> None:
    browser = signed_in(officer)
    now = datetime.now(UTC)
    first = make_review(biz_no="ONE", due_at=now + timedelta(hours=1))
    second = make_review(biz_no="TWO", due_at=now + timedelta(hours=2))
    taken = browser.post(f"{DESK}next/", {"query": ""})
    assert taken.headers["Location"] == f"{ATTEMPTS}{first.pk}/"
    page = _page(browser, taken.headers["Location"])
    assert "Yours until" in page
    assert "A confidence is within 2 points of the threshold at 1e-4 of the same answer." in page
    done = _act(browser, first, "decide", **_decision(note="seen twice", then="next"))
    assert done.headers["Location"] == f"{ATTEMPTS}{second.pk}/"
    first.refresh_from_db()
    assert (first.state, first.decision, first.decided_by) == ("decided", "approved", officer)
    page = _page(browser, f"{ATTEMPTS}{first.pk}/")
    assert "Your decision is on record." in page
    assert "Decided by ines" in page
    assert "seen twice" in page


def test_taking_the_next_keeps_to_the_filter(officer: User) -> None:
    make_review(biz_no="FIRST", due_at=datetime.now(UTC))
    wanted = make_review(biz_no="WANTED", priority=2, reasons=["verify_tag"], needs_second=True)
    browser = signed_in(officer)
    taken = browser.post(f"{DESK}next/", {"query": "reason=verify_tag"})
    assert taken.headers["Location"] == f"{ATTEMPTS}{wanted.pk}/"
    _act(browser, wanted, "release")
    none = browser.post(f"{DESK}next/", {"query": "reason=in_doubt"}, follow=True)
    assert "Nothing of this list is free for you now." in none.content.decode()
    assert none.request["QUERY_STRING"] == "reason=in_doubt"


def test_who_still_has_one_is_told_so_instead_of_given_another(officer: User) -> None:
    review = make_review()
    make_review(biz_no="LOAN-2", due_at=datetime.now(UTC) + timedelta(days=2))
    browser = signed_in(officer)
    browser.post(f"{DESK}next/", {"query": ""})
    again = browser.post(f"{DESK}next/", {"query": "", "current": review.pk}, follow=True)
    assert again.redirect_chain[-1][0] == f"{ATTEMPTS}{review.pk}/"
    assert "This one is still yours" in _words(again.content.decode())


def test_a_proposal_is_next_only_for_who_may_agree(officer: User, approver: User) -> None:
    review = make_review(needs_second=True)
    _act(signed_in(make_person("olga", "officer")), review, "decide", **_decision())
    browser = signed_in(officer)
    assert browser.post(f"{DESK}next/", {"query": ""}).headers["Location"].startswith(DESK)
    assert "Take it" not in _page(browser, f"{ATTEMPTS}{review.pk}/")
    taken = signed_in(approver).post(f"{DESK}next/", {"query": ""})
    assert taken.headers["Location"] == f"{ATTEMPTS}{review.pk}/"


def test_two_people_decide_where_two_are_due(officer: User, approver: User) -> None:
    review = make_review(needs_second=True)
    mine, theirs = signed_in(officer), signed_in(approver)
    page = _page(mine, f"{ATTEMPTS}{review.pk}/")
    assert "Two people must decide: one proposes, somebody else agrees." in page
    assert "Two people must decide because of this." in page
    assert "is_root" in page
    _act(mine, review, "decide", **_decision("rejected", "attack_seen", note="a mask"))
    page = _page(mine, f"{ATTEMPTS}{review.pk}/")
    assert "You proposed this, so somebody else must agree." in page
    assert "Agree" not in page
    refused = _act(mine, review, "second", note="")
    assert refused.status_code == HTTPStatus.FORBIDDEN
    page = _page(theirs, f"{ATTEMPTS}{review.pk}/")
    for words in ("Proposed by ines", "a mask", "Agree", "Return it", "Presentation attack"):
        assert words in page
    _act(theirs, review, "return", note="look at the second image")
    review.refresh_from_db()
    assert review.state == "open"
    _act(mine, review, "decide", **_decision("rejected", "attack_seen"))
    _act(theirs, review, "second", note="yes")
    review.refresh_from_db()
    assert (review.state, review.decision) == ("decided", "rejected")
    page = _page(theirs, f"{ATTEMPTS}{review.pk}/")
    assert "Decided by amir" in page
    assert "as ines had proposed" in page


@pytest.mark.parametrize(
    ("zone", "shown"), [("UTC", "2027-01-01 00:05"), ("Asia/Jakarta", "07:05")]
)
def test_a_near_time_is_a_clock_and_on_another_day_a_date(zone: str, shown: str) -> None:
    now = datetime(2026, 12, 31, 23, 50, tzinfo=UTC)
    with timezone.override(zone):
        near = clock(now + timedelta(minutes=15), now)
    assert near == f'<time datetime="2027-01-01T00:05:00+00:00">{shown}</time>'


def test_what_somebody_else_has_is_said_with_who_and_until_when(
    officer: User, approver: User
) -> None:
    review = make_review()
    _act(signed_in(approver), review, "take")
    review.refresh_from_db()
    assert review.leased_until
    browser = signed_in(officer)
    page = _page(browser, f"{ATTEMPTS}{review.pk}/")
    # Close to midnight it ends on another day, which is then named.
    until = rf"({review.leased_until:%Y-%m-%d} )?{review.leased_until:%H:%M}"
    assert re.search(f"amir works on it until {until}", page)
    assert "Decide and take next" not in page
    assert re.search(f"amir until {until}", _page(browser, DESK))
    refused = _act(browser, review, "decide", **_decision(note="my long note"))
    assert refused.status_code == HTTPStatus.CONFLICT
    told = _words(refused.content.decode())
    assert "That was not done. amir works on it until" in told
    assert not ReviewStep.objects.exists()
    Review.objects.update(leased_until=datetime.now(UTC) - timedelta(seconds=1))
    assert "Nobody works on it now." in _page(browser, f"{ATTEMPTS}{review.pk}/")
    assert _act(browser, review, "decide", **_decision()).status_code == HTTPStatus.FOUND


def test_what_was_typed_is_not_lost_when_it_is_refused(officer: User) -> None:
    review = make_review()
    form = {"decision": "approved", "reason_code": "rejected:attack_seen", "note": "my long note"}
    refused = _act(signed_in(officer), review, "decide", **form)
    assert refused.status_code == HTTPStatus.CONFLICT
    page = refused.content.decode()
    assert "Choose a reason that explains this decision." in page
    assert ">my long note</textarea>" in page
    assert re.search(r'value="approved" required[^>]* checked', page)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({}, "Choose a decision."),
        ({"decision": "maybe", "reason_code": "approved:same_person"}, "Choose a decision."),
        ({"decision": "approved"}, "Choose a reason"),
        ({"decision": "approved", "reason_code": "approved:nonsense"}, "Choose a reason"),
        ({"decision": "approved", "reason_code": "rejected:other"}, "Choose a reason"),
        ({**_decision(), "note": "x" * 2001}, "at most 2,000 characters"),
        ({**_decision(), "note": "a\u202eb"}, "control characters"),
    ],
)
def test_a_decision_that_is_not_whole_is_refused(
    officer: User, form: dict[str, str], words: str
) -> None:
    review = make_review()
    refused = _act(signed_in(officer), review, "decide", **form)
    assert HTTPStatus.BAD_REQUEST <= refused.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    assert words in _words(refused.content.decode())
    review.refresh_from_db()
    assert review.state == "open"


def test_notes_name_colleagues_who_find_them(officer: User, approver: User) -> None:
    review = make_review()
    _act(signed_in(officer), review, "note", note="@amir look\nat the second image <b>")
    browser = signed_in(approver)
    page = browser.get(f"{DESK}mentions/").content.decode()
    assert "look</bdi>\n<bdi>at the second image &lt;b&gt;" in page
    other = Mention.objects.get()
    answer = signed_in(officer).post(f"{DESK}mentions/", {"mention": [other.pk, "x", "9" * 30]})
    assert answer.status_code == HTTPStatus.FOUND
    assert Mention.objects.filter(seen_at=None).exists()
    browser.post(f"{DESK}mentions/", {"mention": other.pk})
    assert "Nobody named you" in _page(browser, f"{DESK}mentions/")


def test_snooze_assign_and_priority(officer: User, approver: User) -> None:
    review = make_review()
    mine, theirs = signed_in(officer), signed_in(approver)
    due = review.due_at
    assert _act(mine, review, "snooze", until="", note="later").status_code == 400
    assert _act(mine, review, "snooze", until="1h", note="they call back").status_code == 302
    review.refresh_from_db()
    assert review.snoozed_until
    assert review.due_at == due
    assert "Nothing waits" in _page(mine, DESK)
    assert "Snoozed until" in _page(mine, f"{ATTEMPTS}{review.pk}/")
    _act(mine, review, "snooze", until="now", note="")
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M}"
    _act(mine, review, "snooze", until="at", until_at=tomorrow, note="later")
    review.refresh_from_db()
    assert f"{review.snoozed_until:%Y-%m-%dT%H:%M}" == tomorrow
    assert _act(mine, review, "assign", assignee=officer.pk).status_code == HTTPStatus.FORBIDDEN
    assert _act(theirs, review, "assign", assignee="9" * 18).status_code < 500
    assert _act(theirs, review, "assign", assignee="ines").status_code == HTTPStatus.BAD_REQUEST
    _act(theirs, review, "assign", assignee=officer.pk)
    _act(theirs, review, "priority", priority="urgent", note="the customer waits")
    review.refresh_from_db()
    assert (review.assignee, review.priority) == (officer, 1)
    page = _page(theirs, f"{ATTEMPTS}{review.pk}/")
    for words in ("Assigned to ines", "Priority changed", "the customer waits", "Snoozed"):
        assert words in page


def test_what_the_policy_decided_alone_is_opened_by_who_may(officer: User, approver: User) -> None:
    attempt = make_attempt("verified", policy_version=1, verdict="approved", reasons=[])
    page = _page(signed_in(officer), f"{ATTEMPTS}{attempt.pk}/")
    assert "The policy decided this alone." in page
    assert "Open a review" not in page
    browser = signed_in(approver)
    assert "Open a review" in _page(browser, f"{ATTEMPTS}{attempt.pk}/")
    browser.post(f"{DESK}{attempt.pk}/reopen/", {"note": "a hint from the bank"})
    page = _page(browser, f"{ATTEMPTS}{attempt.pk}/")
    assert "Two people must decide: it was opened or reopened by hand." in page
    assert "a hint from the bank" in page


def test_glass_is_broken_loudly_and_waits_for_somebody_else(officer: User, approver: User) -> None:
    review = make_review(needs_second=True)
    assert "Break the glass" not in _page(signed_in(officer), f"{ATTEMPTS}{review.pk}/")
    browser = signed_in(approver)
    assert "Break the glass" in _page(browser, f"{ATTEMPTS}{review.pk}/")
    form = _decision(note="the branch is on fire")
    assert _act(browser, review, "break-glass", **form).status_code == HTTPStatus.BAD_REQUEST
    assert _act(browser, review, "break-glass", **form, sure="on").status_code == HTTPStatus.FOUND
    assert "Somebody else must review that." in _page(browser, f"{ATTEMPTS}{review.pk}/")
    assert "I have reviewed it" not in _page(browser, f"{ATTEMPTS}{review.pk}/")
    other = signed_in(make_person("anna", "approver"))
    assert "LOAN-1" in _page(other, f"{DESK}?show=glass")
    _act(other, review, "review-glass", note="it was right")
    assert "No reviews match" in _page(other, f"{DESK}?show=glass")


def test_many_are_looked_at_before_one_decision_is_taken_on_them(
    officer: User, approver: User
) -> None:
    one, two = make_review(biz_no="ONE"), make_review(biz_no="TWO", needs_second=True)
    taken = make_review(biz_no="TAKEN")
    _act(signed_in(approver), taken, "take")
    browser = signed_in(officer)
    form = {"attempt": [str(each.pk) for each in (one, two, taken)], **_decision("retry", "other")}
    page = _words(browser.post(f"{DESK}bulk/", {**form, "note": "all of them"}).content.decode())
    for words in (
        "You would decide it", "You would propose it: a second person must agree",
        "Refused: amir works on it until", "1 would be decided", "1 would be proposed",
        "1 would be refused", "Other: see the note", "all of them",
    ):  # fmt: skip
        assert words in page
    assert not ReviewStep.objects.exists()
    done = browser.post(f"{DESK}bulk/", {**form, "note": "all of them", "sure": "on"})
    page = _words(done.content.decode())
    assert "What was done" in page
    assert sorted(Review.objects.values_list("state", flat=True)) == ["decided", "open", "proposed"]
    assert ReviewStep.objects.filter(note="all of them").count() == 2
    again = browser.post(f"{DESK}bulk/", {**form, "sure": "on"})
    assert "0 decided" in _words(again.content.decode())


def _seen(page: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', page)
    assert found
    return html.unescape(found[1])


def test_an_old_page_agrees_to_nothing_that_is_not_on_it(officer: User, approver: User) -> None:
    review, first, second = make_review(needs_second=True), signed_in(officer), signed_in(approver)
    _act(first, review, "decide", **_decision("rejected", "attack_seen"))
    old = _seen(second.get(f"{ATTEMPTS}{review.pk}/").content.decode())
    _act(first, review, "return", note="I was wrong")
    _act(first, review, "decide", **_decision())
    refused = _act(second, review, "second", note="clearly an attack", seen=old)
    assert refused.status_code == HTTPStatus.CONFLICT
    page = refused.content.decode()
    assert "Something was added since you read this." in page
    assert "clearly an attack</textarea>" in page
    assert Review.objects.get(pk=review.pk).state == "proposed"
    _act(second, review, "second", note="fine", seen=_seen(page))
    assert Review.objects.get(pk=review.pk).decision == "approved"


def test_many_are_decided_as_they_were_looked_at(officer: User, approver: User) -> None:
    noted, quiet = make_review(biz_no="NOTED"), make_review(biz_no="QUIET")
    browser = signed_in(officer)
    form = {"attempt": [str(each.pk) for each in (noted, quiet)], **_decision()}
    page = browser.post(f"{DESK}bulk/", form).content.decode()
    seen = re.findall(r'name="seen" value="([^"]+)"', page)
    assert len(seen) == 2
    _act(signed_in(approver), noted, "note", note="wait for the police")
    done = browser.post(f"{DESK}bulk/", {**form, "seen": seen, "sure": "on"})
    assert "Something was added since you read this." in _words(done.content.decode())
    assert Review.objects.get(pk=noted.pk).state == "open"
    assert Review.objects.get(pk=quiet.pk).state == "decided"
    for forged in ("", "x", "x y", f"{quiet.pk}"):
        answer = browser.post(f"{DESK}bulk/", {**form, "seen": forged})
        assert answer.status_code == HTTPStatus.OK


@pytest.mark.parametrize("form", [{}, {"attempt": "x"}, {"attempt": ["x"] * 3}])
def test_a_bulk_decision_on_nothing_is_refused(officer: User, form: dict[str, Any]) -> None:
    answer = signed_in(officer).post(f"{DESK}bulk/", {**form, **_decision()})
    assert answer.status_code == HTTPStatus.BAD_REQUEST


def test_filters_are_kept_renamed_and_deleted_by_their_owner(officer: User, approver: User) -> None:
    browser, other = signed_in(officer), signed_in(approver)
    save = {"name": "Urgent ones", "query": "priority=urgent&evil=1"}
    assert browser.post(f"{DESK}filters/save/", save).status_code == HTTPStatus.FOUND
    kept = SavedFilter.objects.get()
    assert (kept.owner, kept.query) == (officer, "priority=urgent")
    assert 'href="?priority=urgent"' in browser.get(DESK).content.decode()
    assert "Urgent ones" not in other.get(DESK).content.decode()
    other.post(f"{DESK}filters/{kept.pk}/", {"name": "stolen"})
    other.post(f"{DESK}filters/{kept.pk}/", {"delete": "1"})
    kept.refresh_from_db()
    assert kept.name == "Urgent ones"
    assert browser.post(f"{DESK}filters/{kept.pk}/", {"name": " "}).status_code == 400
    browser.post(f"{DESK}filters/{kept.pk}/", {"name": "<b>Now</b>"})
    assert "&lt;b&gt;Now&lt;/b&gt;" in browser.get(DESK).content.decode()
    browser.post(f"{DESK}filters/{kept.pk}/", {"delete": "1"})
    assert not SavedFilter.objects.exists()


ACTS = (
    "take", "renew", "release", "decide", "second", "return", "reopen", "break-glass",
    "review-glass", "note", "snooze", "assign", "priority",
)  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
def test_who_only_reads_can_do_nothing(db: None, act: str) -> None:
    review = make_review(needs_second=True)
    before = Review.objects.values().get()
    form = _decision(note="a note", sure="on", until="1h", priority="high", assignee="")
    auditor = signed_in(make_person("aldo", "auditor"))
    assert "Take next" not in _page(auditor, DESK)
    answer = _act(auditor, review, act, **form)
    # Giving back what one does not have is nothing; where no proposal is, none is returned.
    assert answer.status_code == HTTPStatus.FORBIDDEN or act in {"release", "return"}
    stranger = signed_in(User.objects.create_user("stranger", is_staff=True))
    assert _act(stranger, review, act, **form).status_code == HTTPStatus.FORBIDDEN
    assert _act(Client(), review, act, **form).status_code == HTTPStatus.FOUND
    assert Review.objects.values().get() == before
    assert not ReviewStep.objects.exists()


@pytest.mark.parametrize(
    "address", ["next/", "bulk/", "filters/save/", "filters/1/", "{id}/decide/", "{id}/take/"]
)
def test_nothing_is_done_by_reading_an_address(approver: User, address: str) -> None:
    review = make_review()
    answer = signed_in(approver).get(DESK + address.format(id=review.pk))
    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert answer.headers["Allow"] == "POST"
    assert "go back to the page of the form" in answer.content.decode()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(approver)
    posted = strict.post(DESK + address.format(id=review.pk), _decision())
    assert posted.status_code == HTTPStatus.FORBIDDEN


def test_what_does_not_exist_is_not_found(approver: User) -> None:
    browser = signed_in(approver)
    attempt = make_attempt("verified")
    review = make_review()
    assert browser.post(f"{DESK}{review.pk}/no-such-act/").status_code == HTTPStatus.NOT_FOUND
    assert browser.post(f"{DESK}{attempt.pk}/take/").status_code == HTTPStatus.NOT_FOUND
    assert browser.get(f"{DESK}{review.pk}/").headers["Location"] == f"{ATTEMPTS}{review.pk}/"


ODD = (
    "", "x", "0", "-1", "9" * 18, "9" * 400, "\u0000", "\ud800", "\u202e", "%s", "' OR 1=1 --",
    "9999-12-31T23:59", "0001-01-01T00:00", "2026-03-29T02:30", "2026-13-45T99:99",
    "2026-11-23T10:00+99:99", "approved:same_person", "a" * 5000,
)  # fmt: skip
FIELDS = {
    "note", "seen", "decision", "reason_code", "until", "until_at", "assignee", "priority", "then",
    "sure", "query", "name", "attempt", "mention", "current",
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_no_form_makes_the_desk_fail(odd: str, officer: User) -> None:
    boss = User.objects.create_superuser("boss")
    browser = signed_in(boss)
    browser.raise_request_exception = False
    for act in (*ACTS, "../next", "../bulk", "../mentions", "../filters/save"):
        review = make_review(needs_second=True)
        valid = {**_decision(), "until": "at", "until_at": odd, "sure": "on", "note": "why not"}
        for form in (
            dict.fromkeys(FIELDS, odd),
            {**valid, "assignee": odd, "priority": odd, "seen": odd},
            {**valid, "note": odd},
        ):
            sent = {name: each.encode("utf-8", "replace") for name, each in form.items()}
            status = _act(browser, review, act, **sent).status_code
            assert status < HTTPStatus.INTERNAL_SERVER_ERROR, (act, form)
    for address in ("filters/99999999999999999999/", f"{'9' * 30}/take/"):
        answer = browser.post(f"{DESK}{address}", {"name": "x"})
        assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, address
    for name in ("q", "show", "due", "priority", "reason", "client", "assignee", "after", "before"):
        answer = browser.get(DESK, {name: odd.encode("utf-8", "replace")})
        assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, name


def test_hostile_texts_stay_texts(officer: User) -> None:
    evil = "<script>alert(1)</script>"
    review = make_review(biz_no=evil)
    browser = signed_in(officer)
    _act(browser, review, "note", note=evil)
    browser.post(f"{DESK}filters/save/", {"name": evil, "query": "priority=urgent"})
    for address in (DESK, f"{ATTEMPTS}{review.pk}/", f"{DESK}?q={evil}"):
        assert evil not in browser.get(address).content.decode(), address
