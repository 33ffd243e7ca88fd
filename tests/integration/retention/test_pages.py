"""The pages of retention: rules, what is due, runs by two people, holds on an attempt's page."""

from html import unescape
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from tests.integration.ledger.lives import IN_DOUBT, Lives
from tests.integration.retention.runs import REASON, People, approved, hold
from verification.models import EvidenceKey, LegalHold, RetentionRule, RetentionRun
from verification.services.expiring import continue_runs
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:verification_retentionrun_changelist"
RUN = {name: f"admin:verification_retentionrun_{name}" for name in (
    "change", "due", "rule", "request", "decide", "cancel",
)}  # fmt: skip
HOLD = {name: f"admin:verification_legalhold_{name}" for name in (
    "change", "changelist", "place", "lift",
)}  # fmt: skip


def enter(person: User) -> Client:
    """Return a browser in which somebody has just logged in."""
    browser = Client()
    browser.force_login(person)
    return browser


def read(browser: Client, name: str, *args: Any) -> str:
    """Return a page's text."""
    answer = browser.get(reverse(name, args=args))
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def post(browser: Client, name: str, *args: Any, **form: str) -> Any:
    """Post a form."""
    return browser.post(reverse(name, args=args), form, follow=True)


def test_an_administrator_sets_a_rule_and_sees_what_was_refused(people: People) -> None:
    browser = enter(people.administrator)
    assert "the installation" in read(browser, LIST)
    given = {"what": "record", "days": "100", "note": "as the board decided"}
    answer = post(browser, RUN["rule"], **given)
    assert answer.status_code == 400
    said = unescape(answer.content.decode())
    assert "Give 1,826 to 36,525 days." in said
    assert 'value="100"' in said
    assert post(browser, RUN["rule"], **{**given, "what": "evidence"}).status_code == 200
    assert RetentionRule.objects.get(days=100).recorded_by == people.administrator
    assert "replaced since" in read(browser, LIST)


def test_two_people_and_the_worker_make_a_run(old: Lives, people: People, runtime: Runtime) -> None:
    due, _doubtful = old.settled(), old.settled(IN_DOUBT)
    first, second = enter(people.approver), enter(people.administrator)
    assert "Would expire" in read(first, RUN["due"])
    post(first, RUN["request"], reason=REASON)
    run = RetentionRun.objects.get()
    assert "somebody else must decide" in read(first, RUN["change"], run.pk)
    assert "waits or works already" in read(first, RUN["due"])
    assert post(first, RUN["decide"], run.pk, decision="approve", sure="on").status_code == 409
    assert post(second, RUN["decide"], run.pk, decision="approve").status_code == 400
    said = post(second, RUN["decide"], run.pk, decision="approve", sure="on")
    assert "the worker begins" in unescape(said.content.decode())
    assert "Look again" in read(second, RUN["change"], run.pk)
    continue_runs(runtime=runtime)
    assert EvidenceKey.objects.get(sealed=None).pk == due
    assert "Done" in read(second, RUN["change"], run.pk)
    assert post(second, RUN["cancel"], run.pk).status_code == 409
    assert "Nothing is due" not in read(second, RUN["due"])


def test_a_run_is_cancelled_by_a_button(old: Lives, people: People, runtime: Runtime) -> None:
    old.settled()
    run = approved(people, runtime)
    assert "Cancel the run" in read(enter(people.second), RUN["change"], run.pk)
    assert "Cancel the run" not in read(enter(people.officer), RUN["change"], run.pk)
    post(enter(people.second), RUN["cancel"], run.pk)
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert post(enter(people.second), RUN["cancel"], uuid4()).status_code == 404


def test_a_hold_is_placed_on_the_page_of_an_attempt_and_lifted_by_another(
    lives: Lives, people: People
) -> None:
    attempt_id = lives.submitted("ONB-1", uuid="Zo\u00eb")
    page = "admin:verification_verificationattempt_change"
    officer, approver = enter(people.officer), enter(people.approver)
    assert "Place a hold" in read(officer, page, attempt_id)
    answer = post(officer, HOLD["place"], attempt_id, scope="all", reason="for the court")
    assert answer.status_code == 400
    post(officer, HOLD["place"], attempt_id, scope="subject", reason="for the court")
    row = LegalHold.objects.get()
    said = read(approver, page, attempt_id)
    assert "All evidence of this subject is under a legal hold" in said
    assert "for the court" in said
    assert "olga" in said
    assert "this attempt</option>" in said
    assert "those to come too" not in said
    assert "for the court" in read(approver, HOLD["changelist"])
    assert "somebody else must lift it" in read(officer, HOLD["change"], row.pk)
    assert post(officer, HOLD["lift"], row.pk, reason="not needed more").status_code == 409
    assert post(approver, HOLD["lift"], row.pk, reason="not needed more").status_code == 200
    assert "not needed more" in read(officer, HOLD["change"], row.pk)
    assert "Lifted by" in read(officer, HOLD["changelist"])
    assert "under a legal hold" not in read(approver, page, attempt_id)


def test_who_may_not_see_holds_sees_none(lives: Lives, people: People, runtime: Runtime) -> None:
    attempt_id = lives.settled()
    hold(attempt_id, people.officer, runtime)
    engineer = User.objects.create_user("emil", is_staff=True)
    engineer.groups.add(*people.officer.groups.model.objects.filter(name="engineer"))
    page = "admin:verification_verificationattempt_change"
    assert "Legal hold" not in read(enter(engineer), page, attempt_id)
    said = read(enter(people.administrator), page, attempt_id)
    assert "under a legal hold" in said
    assert "Place a hold" not in said


def command(*arguments: str) -> str:
    """Run `evidence_purge` and return what it says."""
    out = StringIO()
    call_command("evidence_purge", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_does_the_same(old: Lives, people: People, runtime: Runtime) -> None:
    old.settled()
    said = command("--preview")
    assert "1 attempts are due: 1 would expire, 0 are held, 0 are in doubt." in said
    assert " sandbox image_best 1\n" in said
    assert '"expiring": 1' in command("--preview", "--json")
    with pytest.raises(CommandError, match="needs --reason"):
        command("--request", "--by", "anna")
    with pytest.raises(CommandError, match="no account"):
        command("--request", "--by", "nobody", "--reason", REASON)
    assert "asked for: 1 attempts" in command("--request", "--by", "anna", "--reason", REASON)
    run = str(RetentionRun.objects.get().pk)
    with pytest.raises(CommandError, match="somebody else must decide"):
        command("--approve", run, "--by", "anna")
    assert "approved" in command("--approve", run, "--by", "bela")
    continue_runs(runtime=runtime)
    assert f"{run} " in command("--status")
    assert "done: 1 of 1; expired 1, held 0, in doubt 0" in command("--status")
    with pytest.raises(CommandError, match="has ended"):
        command("--cancel", run, "--by", "bela")
    old.settled()
    command("--request", "--by", "anna", "--reason", REASON)
    other = str(RetentionRun.objects.get(state="asked").pk)
    assert "refused" in command("--refuse", other, "--by", "bela")
