"""What an insider may try beside the columns that an entry repeats: each is found and named."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from tests.integration.ledger.insider import sql
from tests.integration.ledger.lives import Lives, seal, someone
from tests.owner import unguarded
from verification.ledger.canonical import canonical
from verification.models import LedgerEntry, Reveal
from verification.selectors.guard_state import watchers
from verification.services.faults import Fault, FaultCode
from verification.services.runtime import Runtime
from verification.services.staging import stage
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)


def change(statement: str, *values: object) -> None:
    """Change what is stored as the owner does, with every guard and watcher off."""
    with unguarded(), unguarded(*watchers()):
        sql(statement, *values)


@contextmanager
def without(table: str, *constraints: str) -> Iterator[None]:
    """Take constraints away; then empty the records and put them back as they were."""
    shapes = {}
    for name in constraints:
        ((shapes[name],),) = sql(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conname = %s AND conrelid = %s::regclass",
            *(name, table),
        )
        sql(f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE")
    try:
        yield
    finally:
        change(f"TRUNCATE {table} CASCADE")
        for name, shape in shapes.items():
            sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {shape}")


def found(runtime: Runtime) -> Fault:
    """Return the first fault."""
    faults = verify(runtime=runtime).faults
    assert faults
    return faults[0]


class TestALateAnswer:
    """A late answer overwrites the settlement's columns; what it leaves must not slip away."""

    @pytest.fixture
    def attempt(self, lives: Lives, runtime: Runtime) -> UUID:
        made = lives.read_again()
        seal(runtime)
        assert verify(runtime=runtime).faults == ()
        return made

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM verification_evidence WHERE attempt_id = %s AND kind = 'raw_answer'",
            (
                "UPDATE verification_evidence SET sha256 = sha256('x')"
                " WHERE attempt_id = %s AND kind = 'raw_answer'"
            ),
            (
                "INSERT INTO verification_evidence"
                " (id, attempt_id, kind, size_bytes, sha256, sealed, created_at)"
                " SELECT gen_random_uuid(), attempt_id, 'image_extra', size_bytes, sha256, sealed,"
                " created_at FROM verification_evidence"
                " WHERE attempt_id = %s AND kind = 'raw_answer'"
            ),
        ],
        ids=["gone", "another", "added"],
    )
    def test_the_evidence_it_was_read_from_is_held(
        self, statement: str, attempt: UUID, runtime: Runtime
    ) -> None:
        change(statement, attempt)
        assert found(runtime).code == FaultCode.EVIDENCE

    @pytest.mark.parametrize(
        "assignment",
        ["send_no = 7", "sent_at = sent_at - interval '1 hour'", "settled_at = now()"],
    )
    def test_the_send_is_held(self, assignment: str, attempt: UUID, runtime: Runtime) -> None:
        change(f"UPDATE verification_attempt SET {assignment} WHERE id = %s", attempt)
        fault = found(runtime)
        assert (fault.code, fault.attempt_id) == (FaultCode.ROW, attempt)
        assert assignment.split(maxsplit=1)[0] in fault.sentence

    def test_after_an_earlier_send_it_holds(self, lives: Lives, runtime: Runtime) -> None:
        lives.sent_again_late()
        seal(runtime)
        assert verify(runtime=runtime).faults == ()


@pytest.fixture
def answered(lives: Lives, runtime: Runtime) -> UUID:
    """Return a sealed attempt that was answered, beside one that was revealed."""
    made = lives.submitted("ONB-1", verbose="1", device_risk="1")
    lives.revealed()
    seal(runtime)
    assert verify(runtime=runtime).faults == ()
    return made


@pytest.mark.parametrize(
    "time",
    [
        "settled_at = 'infinity'",
        "reconciled_at = 'infinity'",
        "reconciled_at = '-infinity'",
        "created_at = '-infinity'",
        (
            "created_at = (to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
            " || '+00 BC')::timestamptz"
        ),
        "sent_at = 'infinity'",
    ],
)
def test_a_time_that_no_entry_can_have_is_found(
    time: str, answered: UUID, runtime: Runtime
) -> None:
    change(f"UPDATE verification_attempt SET {time} WHERE id = %s", answered)
    assert found(runtime).attempt_id == answered


@pytest.mark.parametrize(
    ("name", "assignment"),
    [
        ("scores", "attack_score = 0.9, is_attack = true"),
        ("request_id", "request_id = 'made up'"),
        ("risk", "device_level = 'low'"),
    ],
)
def test_a_result_in_a_row_that_is_still_open_is_found(
    name: str, assignment: str, lives: Lives, runtime: Runtime
) -> None:
    attempt = lives.accepted()
    change(f"UPDATE verification_attempt SET {assignment} WHERE id = %s", attempt)
    fault = found(runtime)
    assert (fault.code, fault.attempt_id) == (FaultCode.ROW, attempt)
    assert name in fault.sentence


@pytest.mark.parametrize(
    ("constraints", "assignment"),
    [
        (["attempt_digest_lengths"], "commitment_key = '\\x00'"),
        (
            ["attempt_state_known", "attempt_answered_has_result", "attempt_settled_has_time"],
            "state = 'a\"b'",
        ),
        (["attempt_closed_has_reason"], "closing_reason = 'no trace'"),
        (["attempt_settled_has_time"], "settled_at = NULL"),
    ],
    ids=["a short key", "a quote in the state", "a closing reason", "no time"],
)
def test_what_a_constraint_kept_out_is_a_finding(
    constraints: list[str], assignment: str, answered: UUID, runtime: Runtime
) -> None:
    with without("verification_attempt", *constraints):
        change(f"UPDATE verification_attempt SET {assignment} WHERE id = %s", answered)
        fault = found(runtime)
    assert fault.attempt_id == answered


def test_more_evidence_than_an_entry_can_name_is_a_finding(
    answered: UUID, runtime: Runtime
) -> None:
    change(
        "INSERT INTO verification_evidence"
        " (id, attempt_id, kind, size_bytes, sha256, sealed, created_at)"
        " SELECT gen_random_uuid(), attempt_id, 'x' || n, size_bytes, sha256, sealed, created_at"
        " FROM verification_evidence, generate_series(1, 500) AS n"
        " WHERE attempt_id = %s AND kind = 'image_best'",
        answered,
    )
    assert found(runtime).attempt_id == answered


def test_a_commitment_that_is_no_hexadecimal_is_a_finding(answered: UUID, runtime: Runtime) -> None:
    other = "aaaaaaaa-0000-4000-8000-000000000000"
    row = Reveal.objects.get()
    change(
        "INSERT INTO verification_reveal (id, attempt_id, evidence_id, kind, officer_id,"
        " officer_name, purpose, reason, revealed_at) SELECT %s, attempt_id, evidence_id, kind,"
        " officer_id, officer_name, purpose, reason, revealed_at FROM verification_reveal",
        other,
    )
    said = json.loads(
        bytes(LedgerEntry.objects.get(attempt_id=row.attempt_id, kind="evidence.revealed").raw)
    )
    stage([canonical({**said, "commitments": {"reason": "\u00e9"}, "reveal": other})])
    assert found(runtime).code == FaultCode.REVEAL


class TestRequestsToErase:
    """What was asked, and what was refused, is as much on record as what was destroyed."""

    @pytest.fixture
    def refused(self, lives: Lives, runtime: Runtime) -> UUID:
        lives.erased()
        made = lives.kept_from_erasure()
        seal(runtime)
        assert verify(runtime=runtime).faults == ()
        return made

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM verification_erasure",
            "UPDATE verification_erasure SET reason = 'another'",
            "UPDATE verification_erasure SET legal_basis = 'authority'",
            "UPDATE verification_erasure SET requested_at = requested_at - interval '1 day'",
            "UPDATE verification_erasure SET decided_at = decided_at + interval '1 day'",
            "UPDATE verification_erasure SET decision = 'approved'",
            (
                "UPDATE verification_erasure SET decision = NULL, decided_by_id = NULL,"
                " decided_at = NULL"
            ),
            "UPDATE verification_erasure SET requested_by_id = (SELECT min(id) FROM auth_user)",
            "UPDATE verification_erasure SET decided_by_id = (SELECT min(id) FROM auth_user)",
        ],
    )
    def test_a_refused_one_is_held(self, statement: str, refused: UUID, runtime: Runtime) -> None:
        change(f"{statement} WHERE attempt_id = %s", refused)
        fault = found(runtime)
        assert (fault.code, fault.attempt_id) == (FaultCode.ERASURE, refused)

    def test_one_that_nobody_made_is_found(self, refused: UUID, runtime: Runtime) -> None:
        change(
            "INSERT INTO verification_erasure (id, attempt_id, legal_basis, reason,"
            " requested_by_id, requested_at) SELECT gen_random_uuid(), attempt_id, legal_basis,"
            " reason, requested_by_id, requested_at FROM verification_erasure"
            " WHERE attempt_id = %s",
            refused,
        )
        assert found(runtime).code == FaultCode.ERASURE

    def test_a_key_that_is_called_erased_is_found(self, refused: UUID, runtime: Runtime) -> None:
        with without("verification_evidence_key", "evidence_key_or_erased"):
            change(
                "UPDATE verification_evidence_key SET erased_at = now() WHERE attempt_id = %s",
                refused,
            )
            assert found(runtime).code == FaultCode.ERASURE


def test_whose_account_revealed_is_held(answered: UUID, runtime: Runtime) -> None:
    officer = someone("else")
    seal(runtime)
    change("UPDATE verification_reveal SET officer_id = %s", officer.pk)
    assert found(runtime).code == FaultCode.REVEAL
