"""Triggers: records stay as they were written, and changes of who may do what are entries.

Plain plpgsql. Every function fixes its search path, so that nothing of another schema can take
the place of an operator or a function.
"""

import re

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import migrations

KEPT = (
    "verification_ledger_entry",
    "verification_ledger_node",
    "verification_ledger_checkpoint",
    "verification_ledger_cosignature",
    "verification_ledger_verification",
    "verification_reveal",
    "verification_session",
    "verification_evidence",
    "verification_spent_sign",
)
STEPPING = {
    "verification_attempt": "verification_guard_attempt",
    "verification_evidence_key": "verification_guard_evidence_key",
    "verification_erasure": "verification_guard_erasure",
    "verification_client": "verification_guard_client",
    "verification_api_key": "verification_guard_api_key",
}
STAGE = "verification_ledger_stage"

ATTEMPT_FIXED = (
    "id", "client_id", "session_id", "region", "token_digest", "idempotency_key",
    "packet_sha256", "packet_size_bytes", "created_at", "biz_no", "subject", "commitment_key",
)
ATTEMPT_SEND = ("send_no", "sent_at", "deadline_at")
ATTEMPT_ERROR = ("http_status", "request_id", "error_code", "error_argument")
ATTEMPT_RESULT = (
    "time_used_ms", "result_code", "result_message", "outcome", "billable",
    "attack_score", "attack_threshold", "is_attack",
    *(
        f"{reference}_{figure}"
        for reference in ("ref1", "ref2", "idcard")
        for figure in (
            "confidence", "threshold_1e3", "threshold_1e4", "threshold_1e5", "threshold_1e6"
        )
    ),
    "device_level", "device_tags", "verify_tags", "visual_attributes", "unknown_fields",
)


def _columns(row: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{row}.{name}" for name in names)


def _same(names: tuple[str, ...]) -> str:
    return f"ROW({_columns('NEW', names)}) IS NOT DISTINCT FROM ROW({_columns('OLD', names)})"


def _empty(names: tuple[str, ...]) -> str:
    return f"num_nonnulls({_columns('NEW', names)}) = 0"


LATER = ("settled_at", "reconciled_at", "closing_reason")

ATTEMPT = f"""
DECLARE
    step text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'an attempt is never deleted');
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'accepted' OR NEW.send_no <> 0
            OR NOT {_empty(("sent_at", "deadline_at", *ATTEMPT_ERROR, *ATTEMPT_RESULT, *LATER))}
        THEN
            PERFORM verification_refuse_row(TG_TABLE_NAME, 'an attempt begins as accepted');
        END IF;
        RETURN NEW;
    END IF;
    step := OLD.state || '>' || NEW.state;
    IF NOT {_same(ATTEMPT_FIXED)} THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'what was accepted is fixed');
    ELSIF step IN ('accepted>sending', 'not_sent>sending') THEN
        IF NEW.send_no <> OLD.send_no + 1 OR num_nulls(NEW.sent_at, NEW.deadline_at) > 0
            OR NOT {_empty((*ATTEMPT_ERROR, *ATTEMPT_RESULT, *LATER))}
        THEN
            PERFORM verification_refuse_row(TG_TABLE_NAME, 'a send writes its own columns only');
        END IF;
    ELSIF step IN ('accepted>not_sent', 'sending>not_sent') THEN
        IF NOT ({_same(ATTEMPT_SEND)} AND {_empty((*ATTEMPT_RESULT, *LATER))}) THEN
            PERFORM verification_refuse_row(TG_TABLE_NAME, 'what was not sent has no result');
        END IF;
    ELSIF step IN ('sending>answered', 'sending>rejected', 'sending>in_doubt') THEN
        IF NOT ({_same(ATTEMPT_SEND)} AND {_empty(("reconciled_at", "closing_reason"))}) THEN
            PERFORM verification_refuse_row(TG_TABLE_NAME, 'a settlement leaves the send as it is');
        END IF;
    ELSIF step = 'in_doubt>answered' THEN
        IF NOT {_same((*ATTEMPT_SEND, "settled_at"))} OR NEW.reconciled_at IS NULL THEN
            PERFORM verification_refuse_row(TG_TABLE_NAME, 'a reconciliation leaves the send as it is');
        END IF;
    ELSIF step = 'in_doubt>closed' THEN
        IF NOT {_same((*ATTEMPT_SEND, "settled_at", *ATTEMPT_ERROR, *ATTEMPT_RESULT))}
            OR NEW.reconciled_at IS NULL
        THEN
            PERFORM verification_refuse_row(TG_TABLE_NAME, 'closing adds a reason and a time only');
        END IF;
    ELSE
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'there is no way from ' || step);
    END IF;
    RETURN NEW;
END"""

EVIDENCE_KEY = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'a key is erased, never deleted');
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.erased_at IS NOT NULL THEN
            PERFORM verification_refuse_row(TG_TABLE_NAME, 'a key does not begin as erased');
        END IF;
        RETURN NEW;
    END IF;
    IF ROW(NEW.attempt_id, NEW.created_at) IS DISTINCT FROM ROW(OLD.attempt_id, OLD.created_at)
        OR OLD.erased_at IS NOT NULL
    THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'a key stays whose it is, erased for ever');
    ELSIF NEW.erased_at IS NULL THEN
        IF NEW.kek_id = OLD.kek_id THEN
            PERFORM verification_refuse_row(TG_TABLE_NAME, 'a key is wrapped anew by another only');
        END IF;
    ELSIF NEW.kek_id <> OLD.kek_id OR NOT EXISTS (
        SELECT FROM {schema}.verification_erasure AS erasure
        WHERE erasure.attempt_id = NEW.attempt_id AND erasure.decision = 'approved'
    ) THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'an erasure needs the approval of another');
    END IF;
    RETURN NEW;
END"""

ERASURE = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'a request is decided, never deleted');
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.decision IS NOT NULL THEN
            PERFORM verification_refuse_row(TG_TABLE_NAME, 'a request begins undecided');
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.decision IS NOT NULL
        OR ROW(NEW.id, NEW.attempt_id, NEW.legal_basis, NEW.reason, NEW.requested_by_id,
               NEW.requested_at)
        IS DISTINCT FROM ROW(OLD.id, OLD.attempt_id, OLD.legal_basis, OLD.reason,
               OLD.requested_by_id, OLD.requested_at)
    THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'a request is decided once');
    END IF;
    RETURN NEW;
END"""

CLIENT = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'a client is switched off, never deleted');
    END IF;
    IF TG_OP = 'UPDATE' AND ROW(NEW.id, NEW.created_at) IS DISTINCT FROM ROW(OLD.id, OLD.created_at)
    THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'who a client is stays');
    END IF;
    RETURN NEW;
END"""

API_KEY = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'a key is revoked, never deleted');
    END IF;
    IF TG_OP = 'INSERT' THEN
        RETURN NEW;
    END IF;
    IF ROW(NEW.id, NEW.client_id, NEW.kind, NEW.public_id, NEW.secret_sha256, NEW.created_at,
           NEW.expires_at)
        IS DISTINCT FROM ROW(OLD.id, OLD.client_id, OLD.kind, OLD.public_id, OLD.secret_sha256,
           OLD.created_at, OLD.expires_at)
        OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
        OR (NEW.secret_sealed IS DISTINCT FROM OLD.secret_sealed AND NEW.kek_id = OLD.kek_id)
    THEN
        PERFORM verification_refuse_row(TG_TABLE_NAME, 'a key is revoked or wrapped anew, no more');
    END IF;
    RETURN NEW;
END"""

FUNCTIONS = {
    "verification_guard_attempt": ATTEMPT,
    "verification_guard_evidence_key": EVIDENCE_KEY,
    "verification_guard_erasure": ERASURE,
    "verification_guard_client": CLIENT,
    "verification_guard_api_key": API_KEY,
    "verification_refuse": """
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows stay as they were written', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END""",
    # A row leaves the stage only when it stands in the log.
    "verification_guard_leaving": """
BEGIN
    IF EXISTS (
        SELECT FROM gone WHERE NOT EXISTS (
            SELECT FROM {schema}.verification_ledger_entry AS entry
            WHERE entry.staged_no = gone.no
                AND (entry.raw = gone.raw OR entry.kind = 'entry.refused')
        )
    ) THEN
        RAISE EXCEPTION 'a staged entry leaves for the log only'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END""",
}

REFUSE_ROW = """
    CREATE FUNCTION verification_refuse_row(name text, why text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, {schema}, pg_temp AS $body$
    BEGIN
        RAISE EXCEPTION '%: %', name, why USING ERRCODE = 'restrict_violation';
    END $body$
"""

# docs/formats/entry.md: flat, keys sorted by their bytes, no white space.
STAGE_FACTS = """
    CREATE FUNCTION verification_stage(facts jsonb) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, {schema}, pg_temp AS $body$
        INSERT INTO {schema}.verification_ledger_stage (raw)
        SELECT convert_to(
            '{{' || string_agg(to_json(key)::text || ':' || value::text, ',' ORDER BY key COLLATE "C")
            || '}}', 'UTF8')
        FROM jsonb_each(facts || jsonb_build_object(
            'at', verification_utc(clock_timestamp()),
            'by', nullif(current_setting('verification.actor', true), ''),
            'db_role', session_user::text
        ))
    $body$
"""
UTC = """
    CREATE FUNCTION verification_utc(moment timestamptz) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
        SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    $body$
"""

FACTS = {
    "verification_client": """jsonb_build_object(
        'kind', 'client.changed', 'client', r.id, 'name', r.name,
        'scopes', array_to_string(r.scopes, ' '), 'is_active', r.is_active)""",
    "verification_api_key": """jsonb_build_object(
        'kind', 'client.key_changed', 'key', r.id, 'client', r.client_id, 'key_kind', r.kind,
        'public_id', r.public_id,
        'secret_digest', encode(sha256(coalesce(r.secret_sha256, r.secret_sealed)), 'hex'),
        'kek_id', r.kek_id, 'created', verification_utc(r.created_at),
        'expires', verification_utc(r.expires_at), 'revoked', verification_utc(r.revoked_at))""",
    "{user}": """jsonb_build_object(
        'kind', 'role.changed', 'change', '{change}', 'what', 'account', 'user', r.{user_pk}::text,
        'name', r.{username}, 'is_active', r.is_active, 'is_staff', r.is_staff,
        'is_superuser', r.is_superuser)""",
    "auth_group": """jsonb_build_object(
        'kind', 'role.changed', 'change', '{change}', 'what', 'group', 'group', r.id::text,
        'name', r.name)""",
    "{user_groups}": """jsonb_build_object(
        'kind', 'role.changed', 'change', '{change}', 'what', 'member', 'user', r.{user_fk}::text,
        'group', r.group_id::text,
        'name', (SELECT name FROM {schema}.auth_group WHERE id = r.group_id))""",
    "{user_permissions}": """jsonb_build_object(
        'kind', 'role.changed', 'change', '{change}', 'what', 'user_permission',
        'user', r.{user_fk}::text, 'permission', r.permission_id::text,
        'name', (SELECT codename FROM {schema}.auth_permission WHERE id = r.permission_id))""",
    "auth_group_permissions": """jsonb_build_object(
        'kind', 'role.changed', 'change', '{change}', 'what', 'group_permission',
        'group', r.group_id::text, 'permission', r.permission_id::text,
        'name', (SELECT codename FROM {schema}.auth_permission WHERE id = r.permission_id))""",
}
"""What is staged of a row `r`, by table; `{change}` is `set` or `removed`."""

def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
        # %-signs in the bodies are plpgsql's: nothing is bound, so the driver leaves them alone.
        for statement in _statements(schema):
            cursor.execute(statement)


def _statements(schema):
    path = f"SET search_path = pg_catalog, {schema}, pg_temp"
    yield REFUSE_ROW.format(schema=schema)
    for name, body in FUNCTIONS.items():
        text = body.replace("{schema}", schema)
        yield f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} AS $body${text} $body$"
    for table in KEPT:
        yield from _trigger(table, "rows", "BEFORE UPDATE OR DELETE", "verification_refuse")
    for table, function in STEPPING.items():
        when = "BEFORE INSERT OR UPDATE OR DELETE"
        yield from _trigger(table, "rows", when, function, each="ROW")
    for table in (*KEPT, *STEPPING, STAGE):
        yield from _trigger(table, "truncate", "BEFORE TRUNCATE", "verification_refuse")
    yield from _trigger(STAGE, "rows", "BEFORE UPDATE", "verification_refuse")
    leaving = "verification_guard_leaving"
    yield from _trigger(STAGE, "leaving", "AFTER DELETE", leaving, "REFERENCING OLD TABLE AS gone")
    yield UTC
    yield STAGE_FACTS.format(schema=schema)
    yield from _watchers(schema, path)


def _trigger(table, name, when, function, referencing="", each="STATEMENT"):
    trigger = f"{table}_guard_{name}"
    yield (
        f"CREATE TRIGGER {trigger} {when} ON {table} {referencing} "
        f"FOR EACH {each} EXECUTE FUNCTION {function}()"
    )
    yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"


def _watchers(schema, path):
    """Stage an entry for each change of a client, a key, an account, a group or a permission."""
    user = get_user_model()
    groups, permissions = user.groups.through, user.user_permissions.through
    names = {
        "schema": schema,
        "user": user._meta.db_table,
        "user_pk": user._meta.pk.column,
        "username": user._meta.get_field(user.USERNAME_FIELD).column,
        "user_groups": groups._meta.db_table,
        "user_permissions": permissions._meta.db_table,
        "user_fk": groups._meta.get_field("user").column,
    }
    for key, facts in FACTS.items():
        table = key.format(**names)
        present = facts.format(**names, change="set")
        gone = facts.format(**names, change="removed")
        function = f"verification_watch_{table}"
        after, before = (re.sub(r"\br\.", f"{row}.", present) for row in ("NEW", "OLD"))
        yield f"""
            CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql {path} AS $body$
            DECLARE
                r record;
            BEGIN
                IF TG_OP = 'DELETE' THEN
                    r := OLD;
                    PERFORM verification_stage({gone});
                    RETURN NULL;
                END IF;
                r := NEW;
                IF TG_OP = 'INSERT' THEN
                    PERFORM verification_stage({present});
                ELSIF {after} <> {before} THEN
                    PERFORM verification_stage({present});
                END IF;
                RETURN NULL;
            END $body$
        """
        trigger = f"{table}_watch"
        yield (
            f"CREATE TRIGGER {trigger} AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"
        # What was there before the log begins with an entry, too.
        yield f"SELECT verification_stage({present}) FROM {table} AS r"


class Migration(migrations.Migration):

    dependencies = [
        ("verification", "0002_ledger"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(install)]
