"""Web and worker connect as roles of their own, to which all is refused that is not their work."""

import psycopg
import pytest
from django.db import connection
from psycopg import errors, sql

from tests.integration.database.roles import Login, Roles
from verification.ledger.canonical import canonical
from verification.models import StagedEntry
from verification.models.attempt import ERASED_COLUMNS, FIXED_COLUMNS
from verification.selectors.rights import relations
from verification.services.privileges import Kind
from verification.services.staging import stage

INSERTS = {
    Kind.WEB: {
        "verification_attempt",
        "verification_session",
        "verification_evidence",
        "verification_evidence_key",
        "verification_spent_sign",
        "verification_reveal",
        "verification_subject_report",
        "verification_subject_erasure",
        "verification_subject_erasure_item",
        "verification_control_run",
        "verification_control_result",
        "verification_erasure",
        "verification_review",
        "verification_review_step",
        "verification_review_policy",
        "verification_policy_replay",
        "verification_rights_change",
        "verification_export",
        "verification_export_job",
        "verification_price",
        "verification_retention_rule",
        "verification_retention_run",
        "verification_legal_hold",
        "verification_export_request",
        "verification_past",
        "verification_mention",
        "verification_saved_filter",
        "verification_preference",
        "verification_second_factor",
        "verification_recovery_code",
        "verification_login_try",
        "verification_login_minute",
        "auth_user",
        "auth_group",
        "auth_user_groups",
        "auth_group_permissions",
        "auth_user_user_permissions",
        "django_session",
        "django_admin_log",
    },
    Kind.WORKER: {
        "verification_evidence",
        "verification_record_erasure",
        "verification_export",
        "verification_export_job",
        "verification_past",
        "verification_evidence_key",
        "verification_ledger_entry",
        "verification_ledger_node",
        "verification_ledger_checkpoint",
        "verification_ledger_cosignature",
        "verification_ledger_verification",
        "verification_control_run",
        "verification_control_result",
        "verification_expiry",
        "verification_erasure",
        "verification_review",
        "verification_rollup_minute",
        "verification_rollup",
        "verification_rollup_day",
        "verification_rollup_review_day",
        "verification_rollup_handling_day",
        "verification_rollup_position",
        "procrastinate_jobs",
        "procrastinate_events",
        "procrastinate_periodic_defers",
        "procrastinate_workers",
    },
}
"""Tables into which a whole row may be put; the stage takes some columns only."""

DELETES = {
    Kind.WEB: INSERTS[Kind.WEB]
    & {
        "auth_user",
        "auth_group",
        "auth_user_groups",
        "auth_group_permissions",
        "auth_user_user_permissions",
        "django_session",
        "verification_saved_filter",
        "verification_second_factor",
        "verification_recovery_code",
        "verification_login_try",
    },
    Kind.WORKER: {each for each in INSERTS[Kind.WORKER] if each.startswith("procrastinate_")}
    | {"verification_ledger_stage", "verification_login_try", "verification_login_minute"}
    | {"verification_saved_filter"}
    | {
        f"verification_rollup{each}"
        for each in ("_minute", "", "_day", "_review_day", "_handling_day")
    },
}
RECORD_UPDATES = {
    Kind.WEB: {
        "verification_evidence_key": {"sealed", "erased_at"},
        "verification_erasure": {"decision", "decided_by_id", "decided_at"},
        "verification_subject_erasure": {"decision", "decided_by_id", "decided_at"},
        "verification_review": {
            *("needs_second", "state", "round", "priority", "due_at", "assignee_id"),
            *("snoozed_until", "leased_by_id", "leased_until", "decision", "reason_code"),
            *("proposed_by_id", "proposed_at", "decided_by_id", "decided_at", "glass_broken"),
        },
        "verification_review_policy": {
            *("state", "decided_by_id", "decided_at", "decision_note", "retired_at"),
        },
        "verification_policy_replay": {"state", "finished_at"},
        "verification_export_request": {
            *("decision", "decided_by_id", "decided_at", "expires_at", "ended_by_id", "ended_at"),
        },
        "verification_export_job": {"state", "finished_at", "seen_at"},
        "verification_retention_run": {
            *("state", "decided_by_id", "decided_at", "finished_at", "finished_by_id"),
        },
        "verification_legal_hold": {"lift_reason", "lifted_by_id", "lifted_at"},
        "verification_rights_change": {
            *("decision", "decided_by_id", "decided_at", "glass_broken", "applied_at"),
            *("glass_reviewed_by_id", "glass_reviewed_at"),
        },
        "verification_mention": {"seen_at"},
        "verification_saved_filter": {"id", "owner_id", "page", "name", "query", "created_at"},
        "verification_preference": {"person_id", "time_zone", "language"},
        "verification_second_factor": {
            *("confirmed", "confirmed_at", "last_step", "throttling_failure_timestamp"),
            "throttling_failure_count",
        },
        "verification_recovery_code": {"used_at"},
        "verification_login_try": {"digest", "failures", "expires_at"},
        "verification_login_minute": {"refused"},
    },
    Kind.WORKER: {
        "verification_session": {"biz_no", "subject", "options", "request_id"},
        "verification_past": {"said"},
        "verification_review_step": {"note"},
        "verification_export_job": {
            *("state", "problem", "tries", "leased_until", "started_at", "finished_at"),
            *("expires_at", "total", "done", "rows", "position", "size_bytes", "sha256"),
            "delivered_to",
        },
        "verification_evidence_key": {"kek_id", "sealed", "erased_at"},
        "verification_erasure": {"decision", "decided_by_id", "decided_at"},
        "verification_subject_erasure": {"finished_at"},
        "verification_subject_erasure_item": {"outcome", "done_at", "evidence_erasure_id"},
        "verification_retention_run": {
            *("state", "started_at", "finished_at", "seen", "expired", "held", "doubtful"),
            "position_id",
        },
        "verification_api_key": {"kek_id", "secret_sealed"},
        "verification_review": {"needs_second"},
        "verification_second_factor": {"kek_id", "sealed"},
        "verification_policy_replay": {
            *("state", "started_at", "finished_at", "total", "done", "position_at"),
            *("position_id", "result"),
        },
        "verification_rollup_position": {"id", "index", "counted_at"},
    },
}
FORBIDDEN = (
    "ALTER TABLE verification_attempt DISABLE TRIGGER ALL",
    "ALTER TABLE verification_ledger_entry DISABLE TRIGGER verification_ledger_entry_guard_rows",
    "ALTER TABLE verification_ledger_entry ADD COLUMN more text",
    "ALTER TABLE verification_ledger_entry OWNER TO CURRENT_USER",
    "DROP TABLE verification_ledger_checkpoint",
    "DROP TRIGGER verification_reveal_guard_rows ON verification_reveal",
    "DROP FUNCTION verification_refuse() CASCADE",
    "ALTER FUNCTION verification_refuse() RENAME TO gone",
    (
        "CREATE OR REPLACE FUNCTION verification_refuse() RETURNS trigger"
        " LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    ),
    "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    (
        "CREATE TRIGGER more BEFORE INSERT ON verification_ledger_stage"
        " FOR EACH ROW EXECUTE FUNCTION verification_refuse()"
    ),
    "CREATE RULE more AS ON INSERT TO verification_ledger_stage DO INSTEAD NOTHING",
    "CREATE TABLE more (x int)",
    "CREATE VIEW more AS SELECT 1",
    "CREATE SCHEMA more",
    "CREATE FOREIGN DATA WRAPPER more",
    "CREATE INDEX more ON verification_ledger_entry (kind)",
    "TRUNCATE verification_ledger_stage",
    "TRUNCATE verification_attempt CASCADE",
    "BEGIN; LOCK TABLE verification_ledger_entry IN ACCESS EXCLUSIVE MODE",
    "SET session_replication_role = replica",
    "ALTER ROLE CURRENT_USER SET session_replication_role = replica",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    "CREATE ROLE more",
    "SET SESSION AUTHORIZATION {owner}",
    "SET ROLE {owner}",
    "GRANT {owner} TO CURRENT_USER",
    "ALTER SYSTEM SET log_statement = 'all'",
    "ALTER DATABASE {database} SET session_replication_role = replica",
    "COPY verification_attempt TO PROGRAM 'cat'",
    "COPY verification_ledger_stage (raw) FROM PROGRAM 'echo'",
    "COPY verification_attempt TO '/tmp/attempts'",
    "COPY verification_ledger_stage (raw) FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
    "SELECT setval('verification_ledger_stage_no_seq', 1, false)",
    "SELECT nextval('verification_ledger_stage_no_seq')",
    "ALTER SEQUENCE verification_ledger_stage_no_seq RESTART",
    "UPDATE pg_trigger SET tgenabled = 'D'",
    "DELETE FROM django_migrations",
)
STEALTHY = (
    (
        "MERGE INTO verification_ledger_entry AS e USING (SELECT 1) AS one ON false"
        " WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING"
    ),
    "WITH gone AS (DELETE FROM verification_reveal RETURNING 1) SELECT count(*) FROM gone",
    (
        "INSERT INTO verification_spent_sign (key_id, digest, spent_at) VALUES (gen_random_uuid(),"
        " '', now()) ON CONFLICT (key_id, digest) DO UPDATE SET spent_at = now()"
    ),
    "SELECT 1 FROM verification_client FOR UPDATE",
    "EXPLAIN ANALYZE DELETE FROM verification_attempt",
    "DO $$ BEGIN EXECUTE 'UPDATE verification_session SET region = region'; END $$",
    "PREPARE gone AS DELETE FROM verification_ledger_entry; EXECUTE gone",
)


def is_allowed(session: psycopg.Connection[object], statement: sql.Composable | str) -> bool:
    """Return whether a role has the privileges of a statement; what it meets then is no matter."""
    try:
        session.execute(statement)  # type: ignore[arg-type]  # written here
    except errors.InsufficientPrivilege:
        return False
    except errors.RestrictViolation:
        return True
    return True


def columns(like: str) -> dict[str, tuple[str, ...]]:
    """Return the columns of each table whose name begins so."""
    found = relations(tables=[*INSERTS[Kind.WEB], "django_content_type", "auth_permission"])
    return {
        each.name: each.columns
        for each in found
        if each.numbers is None and each.name.startswith(like)
    }


@pytest.mark.django_db
def test_each_table_takes_the_writes_of_the_role_and_no_other(login: Login) -> None:
    tables = columns("")
    allowed: dict[str, set[str]] = {"INSERT": set(), "DELETE": set(), "TRUNCATE": set()}
    with login.connect() as session:
        for name in tables:
            table = sql.Identifier(name)
            for verb, text in (
                ("INSERT", "INSERT INTO {t} OVERRIDING SYSTEM VALUE SELECT * FROM {t} WHERE false"),
                ("DELETE", "DELETE FROM {t} WHERE false"),
                ("TRUNCATE", "TRUNCATE {t}"),
            ):
                if is_allowed(session, sql.SQL(text).format(t=table)):
                    allowed[verb].add(name)
    assert len(tables) > 25
    assert allowed["INSERT"] == INSERTS[login.kind]
    assert allowed["DELETE"] == DELETES[login.kind]
    assert allowed["TRUNCATE"] == set()


@pytest.mark.django_db
def test_each_column_of_a_record_takes_the_updates_of_the_role_and_no_other(login: Login) -> None:
    allowed: dict[str, set[str]] = {}
    tables = columns("verification_")
    with login.connect() as session:
        for name, each in tables.items():
            for column in each:
                query = sql.SQL("UPDATE {} SET {c} = {c} WHERE false")
                statement = query.format(sql.Identifier(name), c=sql.Identifier(column))
                if is_allowed(session, statement):
                    allowed.setdefault(name, set()).add(column)
    steps = set(tables["verification_attempt"]) - FIXED_COLUMNS
    assert "state" in steps
    # The worker erases texts whose time is over, as far as the guards let it.
    steps |= set(ERASED_COLUMNS) if login.kind is Kind.WORKER else set()
    assert allowed == {**RECORD_UPDATES[login.kind], "verification_attempt": steps}


@pytest.mark.django_db
def test_every_record_can_be_read_and_the_queue_by_the_worker_only(roles: Roles) -> None:
    for login in roles.values():
        with login.connect() as session:
            for name in columns("verification_"):
                query = sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(name))
                assert is_allowed(session, query), name
            may_read_jobs = is_allowed(session, "SELECT * FROM procrastinate_jobs LIMIT 0")
            assert may_read_jobs == (login.kind is Kind.WORKER)
            may_read_logins = is_allowed(session, "SELECT * FROM django_session LIMIT 0")
            assert may_read_logins == (login.kind is Kind.WEB)


@pytest.mark.django_db
@pytest.mark.parametrize("statement", [*FORBIDDEN, *STEALTHY])
def test_what_would_get_round_the_record_is_refused(login: Login, statement: str) -> None:
    settings = connection.settings_dict
    given = statement.format(owner=settings["USER"], database=settings["NAME"])
    with login.connect() as session, pytest.raises(errors.InsufficientPrivilege):
        session.execute(given)


@pytest.mark.django_db
def test_a_role_cannot_hand_on_what_it_may_do(roles: Roles) -> None:
    web, worker = roles[Kind.WEB], roles[Kind.WORKER]
    with worker.connect() as session:
        session.execute(f"GRANT INSERT ON verification_ledger_entry TO {web.user}")  # a warning
    with web.connect() as session:
        assert not is_allowed(session, "INSERT INTO verification_ledger_entry DEFAULT VALUES")


def test_an_entry_gets_its_number_from_the_stage_and_never_from_who_writes_it(
    roles: Roles, transactional_db: None
) -> None:
    for login in roles.values():
        with login.connect() as session:
            insert = "INSERT INTO verification_ledger_stage (raw) VALUES ('x') RETURNING no"
            assert session.execute(insert).fetchone() is not None
            numbered = "INSERT INTO verification_ledger_stage (no, raw) VALUES (1, 'x')"
            assert not is_allowed(session, numbered)


def test_the_worker_cannot_take_an_entry_from_the_stage_that_is_not_in_the_log(
    roles: Roles, transactional_db: None
) -> None:
    raw = canonical({"kind": "test.staged"})
    stage([raw])
    copy = """CREATE TEMPORARY TABLE verification_ledger_entry AS
        SELECT no AS staged_no, raw, 'entry.refused' AS kind FROM verification_ledger_stage"""
    with roles[Kind.WORKER].connect() as session:
        session.execute(copy)
        session.execute("SET search_path = pg_temp, public")
        with pytest.raises(errors.RestrictViolation):
            session.execute("DELETE FROM public.verification_ledger_stage")
    assert StagedEntry.objects.filter(raw=raw).exists()
