"""Who has seen what: by subject and by attempt, on a page and as CSV."""

import csv
import io
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from tests.integration.erasing.erasures import ask, decide
from tests.integration.ledger.lives import Lives, drain
from tests.integration.reveals.conftest import make_person
from verification.models import Evidence, LedgerEntry
from verification.models.reveal import Purpose
from verification.selectors.access import CSV_COLUMNS, access_csv, access_events
from verification.services.errors import RevealLimitError
from verification.services.reveals import reveal
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

FORMULA = "=HYPERLINK(1) is the reason"
EVERYTHING = [
    "evidence.revealed",
    "evidence.reveal_refused",
    "evidence.erasure_requested",
    "evidence.erasure_refused",
    "evidence.erasure_requested",
    "evidence.erased",
]


def _history(attempt_id: UUID, officer: User, runtime: Runtime) -> None:
    """Let everything happen to the evidence of an attempt that can."""
    image = Evidence.objects.get(attempt_id=attempt_id, kind="image_best")
    few = replace(runtime, conf=replace(runtime.conf, reveals_per_hour=1))
    for _ in range(2):
        try:
            reveal(
                evidence_id=image.pk,
                officer=officer,
                purpose=Purpose.FRAUD,
                reason=FORMULA,
                runtime=few,
            )
        except RevealLimitError:
            continue
    approver = make_person("anna", "approver")
    decide(ask(attempt_id, officer, runtime), approver, runtime, approve=False)
    decide(ask(attempt_id, officer, runtime), approver, runtime)


def test_events_are_told_in_their_order_before_and_after_the_log_has_them(
    lives: Lives, officer: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted("ONB-1", uuid="subject-9")
    lives.submitted("ONB-2", uuid="subject-8")
    _history(attempt_id, officer, runtime)
    early = access_events(subject="subject-9")
    assert [each.what for each in early] == EVERYTHING
    assert {each.index for each in early} == {None}
    drain(runtime)
    events = access_events(subject="subject-9")
    assert [each.what for each in events] == EVERYTHING
    for each in events:
        assert each.index is not None
        entry = LedgerEntry.objects.get(pk=each.index)
        assert (entry.kind, entry.attempt_id) == (each.what, attempt_id)
    assert [each.who for each in events] == ["olga", "olga", "olga", "anna", "olga", "anna"]
    assert {each.biz_no for each in events} == {"ONB-1"}
    assert access_events(attempt_id=attempt_id) == events


def test_only_what_matches_all_that_is_given_is_told(
    lives: Lives, officer: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted("ONB-1", uuid="subject-9")
    _history(attempt_id, officer, runtime)
    assert access_events() == []
    assert access_events(subject="subject") == []
    assert access_events(subject="subject-8", attempt_id=attempt_id) == []
    assert len(access_events(subject="subject-9", attempt_id=attempt_id)) == len(EVERYTHING)


def test_the_csv_is_neutralised_and_whole(
    lives: Lives, officer: User, runtime: Runtime, tmp_path: Path
) -> None:
    attempt_id = lives.submitted("+1+1", uuid="subject-9")
    _history(attempt_id, officer, runtime)
    drain(runtime)
    file = tmp_path / "access.csv"
    call_command("access_report", subject="subject-9", output=file)
    assert file.stat().st_mode & 0o777 == 0o600
    content = file.read_bytes()
    assert content == access_csv(access_events(subject="subject-9"))
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["what"] for row in rows] == EVERYTHING
    assert rows[0]["reason"] == f"'{FORMULA}"
    assert rows[0]["biz_no"] == "'+1+1"
    assert rows[0]["when"].endswith("Z")
    assert rows[0]["attempt"] == str(attempt_id)
    with pytest.raises(CommandError, match="exists"):
        call_command("access_report", subject="subject-9", output=file)


def test_the_command_needs_to_know_whose(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with pytest.raises(CommandError, match="--subject"):
        call_command("access_report")
    call_command("access_report", subject="nobody")
    assert capfdbinary.readouterr().out == ",".join(CSV_COLUMNS).encode() + b"\n"


PAGE = "/admin/verification/reveal/"


@pytest.mark.parametrize("role", ["officer", "approver", "auditor"])
def test_each_role_reads_who_has_seen_what(
    role: str, lives: Lives, officer: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted("ONB-1", uuid="subject-9")
    _history(attempt_id, officer, runtime)
    drain(runtime)
    browser = Client()
    browser.force_login(make_person("reader", role))
    for page in (
        f"{PAGE}?subject=subject-9",
        f"{PAGE}?attempt={attempt_id}",
        f"/admin/verification/verificationattempt/{attempt_id}/",
    ):
        answer = browser.get(page)
        assert answer.status_code == HTTPStatus.OK
        text = answer.content.decode()
        for said in ("Revealed", "Refused: over the limit", "Erasure requested", "Erased", "olga"):
            assert said in text, (page, said)
    assert "Nobody has seen anything" in browser.get(f"{PAGE}?subject=x").content.decode()
    assert "Whose evidence?" in browser.get(PAGE).content.decode()


@pytest.mark.parametrize("query", ["attempt=x", "subject=a%00b", f"subject={'x' * 129}"])
def test_what_is_not_understood_is_marked(query: str, officer: User) -> None:
    browser = Client()
    browser.force_login(officer)
    answer = browser.get(f"{PAGE}?{query}")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "That is not understood" in answer.content.decode()


def test_a_stranger_learns_nothing(officer: User) -> None:
    browser = Client()
    browser.force_login(make_person("stranger"))
    assert browser.get(f"{PAGE}?subject=x").status_code == HTTPStatus.FORBIDDEN
    browser.force_login(officer)
    assert browser.post(PAGE).status_code == HTTPStatus.METHOD_NOT_ALLOWED
