"""Texts of records whose time is over: gone from everywhere, and nothing else; never too people."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse

from tests.integration.database.conftest import RESTRICT_VIOLATION, execute, refusal
from tests.integration.database.roles import Roles, acting_as
from tests.integration.desk.waiting import decide_all
from tests.integration.exports.test_bundle import Members, checked, made, signed_off
from tests.integration.ledger.lives import PACKET, SHA256, Lives, ahead, attempt, seal
from tests.integration.reveals.conftest import make_person
from tests.integration.subjects.test_erasing import People, files_of, outcomes
from tests.owner import unguarded
from verification.faceid.types import BizTokenRequest, Upload
from verification.identifiers import uuid7
from verification.lifecycle import State
from verification.models import (
    ApiClient,
    Export,
    ExportJob,
    LedgerCheckpoint,
    LegalHold,
    RecordErasure,
    RetentionRule,
    ReviewStep,
    SavedFilter,
    SubjectErasure,
    VerificationAttempt,
    VerificationSession,
)
from verification.models.attempt import ERASED_COLUMNS
from verification.models.export_job import JobState
from verification.sandbox.answers import FACE
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_columns import COLUMNS
from verification.selectors.export_form import FileForm, choose_columns
from verification.services import reconciliation
from verification.services.accepting import accept, receive
from verification.services.bundling import write_bundle
from verification.services.errors import RecordErasedError, UnprovableExportError
from verification.services.export_files import ExportFolder
from verification.services.export_work import expire_exports
from verification.services.faults import FaultCode
from verification.services.holding import lift_hold, place_hold
from verification.services.privileges import Kind
from verification.services.reaper import reap
from verification.services.record_audit import check_attempt
from verification.services.reviews import note
from verification.services.runtime import Runtime
from verification.services.sessions import open_session
from verification.services.settlement import Settlement
from verification.services.settling import settle
from verification.services.subject_answer import subject_answer
from verification.services.subject_erasing import continue_subject_erasures
from verification.services.submission import intend
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

YEARS = 1_900 * 86_400
WHO, NUMBER = "Canary-Subject-7f3a", "Canary-Number-91bc"
KEY, SAID, WHY = "canary-idempotency-55d0", "canary-result-8e21", "canary-note-4c17 of her voice"
CANARIES = (WHO, NUMBER, KEY, SAID, WHY, "canary-request-3e07", "canary-tag-2b90", "97.654")
RAW = json.dumps(
    {
        "request_id": "1,canary-request-3e07", "result_code": 1000, "result_message": SAID,
        "verification": {"ref1": {"confidence": 97.654, "thresholds": {"1e-3": 62.169}}},
        "canary-tag-2b90": 1, "images": {"image_best": "/9j/2Q=="},
    }
).encode()  # fmt: skip
LINKS = {"session", "decided_by"}
TEXTS = "verification_attempt", "verification_session", "verification_past"


def lives_of(client: ApiClient, runtime: Runtime) -> Lives:
    """Return what leads lives of this person at the time of a runtime."""

    def token(biz_no: str = NUMBER, **texts: str) -> str:
        given = {"liveness_type": "meglive", "comparison_type": "0", "uuid": WHO, "biz_no": biz_no}
        request = BizTokenRequest(texts={**given, **texts}, files={"image_ref1": Upload(FACE)})
        return open_session(client=client, request=request, runtime=runtime).biz_token

    return Lives(client, runtime, token)


@pytest.fixture
def old(client_app: ApiClient, runtime: Runtime) -> Lives:
    """Return what leads lives of more than five years ago."""
    return lives_of(client_app, ahead(runtime, -YEARS))


@dataclass(frozen=True)
class Ours(People):
    """People who ask for and decide on the erasure of this person."""

    def ask(
        self, subject: str = WHO, reason: str = "the person has asked by letter"
    ) -> SubjectErasure:
        """Ask for an erasure, of what nobody has to decide on any more."""
        decide_all(self.olga, self.anna, self.runtime)
        return super().ask(subject, reason)


@pytest.fixture
def people(runtime: Runtime, transactional_db: None) -> Ours:
    return Ours(make_person("olga", "officer"), make_person("anna", "approver"), runtime)


def told(lives: Lives, key: str | None = KEY) -> UUID:
    """Lead an attempt through all that keeps a text: refused, sent again, answered late."""
    submission = receive(
        client=lives.client, biz_token=lives.open_token(NUMBER), packet=memoryview(PACKET),
        packet_sha256=SHA256, idempotency_key=key, conf=lives.runtime.conf,
    )  # fmt: skip
    attempt_id = accept(submission, runtime=lives.runtime).attempt_id
    first = intend(attempt_id, runtime=lives.runtime)
    assert first is not None
    not_sent = Settlement(State.NOT_SENT, {"error_argument": SAID}, {})
    settle(first, not_sent, runtime=lives.runtime)
    again = intend(attempt_id, runtime=lives.runtime)
    assert again is not None
    reap(runtime=ahead(lives.runtime, 15))
    settle(again, Settlement(State.ANSWERED, {}, {"raw_answer": RAW}), runtime=lives.runtime)
    assert reconciliation.reconcile(attempt_id=attempt_id, runtime=lives.runtime)
    return attempt_id


def closed(lives: Lives) -> UUID:
    """Lead an attempt to a closed doubt, with a reason in it."""
    attempt_id = lives.in_doubt()
    reconciliation.close_attempt(attempt_id=attempt_id, reason=WHY, runtime=lives.runtime)
    return attempt_id


def places(*canaries: str) -> dict[str, list[str]]:
    """Return which tables tell one of some texts, as text or in the bytes of a column."""
    wanted = {each: (each.lower(), each.encode().hex()) for each in canaries}
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT string_agg(t::text, chr(10)) FROM "{table}" AS t')
            [[rows]] = cursor.fetchall()
            text = (rows or "").lower()
            if hits := [name for name, each in wanted.items() if any(p in text for p in each)]:
                found[table] = hits
    return found


def faults(attempt_id: UUID, runtime: Runtime) -> list[str]:
    """Return what the audit finds of one attempt."""
    return [str(each.code) for each in check_attempt(attempt_id=attempt_id, runtime=runtime)]


def test_no_byte_of_the_person_is_left_and_the_log_still_holds(
    old: Lives, people: Ours, runtime: Runtime
) -> None:
    attempt_id, other = told(old), closed(old)
    note(attempt_id=attempt_id, text=WHY, by=people.olga, runtime=old.runtime)
    searched = {"page": "reviews", "created_at": runtime.now(), "owner": people.olga}
    SavedFilter.objects.create(name="hers", query=urlencode({"q": WHO}), **searched)
    SavedFilter.objects.create(name="mine", query=urlencode({"q": f"{WHO}-else"}), **searched)
    seal(old.runtime)
    assert set(places(*CANARIES)) == {
        *TEXTS, "verification_review_step", "verification_saved_filter",
    }  # fmt: skip
    key = bytes(attempt(attempt_id).commitment_key or b"").hex()
    row = people.done()
    assert outcomes(row) == {attempt_id: "erased", other: "nothing"}
    assert row.records.count() == 2
    SavedFilter.objects.get(name="mine").delete()
    assert places(*CANARIES) == {}
    assert places(key) == {}
    seal(runtime)
    outcome = verify(runtime=runtime)
    # Clients and people of these tests were made now, in a log of five years ago.
    assert {each.code for each in outcome.faults} <= {FaultCode.TIME}
    left = attempt(attempt_id)
    assert (left.state, left.result_code, left.outcome) == ("answered", 1000, "verified")
    assert {getattr(left, name) for name in ERASED_COLUMNS} == {None}
    assert attempt(other).closing_reason == ""


def test_no_byte_is_left_in_the_files_once_they_are_written_anew(old: Lives, people: Ours) -> None:
    told(old)
    seal(old.runtime)
    people.done()
    # What an older transaction could still see is copied with the rest: none of another test may.
    execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for table in (*TEXTS, "verification_review_step", "verification_saved_filter"):
        execute(f"VACUUM (FULL) {table}")
    execute("CHECKPOINT")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database"
            " WHERE datname = current_database()"
        )
        [[folder]] = cursor.fetchall()
    files = [each for each in Path(folder).iterdir() if each.is_file()]
    assert len(files) > 100
    found = [
        (each.name, canary)
        for each in files
        for content in [each.read_bytes()]
        for canary in CANARIES
        if canary.encode() in content
    ]
    assert found == []


def test_what_must_still_be_kept_stays(
    client_app: ApiClient, runtime: Runtime, people: Ours
) -> None:
    young = lives_of(client_app, ahead(runtime, -1_800 * 86_400))
    attempt_id = told(young)
    before = places(*CANARIES)
    row = people.done()
    assert outcomes(row) == {attempt_id: "erased"}
    assert places(*CANARIES) == before
    assert not row.records.exists()


def test_a_hold_keeps_the_texts_until_it_is_lifted(old: Lives, people: Ours) -> None:
    attempt_id = told(old)
    place_hold(
        attempt_id=attempt_id, whole_subject=False, reason="the court has asked",
        by=people.anna, runtime=people.runtime,
    )  # fmt: skip
    before = places(*CANARIES)
    assert outcomes(people.done()) == {attempt_id: "held"}
    assert places(*CANARIES) == before
    lifter, hold = make_person("lena", "approver"), LegalHold.objects.get()
    lift_hold(hold_id=hold.pk, reason="the court is done", by=lifter, runtime=people.runtime)
    assert outcomes(people.done()) == {attempt_id: "erased"}
    assert places(*CANARIES) == {}


def test_another_record_that_is_held_keeps_its_session(old: Lives, people: Ours) -> None:
    held, due = told(old), told(old, key=None)
    sessions = {
        each: VerificationSession.objects.filter(attempts=each, subject=WHO) for each in (held, due)
    }
    place_hold(
        attempt_id=held, whole_subject=False, reason="the court has asked",
        by=people.anna, runtime=people.runtime,
    )  # fmt: skip
    with unguarded("verification_record_erasure"):
        record_alone(due, people.ask(), people.runtime)
    alone = partial(
        sessions[held].update, biz_no="", subject="", options={}, request_id=None
    )  # a worker that was taken over
    assert refusal(alone) == RESTRICT_VIOLATION
    with unguarded("verification_record_erasure"):
        RecordErasure.objects.all().delete()
    people.decide(SubjectErasure.objects.get())
    continue_subject_erasures(runtime=people.runtime)
    assert sessions[held].exists()
    assert not sessions[due].exists()


def test_texts_go_when_the_evidence_had_gone_before(
    old: Lives, people: Ours, runtime: Runtime
) -> None:
    attempt_id = told(old)
    with unguarded("verification_retention_rule"):
        RetentionRule.objects.filter(what="record").update(days=3_000)
    assert outcomes(people.done()) == {attempt_id: "erased"}
    assert set(places(*CANARIES)) == set(TEXTS)
    with unguarded("verification_retention_rule"):
        RetentionRule.objects.filter(what="record").update(days=1_826)
    assert outcomes(people.done()) == {attempt_id: "gone"}
    assert places(*CANARIES) == {}


def test_what_waits_in_doubt_keeps_its_texts(old: Lives, people: Ours) -> None:
    attempt_id = old.in_doubt()
    people.done()
    assert attempt(attempt_id).subject == WHO


def erase_alone(attempt_id: UUID, **values: object) -> None:
    """Empty the columns of an attempt by hand."""
    VerificationAttempt.objects.filter(pk=attempt_id).update(
        **{**dict.fromkeys(ERASED_COLUMNS), **values}
    )


def record_alone(attempt_id: UUID, request: SubjectErasure, runtime: Runtime) -> None:
    """Put on record by hand that the texts of an attempt were erased."""
    rule = RetentionRule.objects.get(what="record")
    RecordErasure.objects.create(
        attempt_id=attempt_id, request=request, rule=rule, erased_at=runtime.now()
    )


def test_nobody_erases_texts_past_the_guards(
    old: Lives, client_app: ApiClient, people: Ours, runtime: Runtime
) -> None:
    due, other = told(old), told(old, key=None)
    young = told(lives_of(client_app, runtime), key=None)
    session = VerificationSession.objects.filter(attempts=due)
    note(attempt_id=young, text=WHY, by=people.olga, runtime=runtime)
    row = people.ask()
    attacks: dict[str, Callable[[], object]] = {
        "no request": lambda: erase_alone(due),
        "not decided": lambda: record_alone(due, row, runtime),
    }
    for name, attack in attacks.items():
        assert refusal(attack) == RESTRICT_VIOLATION, name
    people.decide(row)
    for attempt_id in (due, young):
        early = partial(record_alone, attempt_id, row, runtime)
        assert refusal(early) == RESTRICT_VIOLATION
    continue_subject_erasures(runtime=runtime)
    later: dict[str, Callable[[], object]] = {
        "a text comes back": lambda: VerificationAttempt.objects.filter(pk=due).update(subject="x"),
        "nothing changes": lambda: VerificationAttempt.objects.filter(pk=due).update(outcome=None),
        "a session again": lambda: session.update(biz_no="x"),
        "a young session": lambda: VerificationSession.objects.filter(attempts=young).update(
            biz_no="", subject="", options={}, request_id=None
        ),
        "a young note": lambda: ReviewStep.objects.filter(review_id=young).update(note=None),
        "a young text": lambda: erase_alone(young),
        "on record twice": lambda: record_alone(other, row, runtime),
        "taken off record": lambda: RecordErasure.objects.filter(pk=due).delete(),
        "another rule": lambda: RecordErasure.objects.filter(pk=due).update(erased_at=None),
    }
    for name, attack in later.items():
        code = refusal(attack)
        assert code in {RESTRICT_VIOLATION, "23505"}, name


def test_only_whole_records_are_erased(old: Lives, people: Ours, runtime: Runtime) -> None:
    attempt_id = told(old)
    row = people.decide(people.ask())
    with unguarded("verification_record_erasure"):
        record_alone(attempt_id, row, runtime)
    for name in ("subject", "ref1_confidence", "unknown_fields"):
        kept = getattr(attempt(attempt_id), name)
        in_part = partial(erase_alone, attempt_id, **{name: kept})
        assert refusal(in_part) == RESTRICT_VIOLATION, name
    assert refusal(lambda: erase_alone(attempt_id, outcome="retry")) == RESTRICT_VIOLATION
    assert refusal(lambda: erase_alone(attempt_id)) == ""


def test_the_worker_may_and_the_web_process_may_not(old: Lives, people: Ours, roles: Roles) -> None:
    attempt_id = told(old)
    row = people.decide(people.ask())
    with acting_as(roles[Kind.WEB]):
        assert refusal(lambda: record_alone(attempt_id, row, people.runtime)) == "42501"
    with acting_as(roles[Kind.WORKER]):
        assert not continue_subject_erasures(runtime=people.runtime)
    assert row.records.exists()
    assert places(*CANARIES) == {}


def test_an_erased_record_is_as_it_is(old: Lives, people: Ours, runtime: Runtime) -> None:
    attempt_id = told(old)
    refused = old.reaped_unsent()
    people.done()
    with pytest.raises(RecordErasedError):
        note(attempt_id=attempt_id, text="another note", by=people.olga, runtime=runtime)
    assert intend(refused, runtime=runtime) is None


def test_an_insider_is_found_out(old: Lives, people: Ours, runtime: Runtime) -> None:
    attempt_id, other = told(old), told(old, key=None)
    decide_all(people.olga, people.anna, runtime)
    seal(old.runtime)
    with unguarded("verification_attempt"):
        erase_alone(other)
    assert "erasure_differs" in faults(other, runtime)
    row = people.done()
    assert faults(attempt_id, runtime) == []
    attempts = VerificationAttempt.objects.filter(pk=attempt_id)
    records = RecordErasure.objects.filter(pk=attempt_id)
    requests = SubjectErasure.objects.filter(pk=row.pk)
    undecided: dict[str, object] = {
        "decision": None,
        "decided_by": None,
        "decided_at": None,
        "finished_at": None,
    }
    lies: list[tuple[QuerySet[Any], dict[str, object], str]] = [
        (attempts, {"subject": "somebody else"}, "erasure_differs"),
        (attempts, {"ref1_confidence": 1}, "erasure_differs"),
        (attempts, {"commitment_key": b"k" * 32}, "erasure_differs"),
        (attempts, {"region": "sgp"}, "row_differs"),
        (attempts, {"session": None}, "row_differs"),
        (records, {"erased_at": runtime.now()}, "erasure_differs"),
        (requests, undecided, "four_eyes"),
    ]
    for rows, lie, code in lies:
        [before] = rows.values(*(f"{name}_id" if name in LINKS else name for name in lie))
        with unguarded():
            rows.update(**lie)
        assert code in faults(attempt_id, runtime), lie
        with unguarded():
            rows.update(**before)
    assert faults(attempt_id, runtime) == []
    with unguarded("verification_record_erasure"):
        records.delete()
    assert "erasure_differs" in faults(attempt_id, runtime)


def test_the_letter_says_which_records_are_gone(
    old: Lives, client_app: ApiClient, people: Ours, runtime: Runtime
) -> None:
    gone = told(old)
    seal(old.runtime)
    kept = lives_of(client_app, runtime).settled()
    row = people.done()
    seal(runtime)
    letter = files_of(subject_answer(erasure_id=row.pk, runtime=runtime))["letter.en.txt"]
    lines = letter.splitlines()
    assert (
        "record: erased" in lines[next(n for n, each in enumerate(lines) if str(gone) in each) + 2]
    )
    assert "kept until" in lines[next(n for n, each in enumerate(lines) if str(kept) in each) + 2]
    assert "The record of 1 check was erased as well" in letter


def test_the_letter_says_that_nothing_is_kept(old: Lives, people: Ours, runtime: Runtime) -> None:
    told(old)
    seal(old.runtime)
    row = people.done()
    seal(runtime)
    letter = files_of(subject_answer(erasure_id=row.pk, runtime=runtime))["letter.en.txt"]
    assert "The record of 1 check was erased as well" in letter
    assert "The law obliges us" not in letter


def test_pages_say_so(old: Lives, people: Ours, client: Client) -> None:
    attempt_id = told(old)
    row = people.done()
    client.force_login(User.objects.create_superuser("boss"))
    page = client.get(f"/admin/verification/verificationattempt/{attempt_id}/")
    assert page.status_code == HTTPStatus.OK
    assert b"The texts of this record were erased" in page.content
    for untrue in (
        b"not given",
        b"No risk",
        b"no comparison",
        b"no device risk",
        b"contract does",
        b"Open a review",
    ):
        assert untrue not in page.content, untrue
    checked_page = client.post(f"/admin/verification/verificationattempt/{attempt_id}/verify/")
    assert checked_page.status_code == HTTPStatus.OK
    request = client.get(f"/admin/verification/subjecterasure/{row.pk}/")
    assert b"texts of records erased" in request.content
    for name in ("verificationattempt", "verificationsession", "review"):
        listed = client.get(reverse(f"admin:verification_{name}_changelist"))
        assert listed.status_code == HTTPStatus.OK, name
        assert b"No risk" not in listed.content, name


def bundle_of(old: Lives, people: Ours, runtime: Runtime) -> tuple[UUID, Members]:
    """Return an erased attempt, and a bundle of it and another with every column."""
    attempt_id = told(old)
    people.done()
    lives_of(old.client, runtime).settled()
    seal(runtime)
    form = FileForm(columns=choose_columns(tuple(each.name for each in COLUMNS)))
    return attempt_id, made(old, form=form)


def test_a_bundle_shows_that_an_erased_record_is_one(
    old: Lives, people: Ours, runtime: Runtime, tmp_path: Path
) -> None:
    _, members = bundle_of(old, people, runtime)
    few = made(old, form=FileForm(columns=choose_columns(("id", "state", "biz_no"))))
    for each in (members, few):
        code, said = checked(each, tmp_path / "whole.zip")
        assert code == 0, said
        assert "1 rows whose texts were erased" in said


def test_nobody_passes_a_record_off_as_erased(
    old: Lives, people: Ours, runtime: Runtime, tmp_path: Path
) -> None:
    _, members = bundle_of(old, people, runtime)
    erased, *_ = [line for line in members["openings.txt"].splitlines() if b"key" not in line]
    whole, *_ = [line for line in members["openings.txt"].splitlines() if b"key" in line]
    bare = json.dumps({"id": json.loads(whole)["id"]}).encode()
    full = whole.replace(json.loads(whole)["id"].encode(), json.loads(erased)["id"].encode())
    for name, found, made_up in (("hidden", whole, bare), ("told", erased, full)):
        lines = members["openings.txt"].replace(found, made_up)
        code, said = checked(signed_off({**members, "openings.txt": lines}), tmp_path / "b.zip")
        assert (code, "nothing opens its values" in said) == (1, True), name
    lines = members["openings.txt"].replace(whole, b"[]")
    code, said = checked(signed_off({**members, "openings.txt": lines}), tmp_path / "b.zip")
    assert (code, "not of its form" in said) == (1, True), said
    rows = members["attempts.csv"].replace(b",answered,verified,", b",rejected,verified,", 1)
    code, said = checked(signed_off({**members, "attempts.csv": rows}), tmp_path / "b.zip")
    assert code == 1, said


def test_an_erased_text_cannot_come_back_into_a_file(
    old: Lives, people: Ours, runtime: Runtime, tmp_path: Path
) -> None:
    attempt_id, members = bundle_of(old, people, runtime)
    rows = list(csv.DictReader(io.StringIO(members["attempts.csv"].decode(), newline="")))
    for name in ("biz_no", "subject", "request_id", "result_message", "device_level"):
        altered = [{**row, name: "x"} if row["id"] == str(attempt_id) else row for row in rows]
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(altered)
        forged = signed_off({**members, "attempts.csv": out.getvalue().encode()})
        code, said = checked(forged, tmp_path / "b.zip")
        assert (code, f"{name} is 'x', but the log says ''" in said) == (1, True), said


def test_a_bundle_of_before_the_erasure_is_refused(
    old: Lives, people: Ours, runtime: Runtime
) -> None:
    told(old)
    seal(old.runtime)
    before = LedgerCheckpoint.objects.latest("size")
    people.done()
    with pytest.raises(UnprovableExportError, match="erased after that moment"):
        write_bundle(
            io.BytesIO(), export=uuid7(runtime.now()), query=AttemptQuery(), form=FileForm(),
            as_of=before,
        )  # fmt: skip


def test_a_kept_file_ends_with_an_erasure(
    old: Lives, people: Ours, runtime: Runtime, tmp_path: Path
) -> None:
    told(old)
    folder = ExportFolder(tmp_path)
    asked = {"by": people.anna, "filters": {}, "form": {}}
    now = runtime.now()
    export = Export.objects.create(id=uuid7(now), at=now, rows=0, is_large=False, **asked)
    job = ExportJob.objects.create(id=export.pk, asked_at=now, **asked)
    with unguarded("verification_export_job"):
        ExportJob.objects.update(
            state=JobState.DONE, started_at=now, finished_at=now,
            expires_at=now + timedelta(days=7), size_bytes=1, sha256="0" * 64,
        )  # fmt: skip
    folder.open_part(job.pk).close()
    folder.name_whole(job.pk)
    assert expire_exports(runtime=runtime, folder=folder) == 0
    people.done()
    assert expire_exports(runtime=runtime, folder=folder) == 1
    assert ExportJob.objects.get().state == JobState.EXPIRED
