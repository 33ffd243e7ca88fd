"""Exports in the admin, as people take, ask for and decide on them."""

import csv
from http import HTTPStatus
from io import StringIO
from secrets import token_bytes
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.http import StreamingHttpResponse
from django.test import Client

from tests.factories import make_attempt
from verification.models import Export, ExportRequest, StagedEntry, VerificationAttempt
from verification.models.export import LARGE_EXPORT
from verification.services.export_slots import EXPORTS, MAX_AT_ONCE

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long pass phrase"
OFFER = "/admin/verification/exportrequest/attempts/"
LIST = "/admin/verification/exportrequest/"
ATTEMPTS = "/admin/verification/verificationattempt/"
REASON = "the yearly inspection"


def enter(role: str) -> Client:
    """Return the browser of somebody with a role, logged in by the form."""
    person = User.objects.create_user(role, password=PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    browser = Client()
    browser.post("/admin/login/", {"username": role, "password": PASSWORD})
    return browser


def rows(answer: object) -> list[dict[str, str]]:
    """Read an answer as CSV."""
    assert isinstance(answer, StreamingHttpResponse)
    text = b"".join(answer.streaming_content).decode()  # type: ignore[arg-type]  # not async
    return list(csv.DictReader(StringIO(text)))


def test_a_list_is_exported_as_it_is_narrowed_and_on_record() -> None:
    make_attempt("verified", biz_no="ONB-1")
    make_attempt("verified", biz_no="ONB-2")
    auditor = enter("auditor")
    page = auditor.get(f"{ATTEMPTS}?q=ONB-1").content.decode()
    assert f"{OFFER}?q=ONB-1" in page
    offer = auditor.get(f"{OFFER}?q=ONB-1").content.decode()
    assert "This list has 1 attempt." in offer
    answer = auditor.post(f"{OFFER}?q=ONB-1")
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert [each["biz_no"] for each in rows(answer)] == ["ONB-1"]
    assert str(Export.objects.get().pk) == answer.headers["Verification-Export"]
    entries = [bytes(each.raw) for each in StagedEntry.objects.all()]
    assert any(b"export.created" in each and b'"by":"auditor"' in each for each in entries)
    assert not any(b"ONB-1" in each for each in entries)


def test_an_empty_list_says_so() -> None:
    page = enter("auditor").get(f"{OFFER}?q=nobody").content.decode()
    assert "No attempt matches this list." in page
    assert "<button" not in page.split('id="content"')[1].split("</main>")[0].split("footer")[0]


def test_a_large_one_is_asked_for_decided_and_taken() -> None:
    make_attempt("verified", biz_no="ONB-1")
    auditor, approver = enter("auditor"), enter("approver")
    answer = auditor.post(OFFER, {"ask": "1", "reason": "x"})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert 'role="alert"' in answer.content.decode()
    auditor.post(OFFER, {"ask": "1", "reason": REASON})
    row = ExportRequest.objects.get()
    own = auditor.get(f"{LIST}{row.pk}/").content.decode()
    assert "somebody else must decide" in own
    assert "Approve for a day" not in own
    assert auditor.post(f"{LIST}{row.pk}/take/").status_code == HTTPStatus.CONFLICT
    assert REASON in approver.get(LIST).content.decode()
    make_attempt("verified", biz_no="ONB-2")
    approver.post(f"{LIST}{row.pk}/decide/", {"decision": "approve"})
    assert "Save as CSV" in auditor.get(f"{LIST}{row.pk}/").content.decode()
    taken = rows(auditor.post(f"{LIST}{row.pk}/take/"))
    assert "ONB-1" in [each["biz_no"] for each in taken]
    assert approver.post(f"{LIST}{row.pk}/take/").status_code == HTTPStatus.FORBIDDEN
    assert Export.objects.get().is_large


def make_many(number: int) -> None:
    """Store attempts that are alike."""
    attempt = make_attempt(None, state="accepted")
    values = {
        each.attname: getattr(attempt, each.attname)
        for each in VerificationAttempt._meta.concrete_fields
    }
    VerificationAttempt.objects.bulk_create(
        VerificationAttempt(**{**values, "id": uuid4(), "token_digest": token_bytes(32)})
        for _ in range(number - 1)
    )


def test_more_than_the_limit_is_not_streamed_at_once() -> None:
    make_many(LARGE_EXPORT + 1)
    auditor = enter("auditor")
    offer = auditor.get(OFFER).content.decode()
    assert "This list has 10,001 attempts." in offer
    assert "Ask for it" in offer
    answer = auditor.post(OFFER)
    assert answer.status_code == HTTPStatus.CONFLICT
    assert not Export.objects.exists()


def test_who_finds_no_slot_is_told_and_nothing_is_on_record() -> None:
    make_attempt("verified")
    auditor = enter("auditor")
    held = [EXPORTS.stream(lambda: (each for each in [b"x"])) for _ in range(MAX_AT_ONCE)]
    try:
        answer = auditor.post(OFFER)
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert "ask again later" in answer.content.decode()
        assert not Export.objects.exists()
    finally:
        for each in held:
            each.close()
