"""Erasures for persons: by two people, whole, resumable, never what is held, and answered."""

import io
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client

from tests.factories import make_attempt
from tests.integration.database.conftest import RESTRICT_VIOLATION, execute, refusal
from tests.integration.database.roles import Roles, acting_as
from tests.integration.erasing.erasures import ask, decide
from tests.integration.ledger.lives import Lives, drain, seal
from tests.integration.reveals.conftest import make_person
from tests.owner import unguarded
from verification.ledger.canonical import parse
from verification.models import (
    Erasure,
    EvidenceKey,
    LedgerEntry,
    SubjectErasure,
    VerificationAttempt,
)
from verification.models.erasure import LegalBasis
from verification.services.errors import (
    BadReasonError,
    ErasureDecidedError,
    ErasurePendingError,
    FourEyesError,
    NothingToEraseError,
    NotPermittedError,
    NotSealedError,
    ServiceError,
)
from verification.services.holding import place_hold
from verification.services.privileges import Kind
from verification.services.register_audit import register_faults
from verification.services.runtime import Runtime
from verification.services.subject_answer import subject_answer
from verification.services.subject_erasing import (
    continue_subject_erasures,
    decide_subject_erasure,
    request_subject_erasure,
)
from verification.services.subject_reports import take_subject_report
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

WHO = "subject-1"
WHY = "the person has asked by letter"
LIST = "/admin/verification/subjecterasure/"
CHILD = Path(__file__).resolve().parents[2] / "faults/subject_child.py"


@dataclass(frozen=True)
class People:
    """Who asks and who decides, with the runtime."""

    olga: User
    anna: User
    runtime: Runtime

    def ask(self, subject: str = WHO, reason: str = WHY) -> SubjectErasure:
        """Ask for an erasure."""
        return request_subject_erasure(
            subject=subject, client_id=None, legal_basis=LegalBasis.SUBJECT_REQUEST,
            reason=reason, by=self.olga, runtime=self.runtime,
        )  # fmt: skip

    def decide(self, row: SubjectErasure, *, approve: bool = True) -> SubjectErasure:
        """Decide on it."""
        return decide_subject_erasure(
            erasure_id=row.pk, approve=approve, by=self.anna, runtime=self.runtime
        )

    def done(self) -> SubjectErasure:
        """Ask, approve and carry out."""
        row = self.decide(self.ask())
        assert not continue_subject_erasures(runtime=self.runtime)
        return SubjectErasure.objects.get(pk=row.pk)


@pytest.fixture
def people(runtime: Runtime, transactional_db: None) -> People:
    return People(make_person("olga", "officer"), make_person("anna", "approver"), runtime)


def outcomes(row: SubjectErasure) -> dict[UUID, str | None]:
    """Return what came of each attempt."""
    return dict(row.items.values_list("attempt_id", "outcome"))


def faults() -> list[str]:
    """Return what the audit finds of registers."""
    connection.ensure_connection()
    return [each.sentence for each in register_faults(connection.connection)]


def hold(attempt_id: UUID, people: "People", *, whole_subject: bool = False) -> None:
    """Place a hold on an attempt, or its subject."""
    place_hold(
        attempt_id=attempt_id, whole_subject=whole_subject, reason="the court has asked",
        by=people.anna, runtime=people.runtime,
    )  # fmt: skip


def files_of(content: bytes) -> dict[str, str]:
    """Return the files of an answer."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_everything_of_a_person_is_erased_but_what_is_held(lives: Lives, people: People) -> None:
    first, second, held = lives.settled(), lives.settled(), lives.settled()
    before = lives.settled()
    decide(ask(before, people.olga, lives.runtime), people.anna, lives.runtime)
    bare = make_attempt("verified", subject=WHO, client=lives.client).pk
    other = lives.submitted("ONB-9", uuid="somebody else")
    hold(held, people)
    row = people.done()
    assert outcomes(row) == {
        first: "erased", second: "erased", held: "held", before: "gone", bare: "nothing",
    }  # fmt: skip
    left = EvidenceKey.objects.exclude(sealed=None).values_list("attempt_id", flat=True)
    assert set(left) == {held, other}
    assert row.finished_at is not None
    assert faults() == []


def test_a_hold_on_the_person_keeps_everything(lives: Lives, people: People) -> None:
    attempts = [lives.settled(), lives.settled()]
    hold(attempts[0], people, whole_subject=True)
    row = people.done()
    assert outcomes(row) == dict.fromkeys(attempts, "held")
    assert not EvidenceKey.objects.filter(sealed=None).exists()


def test_web_and_worker_do_it_with_the_rights_of_their_roles(
    lives: Lives, people: People, roles: Roles
) -> None:
    attempt_id = lives.settled()
    with acting_as(roles[Kind.WEB]):
        take_subject_report(subject=WHO, client_id=None, by=people.anna, runtime=people.runtime)
        row = people.decide(people.ask())
    with acting_as(roles[Kind.WORKER]):
        assert not continue_subject_erasures(runtime=people.runtime)
    assert outcomes(row) == {attempt_id: "erased"}


def test_log_and_records_still_hold(lives: Lives, people: People) -> None:
    for _ in range(2):
        lives.settled()
    hold(lives.settled(), people)
    people.done()
    seal(lives.runtime)
    outcome = verify(runtime=lives.runtime)
    assert outcome.holds, [each.sentence for each in outcome.faults]
    kinds = Counter(LedgerEntry.objects.values_list("kind", flat=True))
    assert (kinds["subject.erased"], kinds["evidence.erased"]) == (1, 2)
    raws = b"".join(bytes(raw) for raw in LedgerEntry.objects.values_list("raw", flat=True))
    assert WHO.encode() not in raws
    for table in ("verification_subject_erasure", "verification_subject_erasure_item"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT string_agg(row::text, '') FROM {table} AS row")
            [[stored]] = cursor.fetchall()
        assert WHO not in stored
    [raw] = LedgerEntry.objects.filter(kind="subject.erased").values_list("raw", flat=True)
    assert parse(bytes(raw))["outcomes"] == {"erased": 2, "held": 1, "gone": 0, "nothing": 0}


def test_the_answer_says_what_is_gone_and_what_is_kept(lives: Lives, people: People) -> None:
    gone, held = lives.settled(), lives.settled()
    hold(held, people)
    row = people.decide(people.ask())
    with pytest.raises(NotSealedError):
        subject_answer(erasure_id=row.pk, runtime=lives.runtime)
    continue_subject_erasures(runtime=lives.runtime)
    seal(lives.runtime)
    files = files_of(subject_answer(erasure_id=row.pk, runtime=lives.runtime))
    certificate = f"certificates/{gone}.txt"
    assert set(files) == {"letter.en.txt", "letter.id.txt", "letter.zh-hans.txt", certificate}
    letter = files["letter.en.txt"]
    lines = letter.splitlines()
    assert "erased" in lines[next(n for n, each in enumerate(lines) if str(gone) in each) + 1]
    assert "legal hold" in lines[next(n for n, each in enumerate(lines) if str(held) in each) + 1]
    assert "The law obliges us" in letter
    created = VerificationAttempt.objects.get(pk=gone).created_at
    assert f"kept until {created.year + 5}" in letter
    assert "对您的删除请求的答复" in files["letter.zh-hans.txt"]
    assert "is over" not in letter
    assert "Jawaban atas permintaan" in files["letter.id.txt"]
    assert WHO not in "".join(files.values())
    assert "CERTIFICATE OF ERASURE" in files[certificate]


def test_nobody_decides_alone_and_nothing_is_decided_twice(lives: Lives, people: People) -> None:
    lives.settled()
    row = people.ask()
    with pytest.raises(ErasurePendingError):
        people.ask()
    with pytest.raises(NotPermittedError):
        decide_subject_erasure(
            erasure_id=row.pk, approve=True, by=people.olga, runtime=people.runtime
        )
    both = make_person("both", "officer", "approver")
    again = request_subject_erasure(
        subject=WHO, client_id=lives.client.pk, legal_basis=LegalBasis.UNLAWFUL, reason=WHY,
        by=both, runtime=people.runtime,
    )  # fmt: skip
    with pytest.raises(FourEyesError):
        decide_subject_erasure(erasure_id=again.pk, approve=True, by=both, runtime=people.runtime)
    people.decide(row, approve=False)
    with pytest.raises(ErasureDecidedError):
        people.decide(row)
    assert not continue_subject_erasures(runtime=people.runtime)
    assert EvidenceKey.objects.filter(sealed=None).count() == 0
    assert faults() == []


@pytest.mark.parametrize(
    ("given", "error"),
    [({"subject": "nobody"}, NothingToEraseError), ({"reason": "short"}, BadReasonError)],
)
def test_what_cannot_be_asked(
    given: dict[str, str], error: type[ServiceError], lives: Lives, people: People
) -> None:
    lives.settled()
    with pytest.raises(error):
        people.ask(**given)
    assert not SubjectErasure.objects.exists()


def test_an_attempt_that_is_being_sent_is_waited_for(lives: Lives, people: People) -> None:
    attempt_id = lives.sending()
    row = people.decide(people.ask())
    assert continue_subject_erasures(runtime=lives.runtime)
    assert outcomes(row) == {attempt_id: None}


def test_who_lost_the_permission_erases_nothing_more(lives: Lives, people: People) -> None:
    lives.settled()
    row = people.decide(people.ask())
    people.anna.groups.clear()
    assert continue_subject_erasures(runtime=lives.runtime)
    assert set(outcomes(row).values()) == {None}
    assert not Erasure.objects.exists()


def test_a_request_about_one_attempt_is_decided_first(lives: Lives, people: People) -> None:
    attempt_id = lives.settled()
    single = ask(attempt_id, people.olga, lives.runtime)
    row = people.decide(people.ask())
    assert continue_subject_erasures(runtime=lives.runtime)
    decide(single, people.anna, lives.runtime, approve=False)
    assert not continue_subject_erasures(runtime=lives.runtime)
    assert outcomes(row) == {attempt_id: "erased"}


def test_killed_anywhere_it_goes_on_and_destroys_each_key_once(
    lives: Lives, people: People
) -> None:
    attempts = {lives.settled() for _ in range(3)}
    row = people.decide(people.ask())
    for deadly in range(3, 200, 11):
        command = [sys.executable, str(CHILD), str(deadly), connection.settings_dict["NAME"]]
        done = subprocess.run(
            command, check=False, cwd=CHILD.parents[2], capture_output=True, timeout=60
        )
        assert done.returncode in {0, -9}, done.stderr.decode()
        if done.returncode == 0:
            break
    else:
        pytest.fail("it was never done")
    assert deadly > 20
    assert outcomes(row) == dict.fromkeys(attempts, "erased")
    assert Erasure.objects.count() == len(attempts)
    seal(lives.runtime)
    assert verify(runtime=lives.runtime).holds


def test_the_database_holds_everybody_to_two_people(lives: Lives, people: People) -> None:
    held, free = lives.settled(), lives.settled()
    hold(held, people)
    row = people.ask()
    table, items = "verification_subject_erasure", "verification_subject_erasure_item"
    approve = f"UPDATE {table} SET decision = 'approved', decided_by_id = %s, decided_at = now()"
    say = f"UPDATE {items} SET outcome = %s, done_at = now() WHERE attempt_id = %s"
    attacks = {
        "approved by who may not": lambda: execute(approve, make_person("x", "auditor").pk),
        "finished at once": lambda: execute(f"UPDATE {table} SET finished_at = now()"),
        "another subject": lambda: execute(f"UPDATE {table} SET subject_digest = sha256('')"),
        "an outcome before": lambda: execute(say, "gone", free),
        "an attempt less": lambda: execute(f"DELETE FROM {items}"),
        "all gone": lambda: execute(f"TRUNCATE verification_record_erasure, {items}, {table}"),
    }
    assert {name: refusal(each) for name, each in attacks.items()} == dict.fromkeys(
        attacks, RESTRICT_VIOLATION
    )
    assert refusal(lambda: execute(approve, people.olga.pk))
    people.decide(row)
    other = make_attempt("verified").pk
    attacks = {
        "said to be gone": lambda: execute(say, "gone", free),
        "said to be held": lambda: execute(say, "held", free),
        "said to be nothing": lambda: execute(say, "nothing", held),
        "finished too early": lambda: execute(f"UPDATE {table} SET finished_at = now()"),
        "decided anew": lambda: execute(approve, people.anna.pk),
        "an attempt more": lambda: execute(
            f"INSERT INTO {items} (erasure_id, attempt_id) VALUES (%s, %s)", row.pk, other
        ),
    }
    assert {name: refusal(each) for name, each in attacks.items()} == dict.fromkeys(
        attacks, RESTRICT_VIOLATION
    )


INSIDERS = {
    "another person": "UPDATE verification_subject_erasure SET subject_digest = sha256('')",
    "another reason": "UPDATE verification_subject_erasure SET reason = 'because I say so'",
    "another decider": "UPDATE verification_subject_erasure SET decided_by_id = requested_by_id"
    " + 1000 - 1000 + (SELECT max(id) FROM auth_user) - requested_by_id",
    "another outcome": "UPDATE verification_subject_erasure_item SET outcome = 'gone',"
    " evidence_erasure_id = NULL",
    "an attempt less": "DELETE FROM verification_subject_erasure_item",
    "not finished": "UPDATE verification_subject_erasure SET finished_at = NULL",
    "never asked": "DELETE FROM verification_subject_erasure_item;"
    " DELETE FROM verification_subject_erasure",
}


@pytest.mark.parametrize("attack", INSIDERS)
def test_the_audit_finds_what_an_owner_changed(attack: str, lives: Lives, people: People) -> None:
    lives.settled()
    people.done()
    make_person("zoe", "approver")
    drain(lives.runtime)
    assert faults() == []
    with unguarded("verification_subject_erasure", "verification_subject_erasure_item"):
        execute(INSIDERS[attack])
    assert [each for each in faults() if "erasure for a person" in each]


def test_the_pages_lead_from_the_request_to_the_answer(lives: Lives, people: People) -> None:
    lives.settled()
    olga, anna = Client(), Client()
    olga.force_login(people.olga)
    anna.force_login(people.anna)
    given = {"subject": WHO, "legal_basis": "subject_request", "reason": WHY}
    empty = olga.post(f"{LIST}request/", {**given, "legal_basis": ""})
    assert empty.status_code == HTTPStatus.BAD_REQUEST
    assert WHY in empty.content.decode()
    assert WHO not in empty.content.decode()
    answer = olga.post(f"{LIST}request/", given)
    address = answer.headers["Location"]
    assert WHO not in address
    assert "somebody else must decide" in olga.get(address).content.decode()
    unsure = anna.post(f"{address}decide/", {"decision": "approve"})
    assert unsure.status_code == HTTPStatus.BAD_REQUEST
    anna.post(f"{address}decide/", {"decision": "approve", "sure": "on"})
    assert "Being carried out" in anna.get(address).content.decode()
    assert anna.get(f"{address}answer/").status_code == HTTPStatus.CONFLICT
    continue_subject_erasures(runtime=lives.runtime)
    seal(lives.runtime)
    assert "Save the answer" in anna.get(address).content.decode()
    saved = anna.get(f"{address}answer/")
    assert saved.headers["Content-Type"] == "application/zip"
    assert "Carried out" in anna.get(LIST).content.decode()


def test_the_command_goes_the_whole_way(
    lives: Lives, people: People, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    lives.settled()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{WHO}\n"))
    call_command("subject_erase", "request", "--basis=unlawful", f"--reason={WHY}", "--by=olga")
    erasure = capsys.readouterr().out.split()[0]
    call_command("subject_erase", "pending")
    assert erasure in capsys.readouterr().out
    call_command("subject_erase", "decide", erasure, "--approve", "--by=anna")
    continue_subject_erasures(runtime=lives.runtime)
    call_command("subject_erase", "status", erasure)
    assert "erased: 1" in capsys.readouterr().out
    seal(lives.runtime)
    output = tmp_path / "answer.zip"
    call_command("subject_erase", "answer", erasure, f"--output={output}")
    assert "letter.en.txt" in files_of(output.read_bytes())
