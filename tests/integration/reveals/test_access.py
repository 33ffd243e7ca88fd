"""Who has seen what: by subject and by attempt, on a page and as CSV."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from tests.integration.database.roles import owner
from tests.integration.erasing.erasures import ask, decide
from tests.integration.ledger.lives import Lives, drain
from tests.integration.reveals.conftest import make_person
from tests.owner import unguarded
from verification.ledger.canonical import Json, canonical
from verification.models import Evidence, LedgerEntry
from verification.models.reveal import REVEAL_REFUSED, REVEALED, Purpose
from verification.selectors.access import CSV_COLUMNS, access_csv, access_events
from verification.services.errors import RevealLimitError
from verification.services.reveals import reveal
from verification.services.runtime import Runtime
from verification.services.staging import stage

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


IMITATIONS: dict[str, Callable[[str], dict[str, Json]]] = {
    "bare": lambda _: {"kind": REVEAL_REFUSED},
    "no time": lambda _: {"kind": REVEAL_REFUSED, "at": "x", "by": ["olga"], "item": 7},
    "a time of no zone": lambda _: {"kind": REVEAL_REFUSED, "at": "2026-01-01T00:00:00"},
    "a time of year one": lambda _: {"kind": REVEAL_REFUSED, "at": "0001-01-01T00:00:00.000000Z"},
    "lists": lambda attempt_id: {"kind": ["evidence.revealed"], "attempt": [attempt_id]},
    "a list of an attempt": lambda attempt_id: {"kind": REVEALED, "attempt": [attempt_id]},
    "an object of a reveal": lambda _: {"kind": REVEALED, "reveal": {"a": 1}},
    "a list of an erasure": lambda _: {"kind": "evidence.erased", "erasure": [1]},
}
"""What somebody may stage that only looks like an entry of ours."""


@pytest.mark.parametrize("imitation", IMITATIONS)
def test_what_only_looks_like_an_entry_hides_no_event(
    imitation: str, lives: Lives, officer: User, runtime: Runtime
) -> None:
    attempt_id = lives.settled()
    _history(attempt_id, officer, runtime)
    drain(runtime)
    before = access_events(attempt_id=attempt_id)
    entry = {"attempt": str(attempt_id), **IMITATIONS[imitation](str(attempt_id))}
    stage([canonical(entry)])
    browser = Client(raise_request_exception=False)
    browser.force_login(officer)
    for _ in ("staged", "in the log"):
        after = access_events(attempt_id=attempt_id)
        assert [each for each in after if each in before] == before
        assert access_csv(after)
        for page in (f"reveal/?attempt={attempt_id}", f"verificationattempt/{attempt_id}/"):
            assert browser.get(f"/admin/verification/{page}").status_code == HTTPStatus.OK
        drain(runtime)


def test_who_was_renamed_is_told_under_both_names(
    lives: Lives, officer: User, runtime: Runtime
) -> None:
    """Two accounts that take each other's name do not take each other's deeds."""
    attempt_id = lives.settled()
    _history(attempt_id, officer, runtime)
    User.objects.filter(username="olga").update(username="nobody")
    User.objects.filter(username="anna").update(username="olga")
    User.objects.filter(username="nobody").update(username="anna")
    for _ in ("staged", "in the log"):
        asked, decided = "olga (now anna)", "anna (now olga)"
        assert [each.who for each in access_events(attempt_id=attempt_id)] == [
            "olga", "olga", asked, decided, asked, decided
        ]  # fmt: skip
        drain(runtime)


def test_a_copy_of_an_entry_does_not_take_its_place(
    lives: Lives, officer: User, runtime: Runtime
) -> None:
    attempt_id = lives.settled()
    _history(attempt_id, officer, runtime)
    drain(runtime)
    before = access_events(attempt_id=attempt_id)
    stage(bytes(each.raw) for each in LedgerEntry.objects.filter(kind=REVEALED))
    assert access_events(attempt_id=attempt_id) == before
    drain(runtime)
    assert access_events(attempt_id=attempt_id) == before


@pytest.mark.parametrize("damage", [{"raw": b"\xff"}, {"raw": b"{}"}, {"raw": b'{"a":1}'}])
def test_a_damaged_entry_hides_no_event(
    damage: dict[str, Any], lives: Lives, officer: User, runtime: Runtime
) -> None:
    attempt_id = lives.settled()
    _history(attempt_id, officer, runtime)
    drain(runtime)
    with unguarded():
        LedgerEntry.objects.update(**damage)
        owner("UPDATE verification_ledger_entry SET sequenced_at = 'infinity'")
    events = access_events(attempt_id=attempt_id)
    assert sorted(each.what for each in events) == sorted(EVERYTHING)
    [refused] = [each for each in events if each.what == REVEAL_REFUSED]
    assert refused.who == "(cannot be read)"
    assert refused.index is not None


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
