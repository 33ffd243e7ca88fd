"""Exports in the admin, as people take, ask for and decide on them."""

import csv
import json
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from io import StringIO
from pathlib import Path
from secrets import token_bytes
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.http import FileResponse, StreamingHttpResponse
from django.test import Client, override_settings

from tests.factories import make_attempt
from tests.integration.ledger.lives import seal
from verification.models import Export, ExportJob, ExportRequest, StagedEntry, VerificationAttempt
from verification.models.export import LARGE_EXPORT
from verification.selectors.export_columns import MASK
from verification.services.export_files import ExportFolder
from verification.services.export_slots import EXPORTS, MAX_AT_ONCE
from verification.services.export_work import work_on_exports
from verification.services.runtime import get_runtime
from verification.services.verifying import verify

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
    first = make_attempt("verified", biz_no="ONB-1")
    make_attempt("verified", biz_no="ONB-2")
    auditor = enter("auditor")
    page = auditor.get(f"{ATTEMPTS}?q=ONB-1").content.decode()
    assert f"{OFFER}?q=ONB-1" in page
    offer = auditor.get(f"{OFFER}?q=ONB-1").content.decode()
    assert "This list has 1 attempt." in offer
    answer = auditor.post(f"{OFFER}?q=ONB-1")
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert [each["id"] for each in rows(answer)] == [str(first.pk)]
    assert "ONB-1" not in str(Export.objects.get().filters)
    assert str(Export.objects.get().pk) == answer.headers["Verification-Export"]
    entries = [bytes(each.raw) for each in StagedEntry.objects.all()]
    assert any(b"export.created" in each and b'"by":"auditor"' in each for each in entries)
    assert not any(b"ONB-1" in each for each in entries)


def test_an_empty_list_says_so() -> None:
    page = enter("auditor").get(f"{OFFER}?q=nobody").content.decode()
    assert "No attempt matches this list." in page
    assert "<button" not in page.split('id="content"')[1].split("</main>")[0].split("footer")[0]


def test_a_large_one_is_asked_for_decided_and_taken() -> None:
    first = make_attempt("verified", biz_no="ONB-1")
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
    assert "Save now" in auditor.get(f"{LIST}{row.pk}/").content.decode()
    taken = rows(auditor.post(f"{LIST}{row.pk}/take/"))
    assert str(first.pk) in [each["id"] for each in taken]
    assert taken[0]["biz_no"] == MASK
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


def content_of(answer: Any) -> bytes:
    """Return what is saved."""
    assert isinstance(answer, FileResponse)
    return b"".join(answer.streaming_content)  # type: ignore[arg-type]  # not async


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return the folder for exports that the settings name."""
    given = {**settings.VERIFICATION, "EXPORT_DIR": str(tmp_path / "exports")}
    with override_settings(VERIFICATION=given):
        yield tmp_path / "exports"


def write_all() -> None:
    """Do what the worker does, until nothing waits."""
    runtime = get_runtime()
    assert runtime.conf.export_dir is not None
    work = partial(work_on_exports, folder=ExportFolder(runtime.conf.export_dir), places={})
    while work(runtime=runtime):
        pass


JOBS = "/admin/verification/exportjob/"


def test_a_file_is_made_watched_and_taken(folder: Path) -> None:
    first = make_attempt("verified", biz_no="LOAN-2026-1")
    auditor = enter("auditor")
    assert "No exports yet" in auditor.get(JOBS).content.decode()
    made = auditor.post(OFFER, {"prepare": "1", "layout": "jsonl", "column": ["id", "biz_no"]})
    page = auditor.get(made.headers["Location"]).content.decode()
    assert "Not begun yet" in page
    assert 'data-progress="open"' in page
    write_all()
    assert '<span class="news">1' in auditor.get("/admin/").content.decode()
    listed = auditor.get(JOBS).content.decode()
    assert "JSON lines, masked, 2 columns" in listed
    assert "<strong>new</strong>" in listed
    assert '<span class="news">' not in auditor.get("/admin/").content.decode()
    page = auditor.get(made.headers["Location"]).content.decode()
    job = ExportJob.objects.get()
    assert str(job.sha256) in page
    answer = auditor.post(f"{JOBS}{job.pk}/take/")
    assert json.loads(content_of(answer)) == {"id": str(first.pk), "biz_no": f"{MASK}26-1"}
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Disposition"].endswith('.jsonl"')
    other = enter("approver")
    assert other.get(f"{JOBS}{job.pk}/").status_code == HTTPStatus.NOT_FOUND
    assert other.post(f"{JOBS}{job.pk}/take/").status_code == HTTPStatus.NOT_FOUND
    assert auditor.get(f"{JOBS}{job.pk}/take/").status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_a_file_is_cancelled(folder: Path) -> None:
    make_attempt("verified")
    auditor = enter("auditor")
    made = auditor.post(OFFER, {"prepare": "1"})
    job = ExportJob.objects.get()
    answer = auditor.post(f"{JOBS}{job.pk}/cancel/", follow=True)
    assert "The export is cancelled" in answer.content.decode()
    again = auditor.post(f"{JOBS}{job.pk}/cancel/")
    assert again.status_code == HTTPStatus.CONFLICT
    write_all()
    assert "cancelled" in auditor.get(made.headers["Location"]).content.decode()
    assert auditor.post(f"{JOBS}{job.pk}/take/").status_code == HTTPStatus.CONFLICT


def test_unmasked_needs_a_purpose_and_a_second_person(folder: Path) -> None:
    make_attempt("verified", biz_no="LOAN-2026-1")
    auditor, approver = enter("auditor"), enter("approver")
    for wanted in ({"unmasked": "on"}, {"unmasked": "on", "prepare": "1"}):
        refused = auditor.post(OFFER, wanted)
        assert "only if a second person agrees" in refused.content.decode()
    ask = {"ask": "1", "unmasked": "on", "reason": REASON}
    assert "Choose what unmasked data is for" in auditor.post(OFFER, ask).content.decode()
    named = auditor.post(f"{OFFER}?q=LOAN-2026-1", {**ask, "purpose": "audit"})
    assert "narrow the list in another way" in named.content.decode()
    auditor.post(OFFER, {**ask, "purpose": "audit"})
    row = ExportRequest.objects.get()
    page = approver.get(f"{LIST}{row.pk}/").content.decode()
    assert "unmasked" in page
    assert "Audit or authority" in page
    approver.post(f"{LIST}{row.pk}/decide/", {"decision": "approve"})
    [taken] = rows(auditor.post(f"{LIST}{row.pk}/take/"))
    assert taken["biz_no"] == "LOAN-2026-1"
    auditor.post(f"{LIST}{row.pk}/prepare/")
    write_all()
    job = ExportJob.objects.get()
    assert b"LOAN-2026-1" in ExportFolder(folder).whole(job.pk).read_bytes()


def test_a_schedule_is_asked_for_approved_shown_and_ended(folder: Path) -> None:
    auditor, approver = enter("auditor"), enter("approver")
    auditor.post(f"{OFFER}?since=2026-01-01&until=2026-02-01",
                 {"ask": "1", "reason": REASON, "repeats": "weekly"})  # fmt: skip
    row = ExportRequest.objects.get()
    assert row.filters == {}
    assert "Approve for a year" in approver.get(f"{LIST}{row.pk}/").content.decode()
    approver.post(f"{LIST}{row.pk}/decide/", {"decision": "approve"})
    assert "every week" in auditor.get(JOBS).content.decode()
    assert auditor.post(f"{LIST}{row.pk}/take/").status_code == HTTPStatus.CONFLICT
    assert "End the schedule" in auditor.get(f"{LIST}{row.pk}/").content.decode()
    auditor.post(f"{LIST}{row.pk}/end/")
    assert "every week" not in auditor.get(JOBS).content.decode()
    assert auditor.post(f"{LIST}{row.pk}/end/").status_code == HTTPStatus.CONFLICT
    seal(get_runtime())
    assert verify(runtime=get_runtime()).faults == ()


def test_nonsense_is_told_and_nothing_is_on_record(folder: Path) -> None:
    make_attempt("verified")
    auditor = enter("auditor")
    for wanted in (
        {"layout": "xlsx"}, {"column": "nothing"}, {"layout": "bundle"},
        {"ask": "1", "reason": REASON, "repeats": "hourly"},
        {"ask": "1", "reason": REASON, "place": "nowhere"},
    ):  # fmt: skip
        answer = auditor.post(OFFER, wanted)
        assert answer.status_code == HTTPStatus.BAD_REQUEST, wanted
        assert 'role="alert"' in answer.content.decode()
    assert not Export.objects.exists()
    assert not ExportRequest.objects.exists()
