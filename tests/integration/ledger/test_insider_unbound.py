"""What an insider may try beside the columns that an entry repeats: each is found and named."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Group, Permission, User

from tests.integration.ledger.insider import sql
from tests.integration.ledger.lives import Lives, ahead, seal, someone
from tests.owner import unguarded, watched
from verification.ledger.canonical import Json, canonical
from verification.ledger.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from verification.ledger.note import parse_note
from verification.models import ApiKey, LedgerCheckpoint, LedgerEntry, Reveal, VerificationAttempt
from verification.services.entries import RESULT, group_text, utc_text
from verification.services.faults import Fault, FaultCode
from verification.services.log_audit import read_anchor_notes
from verification.services.runtime import Runtime
from verification.services.staging import stage
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)


def change(statement: str, *values: object) -> None:
    """Change what is stored as the owner does, with every guard and watcher off."""
    with unguarded(), unguarded(*watched()):
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


@pytest.mark.usefixtures("answered")
class TestTheLog:
    """What stands beside the log, or would stop the reading of it."""

    @pytest.fixture(autouse=True)
    def log(self, lives: Lives, runtime: Runtime) -> None:
        lives.settled()
        seal(ahead(runtime, 35))

    @pytest.mark.parametrize(
        "entry",
        [
            {"at": "9999-12-31T23:59:59.999999Z", "kind": "heartbeat"},
            {"at": "0001-01-01T00:00:00.000000Z", "kind": "heartbeat"},
        ],
    )
    def test_a_heartbeat_at_the_end_of_time_is_a_finding(
        self, entry: dict[str, Json], runtime: Runtime
    ) -> None:
        stage([canonical(entry)])
        seal(ahead(runtime, 70))
        assert found(runtime).code == FaultCode.TIME

    @pytest.mark.parametrize("what", [[], {}, 5, None, True])
    def test_an_entry_about_nothing_known_stops_nobody(self, what: Json, runtime: Runtime) -> None:
        said = {"at": utc_text(runtime.now()), "kind": "role.changed", "what": what}
        stage([canonical(said)])
        assert verify(runtime=runtime).faults == ()

    def test_an_entry_of_one_register_does_not_speak_for_another(self, runtime: Runtime) -> None:
        someone("plain")
        seal(ahead(runtime, 70))
        user = User.objects.latest("pk")
        change("UPDATE auth_user SET is_active = false WHERE id = %s", user.pk)
        stage(
            [
                canonical(
                    {
                        "at": utc_text(runtime.now()),
                        "is_active": False,
                        "is_staff": True,
                        "is_superuser": True,
                        "kind": "client.changed",
                        "name": user.username,
                        "user": str(user.pk),
                        "what": "account",
                    }
                )
            ]
        )
        assert found(runtime).code == FaultCode.REGISTER

    def test_a_stage_of_high_numbers_is_read(self, runtime: Runtime) -> None:
        said = {"at": utc_text(runtime.now()), "kind": "test.late"}
        change(
            "INSERT INTO verification_ledger_stage (no, raw) VALUES (2000000000, %s)",
            canonical(said),
        )
        assert verify(runtime=runtime).faults == ()

    def test_entries_before_the_first_are_found(self, lives: Lives, runtime: Runtime) -> None:
        attempt = lives.accepted()
        with without("verification_ledger_entry", "ledger_entry_index"):
            change(
                "INSERT INTO verification_ledger_entry"
                " (index, kind, attempt_id, raw, leaf_hash, sequenced_at)"
                " SELECT -1, 'attempt.accepted', %s, raw, sha256('\\x00'::bytea || raw), now()"
                " FROM verification_ledger_stage",
                attempt,
            )
            change("DELETE FROM verification_ledger_stage")
            assert found(runtime).code == FaultCode.LOG

    @pytest.mark.parametrize("time", ["infinity", "-infinity"])
    def test_a_checkpoint_of_no_time_is_a_finding(self, time: str, runtime: Runtime) -> None:
        change(
            "UPDATE verification_ledger_checkpoint SET made_at = %s"
            " WHERE size = (SELECT max(size) FROM verification_ledger_checkpoint)",
            time,
        )
        assert found(runtime).code == FaultCode.CHECKPOINT

    def test_a_checkpoint_below_zero_is_a_finding(self, runtime: Runtime) -> None:
        change(
            "INSERT INTO verification_ledger_checkpoint (size, root, note, made_at)"
            " VALUES (-5, sha256('x'), 'no note', now())"
        )
        assert found(runtime).code == FaultCode.CHECKPOINT

    def test_a_node_in_another_place_is_found(self, runtime: Runtime) -> None:
        change(
            "UPDATE verification_ledger_node SET level = 99"
            " WHERE level = (SELECT max(level) FROM verification_ledger_node)"
        )
        assert found(runtime).code == FaultCode.NODE

    def test_anchors_from_before_the_start_are_held(self, runtime: Runtime) -> None:
        notes = [bytes(each.note) for each in LedgerCheckpoint.objects.order_by("size")]
        anchors = read_anchor_notes(notes, "kept elsewhere")
        assert verify(runtime=runtime, anchors=anchors, start=notes[-1]).faults == ()
        forked = read_anchor_notes([_forked(notes[0], runtime)], "kept by another")
        faults = verify(runtime=runtime, anchors=[*anchors, *forked], start=notes[-1]).faults
        assert [each.code for each in faults] == [FaultCode.ANCHOR]
        assert "kept by another" in faults[0].sentence


def _forked(note: bytes, runtime: Runtime) -> bytes:
    """Return a checkpoint of another log of the same size, signed by the log's own key."""
    key = runtime.conf.ledger_key
    assert key is not None
    size = parse_checkpoint(parse_note(note).text).size
    return sign_checkpoint(Checkpoint(key.name, size, b"x" * 32), key)


class TestTheRegisters:
    """What gives rights without a row that is new or another."""

    def test_a_second_secret_beside_the_recorded_one_is_found(
        self, lives: Lives, runtime: Runtime
    ) -> None:
        key = ApiKey.objects.create(
            id=uuid4(),
            client=lives.client,
            kind="sign",
            public_id="insider00000",
            secret_sealed=b"the recorded one",
            kek_id="k1",
            created_at=runtime.now(),
        )
        assert verify(runtime=runtime).faults == ()
        with without("verification_api_key", "key_secret_fits_kind"):
            change(
                "UPDATE verification_api_key SET secret_sha256 = secret_sealed,"
                " secret_sealed = 'another' WHERE id = %s",
                key.pk,
            )
            fault = found(runtime)
        assert fault.code == FaultCode.REGISTER
        assert "secret_digest" in fault.sentence

    def test_a_permission_that_became_another_one_is_found(self, runtime: Runtime) -> None:
        held = Permission.objects.order_by("pk")[0]
        someone("plain").user_permissions.add(held)
        Group.objects.create(name="looking").permissions.add(held)
        was, becomes = held.codename, "reveal_evidence"
        try:
            Permission.objects.filter(pk=held.pk).update(codename="said_so")
            assert verify(runtime=runtime).faults == ()
            with unguarded("auth_permission"):
                Permission.objects.filter(pk=held.pk).update(codename=becomes)
            fault = found(runtime)
        finally:
            Permission.objects.filter(pk=held.pk).update(codename=was)
        assert fault.code == FaultCode.REGISTER
        assert "name" in fault.sentence


@pytest.mark.parametrize(
    ("does", "undoes"),
    [
        (
            "ALTER TABLE verification_attempt ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE verification_attempt DISABLE ROW LEVEL SECURITY",
        ),
        (
            (
                "CREATE SCHEMA insider; CREATE TABLE insider.verification_attempt"
                " AS TABLE verification_attempt"
            ),
            "DROP SCHEMA insider CASCADE",
        ),
        (
            "CREATE TABLE insider () INHERITS (verification_reveal)",
            "DROP TABLE insider",
        ),
        (
            ("ALTER TABLE auth_user RENAME TO insider; CREATE VIEW auth_user AS TABLE insider"),
            "DROP VIEW auth_user; ALTER TABLE insider RENAME TO auth_user",
        ),
        (
            "ALTER TABLE verification_evidence ALTER attempt_id DROP NOT NULL",
            "ALTER TABLE verification_evidence ALTER attempt_id SET NOT NULL",
        ),
        (
            "ALTER TABLE verification_ledger_node DROP CONSTRAINT verification_ledger_node_pkey",
            "ALTER TABLE verification_ledger_node ADD PRIMARY KEY (level, index)",
        ),
    ],
    ids=["rows hidden", "a copy", "a child", "a view", "no NOT NULL", "no key"],
)
@pytest.mark.usefixtures("answered")
def test_a_table_that_is_not_what_it_was_is_found(does: str, undoes: str, runtime: Runtime) -> None:
    sql(does)
    try:
        assert found(runtime).code == FaultCode.TABLE
    finally:
        sql(undoes)


def test_functions_that_look_alike_are_not_asked(answered: UUID, runtime: Runtime) -> None:
    scores = VerificationAttempt.objects.get(pk=answered)
    types = sql(
        "SELECT string_agg(format_type(a.atttypid, NULL), ', ' ORDER BY said.place)"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS said (name, place)"
        " JOIN pg_attribute AS a ON a.attname = said.name"
        " WHERE a.attrelid = 'verification_attempt'::regclass",
        list(RESULT),
    )
    ((types_of_result,),) = types
    text = group_text([getattr(scores, name) for name in RESULT])
    sql(
        f"CREATE FUNCTION jsonb_build_array({types_of_result}) RETURNS jsonb LANGUAGE sql"
        f" AS $body$ SELECT $said${text}$said$::jsonb $body$"
    )
    try:
        change(
            "UPDATE verification_attempt SET outcome = 'different_person' WHERE id = %s", answered
        )
        fault = found(runtime)
    finally:
        sql(f"DROP FUNCTION jsonb_build_array({types_of_result})")
    assert (fault.code, fault.attempt_id) == (FaultCode.ROW, answered)
