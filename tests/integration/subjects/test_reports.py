"""Reports to persons: complete, of nobody else, on record before they leave, harmless to open."""

import io
import json
import re
import zipfile
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from tests.factories import make_attempt, make_client, make_evidence, make_session
from tests.integration.database.conftest import RESTRICT_VIOLATION, execute, refusal
from tests.integration.ledger.lives import Lives, drain
from tests.integration.reveals.conftest import make_person
from tests.owner import unguarded
from verification.ledger.canonical import parse
from verification.models import Evidence, StagedEntry, SubjectReport
from verification.models.reveal import Purpose
from verification.selectors.record import AttemptFilter
from verification.services.errors import BadSubjectError, NotPermittedError
from verification.services.exporting import record_export
from verification.services.holding import place_hold
from verification.services.register_audit import register_faults
from verification.services.reveals import reveal
from verification.services.runtime import Runtime
from verification.services.subject_reports import take_subject_report

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/verification/subjectreport/"
TAKE = f"{PAGE}take/"
WHO = "subject-1"
COURT = "the court has asked"
WHY = "the person disputes the answer"


def unpack(content: bytes) -> dict[str, bytes]:
    """Return the files of a report."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def told(content: bytes) -> dict[str, Any]:
    """Return what a report says, digits kept."""
    said = json.loads(unpack(content)["report.json"], parse_float=Decimal)
    assert isinstance(said, dict)
    return said


def browser_of(*roles: str) -> Client:
    """Return the browser of somebody with these roles, who has just logged in."""
    browser = Client(raise_request_exception=False)
    browser.force_login(make_person("anna", *roles))
    return browser


def faults() -> list[str]:
    """Return what the audit finds of registers."""
    connection.ensure_connection()
    return [each.sentence for each in register_faults(connection.connection)]


def test_everything_of_the_person_is_in_it_and_of_nobody_else(
    lives: Lives, runtime: Runtime
) -> None:
    officer, approver = make_person("olga", "officer"), make_person("anna", "approver")
    seen = lives.settled()
    [image] = Evidence.objects.filter(attempt_id=seen, kind="image_best")
    reveal(
        evidence_id=image.pk, officer=officer, purpose=Purpose.DISPUTE, reason=WHY, runtime=runtime
    )
    flagged = make_attempt("liveness_failed", subject=WHO, client=lives.client)
    make_session(lives.client, subject=WHO, biz_no="ONB-ONLY")
    make_attempt("verified", subject=f"{WHO}0", biz_no="ONB-OTHER")
    place_hold(attempt_id=seen, whole_subject=False, reason=COURT, by=approver, runtime=runtime)
    report = take_subject_report(subject=WHO, client_id=None, by=approver, runtime=runtime)
    said = told(report.content)
    by_id = {each["id"]: each for each in said["attempts"]}
    assert set(by_id) == {str(seen), str(flagged.pk)}
    assert "ONB-ONLY" in {each["biz_no"] for each in said["sessions"]}
    first = by_id[str(seen)]
    assert {each["kind"] for each in first["evidence"]} == {"raw_answer", "image_best"}
    assert [(each["who"], each["reason"]) for each in first["seen_by"]] == [("olga", WHY)]
    assert first["retention"]["record_until"] > first["retention"]["evidence_until"]
    assert (len(first["legal_holds"]), by_id[str(flagged.pk)]["legal_holds"]) == (1, [])
    assert by_id[str(flagged.pk)]["attack_score"] == flagged.attack_score
    whole = b"".join(unpack(report.content).values())
    for absent in (COURT.encode(), b"ONB-OTHER", b"token_digest", b"commitment_key", b"sealed"):
        assert absent not in whole
    assert said["reports_taken"] == 1


def test_one_client_only_where_one_is_named(lives: Lives, runtime: Runtime) -> None:
    approver = make_person("anna", "approver")
    other = make_client("other")
    make_attempt("verified", subject=WHO, client=lives.client)
    theirs = make_attempt("verified", subject=WHO, client=other)
    report = take_subject_report(subject=WHO, client_id=other.pk, by=approver, runtime=runtime)
    said = told(report.content)
    assert [each["id"] for each in said["attempts"]] == [str(theirs.pk)]
    assert said["client"] == "other"


def test_the_page_gives_a_report_that_is_on_record_without_the_reference(runtime: Runtime) -> None:
    make_attempt("verified", subject=WHO)
    browser = browser_of("auditor")
    assert browser.get(PAGE).status_code == HTTPStatus.OK
    answer = browser.post(TAKE, {"subject": WHO})
    assert answer.status_code == HTTPStatus.OK
    assert answer.headers["Content-Type"] == "application/zip"
    assert "no-store" in answer.headers["Cache-Control"]
    assert WHO not in str(answer.headers)
    raw = bytes(StagedEntry.objects.order_by("-no")[0].raw)
    entry = parse(raw)
    assert (entry["kind"], entry["attempts"]) == ("subject.reported", 1)
    assert entry["report"] == answer.headers["Verification-Report"]
    assert WHO.encode() not in raw
    row = SubjectReport.objects.get()
    assert bytes(row.subject_digest).hex() == entry["subject_digest"]
    assert WHO not in browser.get(PAGE).content.decode()
    assert faults() == []


@pytest.mark.parametrize("subject", ["", "x" * 129, "a\0b"])
def test_what_is_no_reference_is_refused_and_not_repeated(subject: str) -> None:
    answer = browser_of("approver").post(TAKE, {"subject": subject})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "x" * 129 not in answer.content.decode()
    assert not SubjectReport.objects.exists()


def test_a_client_that_is_none_is_refused() -> None:
    browser = browser_of("approver")
    for client in ("x", "01900000-0000-7000-8000-000000000009"):
        answer = browser.post(TAKE, {"subject": WHO, "client": client})
        assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert not SubjectReport.objects.exists()


def test_what_cannot_be_recorded_does_not_leave() -> None:
    make_attempt("verified", subject=WHO)
    browser = browser_of("approver")
    execute("ALTER TABLE verification_ledger_stage RENAME TO staged_away")
    try:
        answer = browser.post(TAKE, {"subject": WHO})
    finally:
        execute("ALTER TABLE staged_away RENAME TO verification_ledger_stage")
    assert answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    assert not answer.content.startswith(b"PK")
    assert not SubjectReport.objects.exists()


def test_hostile_texts_stay_texts(runtime: Runtime) -> None:
    approver = make_person("anna", "approver")
    hostile = '</td><script src="https://evil.example/x.js"></script>\u202e'
    attempt = make_attempt("verified", subject=WHO, biz_no=hostile, result_message=hostile)
    make_evidence(attempt, "image<img src=x>")
    report = take_subject_report(subject=WHO, client_id=None, by=approver, runtime=runtime)
    page = unpack(report.content)["report.html"].decode()
    assert not re.search(r"<(script|img|link|a|iframe|form)\b", page)
    assert not re.search(r"\b(src|href|on\w+)=[\"']", page.split("<body>")[0])
    assert "\u202e" not in page
    assert "&lt;script" in page
    assert told(report.content)["attempts"][0]["biz_no"] == hostile


def test_exports_that_may_have_held_it_are_counted(lives: Lives, runtime: Runtime) -> None:
    approver, other = make_person("anna", "approver"), make_client("other")
    attempt = make_attempt("verified", subject=WHO, client=lives.client)
    for query in (
        AttemptFilter(),
        AttemptFilter(client_id=attempt.client_id),
        AttemptFilter(client_id=other.pk),
        AttemptFilter(region="nowhere"),
    ):
        record_export(
            by="x", interface="command", client_id=None, query=query, runtime=runtime,
            sleep=lambda _s: None,
        )  # fmt: skip
    for seal in (False, True):
        if seal:
            drain(runtime)
        report = take_subject_report(subject=WHO, client_id=None, by=approver, runtime=runtime)
        assert told(report.content)["exports_that_may_have_held_it"] == 2


def test_of_a_stranger_the_report_says_that_nothing_is_held(runtime: Runtime) -> None:
    approver = make_person("anna", "approver")
    report = take_subject_report(subject="nobody", client_id=None, by=approver, runtime=runtime)
    assert told(report.content)["attempts"] == []
    assert "Nothing is held" in unpack(report.content)["report.html"].decode()
    assert SubjectReport.objects.count() == 1


def test_only_who_may_takes_one(runtime: Runtime) -> None:
    with pytest.raises(NotPermittedError):
        take_subject_report(
            subject=WHO, client_id=None, by=make_person("olga", "officer"), runtime=runtime
        )
    with pytest.raises(BadSubjectError):
        take_subject_report(
            subject="\ud800", client_id=None, by=make_person("anna", "approver"), runtime=runtime
        )
    assert not SubjectReport.objects.exists()


def test_the_database_keeps_what_is_on_record(runtime: Runtime) -> None:
    approver, officer = make_person("anna", "approver"), make_person("olga", "officer")
    take_subject_report(subject=WHO, client_id=None, by=approver, runtime=runtime)
    table = "verification_subject_report"
    copy = (
        f"INSERT INTO {table} SELECT gen_random_uuid(), subject_digest, attempts, sessions,"
        " by_name, reported_at, %s, client_id FROM " + table
    )
    attacks = {
        "changed": lambda: execute(f"UPDATE {table} SET attempts = 5"),
        "deleted": lambda: execute(f"DELETE FROM {table}"),
        "emptied": lambda: execute(f"TRUNCATE {table}"),
        "by who may not": lambda: execute(copy, officer.pk),
    }
    assert {name: refusal(each) for name, each in attacks.items()} == dict.fromkeys(
        attacks, RESTRICT_VIOLATION
    )


INSIDERS = {
    "another person": "UPDATE verification_subject_report SET subject_digest = sha256('')",
    "fewer": "UPDATE verification_subject_report SET attempts = attempts + 1",
    "gone": "DELETE FROM verification_subject_report",
}


@pytest.mark.parametrize("attack", INSIDERS)
def test_the_audit_finds_what_an_owner_changed(attack: str, runtime: Runtime) -> None:
    approver = make_person("anna", "approver")
    take_subject_report(subject=WHO, client_id=None, by=approver, runtime=runtime)
    drain(runtime)
    assert faults() == []
    with unguarded("verification_subject_report"):
        execute(INSIDERS[attack])
    [found] = faults()
    assert "report to a person" in found


def test_the_command_reads_the_reference_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_person("anna", "approver")
    make_attempt("verified", subject=WHO)
    output = tmp_path / "report.zip"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{WHO}\n"))
    call_command("subject_report", by="anna", output=output)
    assert len(told(output.read_bytes())["attempts"]) == 1
    assert output.stat().st_mode & 0o777 == 0o600
    assert WHO not in capsys.readouterr().out
    with pytest.raises(CommandError, match="exists"):
        call_command("subject_report", by="anna", output=output)
    assert SubjectReport.objects.count() == 1
