"""Texts of records whose time is over go in a run of their own, and nothing else does."""

from collections.abc import Callable
from functools import partial
from html import unescape
from pathlib import Path
from uuid import UUID

import pytest
from django.db import Error
from django.test import Client

from tests.integration.database.conftest import RESTRICT_VIOLATION, execute, refusal
from tests.integration.database.roles import Roles, acting_as
from tests.integration.desk.waiting import decide_all
from tests.integration.exports.test_bundle import checked, made
from tests.integration.ledger.lives import Lives, ahead, attempt, seal
from tests.integration.retention.runs import (
    REASON,
    People,
    approved,
    entries,
    finished,
    hold,
    rule,
)
from tests.integration.retention.test_pages import RUN, command, enter, post, read
from tests.integration.subjects.test_record_erasure import (
    CANARIES,
    TEXTS,
    YEARS,
    closed,
    faults,
    lives_of,
    places,
    told,
)
from tests.owner import unguarded
from verification.models import ApiClient, RecordErasure, RetentionRule, RetentionRun, Review
from verification.models.attempt import ERASED_COLUMNS
from verification.models.retention import RUN_REQUESTED, Kept
from verification.models.subject import RECORD_ERASED
from verification.selectors.due import preview_of
from verification.selectors.export_columns import COLUMNS
from verification.selectors.export_form import FileForm, choose_columns
from verification.services.errors import BadRuleError, NothingDueError, RulesChangedError
from verification.services.expiring import continue_runs
from verification.services.faults import FaultCode
from verification.services.privileges import Kind
from verification.services.retention import decide_run, request_run
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

RECORD = Kept.RECORD.value


@pytest.fixture
def old(client_app: ApiClient, runtime: Runtime) -> Lives:
    """Return what led lives of more than five years ago."""
    return lives_of(client_app, ahead(runtime, -YEARS))


@pytest.fixture
def recent(client_app: ApiClient, runtime: Runtime) -> Lives:
    """Return what led lives of less than five years ago, whose evidence is due."""
    return lives_of(client_app, ahead(runtime, -1_800 * 86_400))


def test_records_go_when_their_evidence_has_gone_and_the_log_still_holds(
    old: Lives, people: People, runtime: Runtime
) -> None:
    attempt_id, other, unsent = told(old), closed(old), old.reaped_unsent()
    seal(old.runtime)
    decide_all(people.officer, people.approver, runtime)
    preview = preview_of(runtime.now(), RECORD)
    assert (preview.due, preview.expiring, preview.waiting) == (2, 2, 1)
    finished(people, runtime)
    preview = preview_of(runtime.now(), RECORD)
    assert (preview.due, preview.expiring, preview.waiting) == (3, 3, 0)
    assert [(each.kind, each.region, each.count) for each in preview.items] == [
        ("record", "sandbox", 3)
    ]
    assert set(places(*CANARIES)) == set(TEXTS)
    run = finished(people, runtime, RECORD)
    assert places(*CANARIES) == {}
    assert (run.state, run.seen, run.expired, run.held, run.doubtful) == ("done", 3, 3, 0, 0)
    assert {each.attempt_id: each.run_id for each in RecordErasure.objects.all()} == {
        attempt_id: run.pk, other: run.pk, unsent: run.pk,
    }  # fmt: skip
    said = entries(RECORD_ERASED)
    assert {each["attempt"] for each in said} == {str(attempt_id), str(other), str(unsent)}
    assert {(each["run"], "request" in each) for each in said} == {(str(run.pk), False)}
    assert [each["what"] for each in entries(RUN_REQUESTED)] == ["evidence", "record"]
    seal(runtime)
    # Clients and people of these tests were made now, in a log of five years ago.
    assert {each.code for each in verify(runtime=runtime).faults} <= {FaultCode.TIME}
    left = attempt(attempt_id)
    assert (left.state, left.result_code, left.outcome) == ("answered", 1000, "verified")
    assert {getattr(left, name) for name in ERASED_COLUMNS} == {None}
    with pytest.raises(NothingDueError):
        request_run(what=RECORD, reason=REASON, by=people.approver, runtime=runtime)


def test_what_is_young_held_in_doubt_or_in_review_stays(
    old: Lives, recent: Lives, people: People, runtime: Runtime
) -> None:
    due, held, doubtful = old.reaped_unsent(), old.reaped_unsent(), old.in_doubt()
    young, waiting = recent.reaped_unsent(), closed(old)
    hold(held, people.officer, runtime)
    assert Review.objects.filter(pk=waiting, state="open").exists()
    preview = preview_of(runtime.now(), RECORD)
    assert (preview.due, preview.expiring, preview.held, preview.doubtful) == (4, 1, 1, 2)
    run = finished(people, runtime, RECORD)
    assert (run.state, run.seen, run.expired, run.held, run.doubtful) == ("done", 4, 1, 1, 2)
    assert set(RecordErasure.objects.values_list("pk", flat=True)) == {due}
    for each in (held, doubtful, young, waiting):
        assert attempt(each).subject is not None


def test_a_run_goes_on_where_the_last_page_ended_and_can_be_stopped_by_a_rule(
    old: Lives, people: People, runtime: Runtime
) -> None:
    due = [old.reaped_unsent() for _ in range(5)]
    run = approved(people, runtime, RECORD)
    steps = []
    for _ in range(2):
        assert continue_runs(runtime=runtime, slice_s=0, page_size=2)
        run.refresh_from_db()
        steps.append((run.state, run.expired))
    assert steps == [("running", 2), ("running", 4)]
    rule(people, runtime, 3_000, what=RECORD)
    assert not continue_runs(runtime=runtime, slice_s=0, page_size=2)
    run.refresh_from_db()
    assert (run.state, run.finished_by) == ("cancelled", None)
    assert RecordErasure.objects.count() == 4
    assert attempt(max(due)).subject is not None


def test_a_request_of_another_kind_and_an_approval_of_old_figures_are_refused(
    old: Lives, people: People, runtime: Runtime
) -> None:
    old.reaped_unsent()
    with pytest.raises(BadRuleError):
        request_run(what="reviews", reason=REASON, by=people.approver, runtime=runtime)
    run = request_run(what=RECORD, reason=REASON, by=people.approver, runtime=runtime)
    rule(people, runtime, 2_000, what=RECORD, region="sgp")
    with pytest.raises(RulesChangedError):
        decide_run(run_id=run.pk, approve=True, by=people.second, runtime=runtime)


def on_record(attempt_id: UUID, run: RetentionRun | None, runtime: Runtime) -> None:
    """Put on record by hand that the texts of an attempt were erased in a run."""
    newest = RetentionRule.objects.filter(what=RECORD).latest("recorded_at")
    RecordErasure.objects.create(
        attempt_id=attempt_id, run=run, rule=newest, erased_at=runtime.now()
    )


def test_nobody_erases_texts_past_the_guards(
    old: Lives, recent: Lives, people: People, runtime: Runtime
) -> None:
    due, held = old.reaped_unsent(), old.reaped_unsent()
    doubtful, with_key = old.in_doubt(), told(old)
    young = recent.reaped_unsent()
    hold(held, people.officer, runtime)
    asked = request_run(what=RECORD, reason=REASON, by=people.approver, runtime=runtime)
    assert refusal(lambda: on_record(due, asked, runtime)) == RESTRICT_VIOLATION, "not approved"
    decide_run(run_id=asked.pk, approve=True, by=people.second, runtime=runtime)
    assert refusal(lambda: on_record(due, asked, runtime)) == RESTRICT_VIOLATION, "not begun"
    execute("UPDATE verification_retention_run SET state = 'running', started_at = now()")
    assert refusal(lambda: on_record(due, asked, runtime)) == ""
    for attempt_id in (held, doubtful, with_key, young):
        code = refusal(partial(on_record, attempt_id, asked, runtime))
        assert code == RESTRICT_VIOLATION, attempt_id
    assert refusal(lambda: on_record(due, None, runtime)) != "", "no agreement at all"
    for change in ("what = 'evidence'", "preview = '{}'"):
        with pytest.raises(Error, match="fixed"):
            execute(f"UPDATE verification_retention_run SET {change}")
    with unguarded("verification_retention_run"):
        execute("UPDATE verification_retention_run SET what = 'evidence'")
    assert refusal(lambda: on_record(due, asked, runtime)) == RESTRICT_VIOLATION, "for evidence"
    with unguarded("verification_retention_run"):
        execute("UPDATE verification_retention_run SET what = 'record'")
    rule(people, runtime, 1_900, what=RECORD, region="sgp")
    assert refusal(lambda: on_record(due, asked, runtime)) == RESTRICT_VIOLATION, "other rules"


def test_a_run_for_records_destroys_no_key(old: Lives, people: People, runtime: Runtime) -> None:
    attempt_id = told(old)
    old.reaped_unsent()
    run = approved(people, runtime, RECORD)
    execute("UPDATE verification_retention_run SET state = 'running', started_at = now()")
    evidence = RetentionRule.objects.get(what="evidence")
    with pytest.raises(Error, match="approved"):
        execute(
            "INSERT INTO verification_expiry (attempt_id, run_id, rule_id, expired_at)"
            f" VALUES ('{attempt_id}', '{run.pk}', '{evidence.pk}', now())"
        )


def test_what_an_insider_did_shows(old: Lives, people: People, runtime: Runtime) -> None:
    attempt_id = told(old)
    seal(old.runtime)
    decide_all(people.officer, people.approver, runtime)
    of_evidence = finished(people, runtime)
    run = finished(people, runtime, RECORD)
    seal(runtime)
    assert faults(attempt_id, runtime) == []
    table = "verification_record_erasure"
    lies: dict[str, Callable[[], None]] = {
        "erasure_differs": lambda: execute(f"UPDATE {table} SET run_id = '{of_evidence.pk}'"),
        "four_eyes": lambda: execute("UPDATE verification_retention_run SET what = 'evidence'"),
    }
    for code, lie in lies.items():
        with unguarded():
            lie()
        assert code in faults(attempt_id, runtime)
        found = " / ".join(str(each) for each in verify(runtime=runtime).faults)
        assert f"run {run.pk}" in found, code
        with unguarded():
            execute(f"UPDATE {table} SET run_id = '{run.pk}'")
            RetentionRun.objects.filter(pk=run.pk).update(what=RECORD)
    assert faults(attempt_id, runtime) == []


def test_a_run_from_before_runs_said_what_they_are_about_still_holds(
    old: Lives, people: People, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(old)
    seal(old.runtime)
    from verification.ledger.canonical import canonical, parse  # noqa: PLC0415
    from verification.services import retention, retention_entries  # noqa: PLC0415

    def without(row: RetentionRun, *, by: str) -> bytes:
        said = parse(retention_entries.requested_entry(row, by=by))
        return canonical({name: each for name, each in said.items() if name != "what"})

    monkeypatch.setattr(retention, "requested_entry", without)
    run = finished(people, runtime)
    seal(runtime)
    assert {each.code for each in verify(runtime=runtime).faults} <= {FaultCode.TIME}
    with unguarded("verification_retention_run"):
        execute("UPDATE verification_retention_run SET what = 'record'")
    found = " / ".join(str(each) for each in verify(runtime=runtime).faults)
    assert f"run {run.pk} differs from what was recorded: what" in found


def test_web_asks_and_the_worker_erases(
    old: Lives, people: People, runtime: Runtime, roles: Roles
) -> None:
    told(old)
    decide_all(people.officer, people.approver, runtime)
    with acting_as(roles[Kind.WEB]):
        finished_by_web = approved(people, runtime)
    with acting_as(roles[Kind.WORKER]):
        assert not continue_runs(runtime=runtime)
    with acting_as(roles[Kind.WEB]):
        run = approved(people, runtime, RECORD)
    with acting_as(roles[Kind.WORKER]):
        assert not continue_runs(runtime=runtime)
    for each in (finished_by_web, run):
        each.refresh_from_db()
        assert (each.state, each.expired) == ("done", 1)
    assert places(*CANARIES) == {}


def test_a_bundle_shows_that_they_went(
    old: Lives, people: People, runtime: Runtime, tmp_path: Path
) -> None:
    told(old)
    decide_all(people.officer, people.approver, runtime)
    finished(people, runtime)
    finished(people, runtime, RECORD)
    lives_of(old.client, runtime).settled()
    seal(runtime)
    form = FileForm(columns=choose_columns(tuple(each.name for each in COLUMNS)))
    code, said = checked(made(old, form=form), tmp_path / "whole.zip")
    assert code == 0, said
    assert "1 rows whose texts were erased" in said


def text_of(browser: Client, path: str) -> str:
    """Return a page's text."""
    return unescape(browser.get(path).content.decode())


def test_two_people_and_the_worker_make_a_run_in_the_admin(
    old: Lives, people: People, runtime: Runtime
) -> None:
    told(old)
    decide_all(people.officer, people.approver, runtime)
    first, other = enter(people.approver), enter(people.administrator)
    due = "/admin/verification/retentionrun/due/?what=record"
    assert "1 more record is old enough" in text_of(first, due)
    assert "its evidence can still be opened" in text_of(first, due)
    refused = post(first, RUN["request"], what=RECORD, reason=REASON)
    assert "Nothing is due" in unescape(refused.content.decode())
    finished(people, runtime)
    assert "Records that would expire" in text_of(first, due)
    assert post(first, RUN["request"], what="x", reason=REASON).status_code == 400
    post(first, RUN["request"], what=RECORD, reason=REASON)
    run = RetentionRun.objects.get(what=RECORD)
    said = read(other, RUN["change"], run.pk)
    assert "what tells of the person will be gone for ever" in said
    assert post(other, RUN["decide"], run.pk, decision="approve").status_code == 400
    post(other, RUN["decide"], run.pk, decision="approve", sure="on")
    continue_runs(runtime=runtime)
    assert "Done" in read(other, RUN["change"], run.pk)
    listed = text_of(other, "/admin/verification/retentionrun/")
    assert "Records</td>" in listed


def test_the_command_does_the_same(old: Lives, people: People, runtime: Runtime) -> None:
    told(old)
    decide_all(people.officer, people.approver, runtime)
    said = command("--preview", "--what", RECORD)
    assert "0 attempts are due" in said
    assert "1 more wait until their evidence has expired." in said
    finished(people, runtime)
    assert " sandbox record 1\n" in command("--preview", "--what", RECORD)
    asked = command("--request", "--what", RECORD, "--by", "anna", "--reason", REASON)
    assert "asked for: 1 attempts" in asked
    command("--approve", str(RetentionRun.objects.get(state="asked").pk), "--by", "bela")
    continue_runs(runtime=runtime)
    assert "record done: 1 of 1; expired 1" in command("--status")
