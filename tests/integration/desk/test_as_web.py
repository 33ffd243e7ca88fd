"""The desk's pages with the rights of the web process, and no more."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.integration.database.roles import Roles, acting_as, granted_roles
from tests.integration.desk.waiting import make_person, make_review, signed_in
from verification.models import Mention, Review, SavedFilter
from verification.services.privileges import Kind

DESK = "/admin/verification/review/"
ATTEMPTS = "/admin/verification/verificationattempt/"
CHOSEN = {"decision": "approved", "reason_code": "approved:same_person", "note": "@amir look"}


@pytest.fixture(scope="module")
def roles(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Roles]:
    """Make the roles and grant."""
    with django_db_blocker.unblock(), granted_roles() as made:
        yield made


@pytest.mark.django_db(transaction=True)
def test_every_act_is_possible_as_web(roles: Roles) -> None:
    officer = make_person("ines", "officer")
    approver = make_person("amir", "approver")
    review, two = make_review(), make_review(biz_no="LOAN-2", needs_second=True)
    mine, theirs = signed_in(officer), signed_in(approver)

    def act(browser: Any, on: Review, name: str, **form: Any) -> None:
        answer = browser.post(f"{DESK}{on.pk}/{name}/", form)
        assert answer.status_code == HTTPStatus.FOUND, (name, answer.content.decode())

    with acting_as(roles[Kind.WEB]):
        assert mine.get(DESK).status_code == HTTPStatus.OK
        assert mine.post(f"{DESK}next/", {"query": "priority=normal"}).status_code == 302
        act(mine, review, "renew")
        act(mine, review, "release")
        act(mine, review, "note", note="@amir look")
        act(mine, review, "snooze", until="1h", note="later")
        act(theirs, review, "assign", assignee=officer.pk)
        act(theirs, review, "priority", priority="high", note="they wait")
        act(mine, review, "decide", **CHOSEN)
        act(theirs, review, "reopen", note="a hint")
        act(mine, two, "decide", **CHOSEN)
        act(theirs, two, "return", note="look again")
        act(mine, two, "decide", **CHOSEN)
        act(theirs, two, "second", note="")
        act(theirs, review, "break-glass", **CHOSEN, sure="on")
        mine.post(f"{DESK}filters/save/", {"name": "mine", "query": "priority=high"})
        kept = SavedFilter.objects.get()
        mine.post(f"{DESK}filters/{kept.pk}/", {"name": "ours"})
        mine.post(f"{DESK}filters/{kept.pk}/", {"delete": "1"})
        seen = Mention.objects.filter(person=approver).values_list("pk", flat=True)
        theirs.post(f"{DESK}mentions/", {"mention": list(seen)})
        assert mine.get(f"{ATTEMPTS}{two.pk}/").status_code == HTTPStatus.OK
    assert not SavedFilter.objects.exists()
    assert not Mention.objects.filter(person=approver, seen_at=None).exists()
    assert set(Review.objects.values_list("state", flat=True)) == {"decided"}
