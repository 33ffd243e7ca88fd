"""For each control: a house in which it holds, and one deed after which it does not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from tests.factories import NOON, erase, make_attempt, make_evidence
from tests.integration.database.conftest import execute
from tests.integration.database.roles import Roles
from tests.owner import unguarded
from verification.identifiers import uuid7
from verification.ledger.canonical import Json, canonical
from verification.models import (
    Erasure,
    EvidenceKey,
    Export,
    LedgerCheckpoint,
    LedgerVerification,
    Reveal,
    RightsSeal,
    RollupPosition,
    VerificationAttempt,
)
from verification.services.privileges import Kind
from verification.services.runtime import Runtime
from verification.services.sealing import key_place
from verification.services.sequencing import tend_log
from verification.services.staging import stage
from verification.vault.envelope import new_key, wrap

SAFE = {
    "DEBUG": False,
    "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 31_536_000,
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
    "SECURE_HSTS_PRELOAD": True,
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
}


@dataclass
class House:
    """What a control is checked in; a deed may change the clock and the settings."""

    runtime: Runtime
    settings: Settings
    roles: Roles
    folder: Path

    def configure(self, **changed: object) -> None:
        """Change settings of the service."""
        conf = replace(self.runtime.conf, **changed)  # type: ignore[arg-type]
        self.runtime = replace(self.runtime, conf=conf)

    def wait(self, span: timedelta) -> None:
        """Let time pass."""
        now = self.runtime.now
        self.runtime = replace(self.runtime, now=lambda: now() + span)


Deed = Callable[[House], None]


@dataclass(frozen=True, slots=True)
class Case:
    """How to make a control hold, how to break it, and what the sentence must name."""

    sound: Deed
    broken: Deed
    named: str


def told(kind: str, **members: Json) -> None:
    """Put an entry on the stage."""
    stage([canonical({"kind": kind, **members})])


def alone(statement: str, *values: object) -> None:
    """Run what only the owner can, past every guard."""
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    with unguarded():
        execute(statement, *values)


def person(name: str) -> User:
    return User.objects.create_superuser(name)


def nothing(_house: House) -> None:
    """Leave all as it is."""


def lift_guard(_house: House) -> None:
    execute("ALTER TABLE verification_reveal DISABLE TRIGGER verification_reveal_guard_rows")


def act_as_web(house: House) -> None:
    house.configure(database_role="web")
    execute(f"SET LOCAL SESSION AUTHORIZATION {house.roles[Kind.WEB].user}")


def give_too_much(house: House) -> None:
    execute("RESET SESSION AUTHORIZATION")
    execute(f"GRANT DELETE ON verification_attempt TO {house.roles[Kind.WEB].user}")
    act_as_web(house)


def verify_once(house: House, result: str = "held", finding: str | None = None) -> None:
    now = house.runtime.now()
    LedgerVerification.objects.create(
        id=uuid7(now),
        started_at=now,
        finished_at=now,
        size=1,
        attempts=0,
        result=result,
        finding=finding,
    )


def find_damage(house: House) -> None:
    verify_once(house, "broken", "the root differs")


def seal_log(house: House) -> None:
    told("test.told")
    tend_log(runtime=house.runtime)


def stop_sealing(house: House) -> None:
    house.wait(timedelta(minutes=3))


def seal_and_anchor(house: House) -> None:
    house.configure(ledger_anchor_file=house.folder / "anchors")
    seal_log(house)


def rewrite_log(_house: House) -> None:
    other = LedgerCheckpoint.objects.get()
    root = bytes(32)
    alone("UPDATE verification_ledger_checkpoint SET root = %s WHERE size = %s", root, other.size)


def accept(_house: House) -> None:
    attempt = make_attempt("verified")
    told("attempt.accepted", attempt=str(attempt.pk))


def lose_attempt(_house: House) -> None:
    attempt = VerificationAttempt.objects.get()
    alone("DELETE FROM verification_attempt WHERE id = %s", attempt.pk)


def reveal(_house: House, *, is_told: bool = True) -> None:
    attempt = make_attempt("verified")
    make_evidence(attempt, "image_best")
    officer = User.objects.get_or_create(username="officer", is_superuser=True)[0]
    row = Reveal.objects.create(
        id=uuid4(),
        attempt=attempt,
        evidence=attempt.evidence.get(),
        kind="image_best",
        officer=officer,
        officer_name="officer",
        purpose="review",
        reason="second look",
        revealed_at=NOON,
    )
    if is_told:
        told("evidence.revealed", reveal=str(row.pk))


def reveal_unseen(house: House) -> None:
    reveal(house, is_told=False)


def export(house: House, *, is_told: bool = True) -> None:
    by = User.objects.get_or_create(username="auditor", is_staff=True, is_superuser=True)[0]
    row = Export.objects.create(
        id=uuid4(), by=by, at=house.runtime.now(), filters={}, rows=0, is_large=False
    )
    if is_told:
        told("export.created", export=str(row.pk), interface="admin")


def export_unseen(house: House) -> None:
    export(house, is_told=False)


def erase_evidence(_house: House) -> None:
    attempt = make_attempt("verified")
    make_evidence(attempt, "image_best")
    erase(attempt, at=NOON + timedelta(days=90))


def destroy_key(_house: House) -> None:
    attempt = make_attempt("verified")
    make_evidence(attempt, "image_best")
    alone(
        "UPDATE verification_evidence_key SET sealed = NULL, erased_at = now() "
        "WHERE attempt_id = %s",
        attempt.pk,
    )


def ask_for_erasure(_house: House) -> None:
    attempt = make_attempt("verified")
    make_evidence(attempt, "image_best")
    Erasure.objects.create(
        id=uuid4(),
        attempt=attempt,
        legal_basis="subject_request",
        reason="asked by letter",
        requested_by=person("asks"),
        requested_at=NOON,
    )


def approve_own(_house: House) -> None:
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("ALTER TABLE verification_erasure DROP CONSTRAINT erasure_four_eyes")
    alone(
        "UPDATE verification_erasure SET decision = 'refused', decided_at = now(), "
        "decided_by_id = requested_by_id"
    )


def seal_rights(_house: House) -> None:
    RightsSeal.objects.create(sealed_at=NOON)


def break_seal(_house: House) -> None:
    alone("DELETE FROM verification_rights_seal")


def ask_for_factor(house: House) -> None:
    house.configure(second_factor=True)


def enter_without_factor(_house: House) -> None:
    person("newcomer")


def forget_guesses(_house: House) -> None:
    execute("CREATE RULE forget AS ON UPDATE TO verification_login_try DO INSTEAD NOTHING")


def stay_long(house: House) -> None:
    house.configure(session_idle_s=7200.0)


def keep_evidence(house: House) -> None:
    attempt = make_attempt("verified")
    wrapped = wrap(house.runtime.conf.keyring, new_key(), key_place(attempt.pk))
    EvidenceKey.objects.create(
        attempt=attempt, kek_id=wrapped.kek_id, sealed=wrapped.sealed, created_at=NOON
    )


def damage_key(_house: House) -> None:
    make_evidence(make_attempt("verified"), "image_best")


def serve_safely(house: House) -> None:
    for name, value in SAFE.items():
        setattr(house.settings, name, value)


def debug(house: House) -> None:
    house.settings.DEBUG = True


def log_loudly(_house: House) -> None:
    execute("SET LOCAL log_error_verbosity = verbose")


def work(house: House) -> None:
    RollupPosition.objects.create(id=1, index=1, counted_at=house.runtime.now())


def stop_working(_house: House) -> None:
    execute("UPDATE verification_rollup_position SET counted_at = now() - interval '11 minutes'")


CASES: Mapping[str, Case] = {
    "guards": Case(nothing, lift_guard, "verification_reveal_guard_rows"),
    "database_role": Case(act_as_web, give_too_much, "DELETE on verification_attempt"),
    "ledger_verified": Case(verify_once, find_damage, "the root differs"),
    "checkpoint_fresh": Case(seal_log, stop_sealing, "The newest checkpoint"),
    "anchored": Case(seal_and_anchor, rewrite_log, "is not in the database"),
    "records_kept": Case(accept, lose_attempt, "tells of 1 attempts"),
    "reveals_on_record": Case(reveal, reveal_unseen, "1 reveals"),
    "exports_on_record": Case(export, export_unseen, "has 1 exports"),
    "erasures_done": Case(erase_evidence, destroy_key, "without an approval: 1"),
    "four_eyes": Case(ask_for_erasure, approve_own, "erasures: 1"),
    "rights_sealed": Case(seal_rights, break_seal, "not sealed"),
    "second_factor": Case(ask_for_factor, enter_without_factor, "without a second factor: 1"),
    "lockout": Case(nothing, forget_guesses, "interferes"),
    "session_limits": Case(nothing, stay_long, "7200 s"),
    "evidence_keys": Case(keep_evidence, damage_key, "do not open: 1"),
    "deployment": Case(serve_safely, debug, "DEBUG"),
    "database_logging": Case(nothing, log_loudly, "log_error_verbosity is verbose"),
    "worker_alive": Case(work, stop_working, "too long ago"),
}


@pytest.fixture
def house(db: None, runtime: Runtime, settings: Settings, roles: Roles, tmp_path: Path) -> House:
    """Return a house in which nothing has happened yet."""
    return House(runtime, settings, roles, tmp_path)
