"""Triggers: records stay as they were written, and changes of who may do what are entries.

Plain plpgsql. Every function finds operators and functions in pg_catalog only and names ours with
their schema, so that nothing that somebody else made can take their place.
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
    """Compare bytes: 84.30 and 84.3 are equal, but not the same record."""
    return f"(ROW({_columns('NEW', names)})::record *= ROW({_columns('OLD', names)})::record)"


def _empty(names: tuple[str, ...]) -> str:
    return f"num_nonnulls({_columns('NEW', names)}) = 0"


LATER = ("settled_at", "reconciled_at", "closing_reason")


def attempt_guard(result):
    """Return the body of the attempts' guard; `result` are the columns that an answer brings."""
    return f"""
DECLARE
    step text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: an attempt is never deleted', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'accepted' OR NEW.send_no <> 0
            OR NOT {_empty(("sent_at", "deadline_at", *ATTEMPT_ERROR, *result, *LATER))}
        THEN
            RAISE EXCEPTION '%: an attempt begins as accepted', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    step := OLD.state || '>' || NEW.state;
    IF NOT {_same(ATTEMPT_FIXED)} THEN
        RAISE EXCEPTION '%: what was accepted is fixed', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    ELSIF step IN ('accepted>sending', 'not_sent>sending') THEN
        IF NEW.send_no <> OLD.send_no + 1 OR num_nulls(NEW.sent_at, NEW.deadline_at) > 0
            OR NOT {_empty((*ATTEMPT_ERROR, *result, *LATER))}
        THEN
            RAISE EXCEPTION '%: a send writes its own columns only', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF step IN ('accepted>not_sent', 'sending>not_sent') THEN
        IF NOT ({_same(ATTEMPT_SEND)} AND {_empty((*result, *LATER))}) THEN
            RAISE EXCEPTION '%: what was not sent has no result', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF step IN ('sending>answered', 'sending>rejected', 'sending>in_doubt') THEN
        IF NOT ({_same(ATTEMPT_SEND)} AND {_empty(("reconciled_at", "closing_reason"))}) THEN
            RAISE EXCEPTION '%: a settlement leaves the send as it is', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF step = 'in_doubt>answered' THEN
        IF NOT {_same((*ATTEMPT_SEND, "settled_at"))} OR NEW.reconciled_at IS NULL THEN
            RAISE EXCEPTION '%: a reconciliation leaves the send as it is', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF step = 'in_doubt>closed' THEN
        IF NOT {_same((*ATTEMPT_SEND, "settled_at", *ATTEMPT_ERROR, *result))}
            OR NEW.reconciled_at IS NULL
        THEN
            RAISE EXCEPTION '%: closing adds a reason and a time only', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSE
        RAISE EXCEPTION '%: there is no way from %', TG_TABLE_NAME, step
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END"""


ATTEMPT = attempt_guard(ATTEMPT_RESULT)

EVIDENCE_KEY = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a key is erased, never deleted', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.erased_at IS NOT NULL THEN
            RAISE EXCEPTION '%: a key does not begin as erased', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF ROW(NEW.attempt_id, NEW.created_at) IS DISTINCT FROM ROW(OLD.attempt_id, OLD.created_at)
        OR OLD.erased_at IS NOT NULL
    THEN
        RAISE EXCEPTION '%: a key stays whose it is, erased for ever', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    ELSIF NEW.erased_at IS NULL THEN
        IF NEW.kek_id = OLD.kek_id OR NEW.sealed = OLD.sealed THEN
            RAISE EXCEPTION '%: a key is wrapped anew by another only', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NEW.kek_id <> OLD.kek_id OR NOT EXISTS (
        SELECT FROM {schema}.verification_erasure AS erasure
        WHERE erasure.attempt_id = NEW.attempt_id AND erasure.decision = 'approved'
    ) THEN
        RAISE EXCEPTION '%: an erasure needs the approval of another', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END"""

ERASURE = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a request is decided, never deleted', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.decision IS NOT NULL THEN
            RAISE EXCEPTION '%: a request begins undecided', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.decision IS NOT NULL
        OR ROW(NEW.id, NEW.attempt_id, NEW.legal_basis, NEW.reason, NEW.requested_by_id,
               NEW.requested_at)
        IS DISTINCT FROM ROW(OLD.id, OLD.attempt_id, OLD.legal_basis, OLD.reason,
               OLD.requested_by_id, OLD.requested_at)
    THEN
        RAISE EXCEPTION '%: a request is decided once', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END"""

CLIENT = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a client is switched off, never deleted', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND ROW(NEW.id, NEW.created_at) IS DISTINCT FROM ROW(OLD.id, OLD.created_at)
    THEN
        RAISE EXCEPTION '%: who a client is stays', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END"""

API_KEY = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a key is revoked, never deleted', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        RETURN NEW;
    END IF;
    IF ROW(NEW.id, NEW.client_id, NEW.kind, NEW.public_id, NEW.secret_sha256, NEW.created_at,
           NEW.expires_at)
        IS DISTINCT FROM ROW(OLD.id, OLD.client_id, OLD.kind, OLD.public_id, OLD.secret_sha256,
           OLD.created_at, OLD.expires_at)
        OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
        OR (NEW.secret_sealed IS DISTINCT FROM OLD.secret_sealed)
            <> (NEW.kek_id IS DISTINCT FROM OLD.kek_id)
    THEN
        RAISE EXCEPTION '%: a key is revoked or wrapped anew, no more', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
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
    # A row leaves the stage only when it stands in the log, or when its hash does in a refusal.
    "verification_guard_leaving": """
BEGIN
    IF EXISTS (
        SELECT FROM gone WHERE NOT EXISTS (
            SELECT FROM {schema}.verification_ledger_entry AS entry
            WHERE entry.staged_no = gone.no
                AND (entry.raw = gone.raw OR entry.kind = 'entry.refused' AND position(
                    encode(sha256(decode('00', 'hex') || gone.raw), 'hex')
                    IN convert_from(entry.raw, 'UTF8')) > 0)
        )
    ) THEN
        RAISE EXCEPTION 'a staged entry leaves for the log only'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END""",
}

# docs/formats/entry.md: flat, keys sorted by their bytes, no white space.
STAGE_FACTS = """
    CREATE FUNCTION verification_stage(facts jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        entry text;
    BEGIN
        SELECT '{{' || string_agg(
            to_json(key)::text || ':' || value::text, ',' ORDER BY key COLLATE "C") || '}}'
        INTO entry
        FROM jsonb_each(facts || jsonb_build_object(
            'at', {schema}.verification_utc(clock_timestamp()),
            'by', nullif(left(current_setting('verification.actor', true), 200), ''),
            'db_role', session_user::text
        ));
        IF octet_length(entry) > 65536 THEN
            RAISE EXCEPTION 'what does not fit into an entry cannot be changed'
                USING ERRCODE = 'restrict_violation';
        END IF;
        INSERT INTO {schema}.verification_ledger_stage (raw)
        VALUES (convert_to(entry, 'UTF8'));
    END $body$
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
        'kek_id', r.kek_id, 'created', {schema}.verification_utc(r.created_at),
        'expires', {schema}.verification_utc(r.expires_at), 'revoked', {schema}.verification_utc(r.revoked_at))""",
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

IDENTITY = {
    "verification_client": ("id",),
    "verification_api_key": ("id",),
    "{user}": ("{user_pk}",),
    "auth_group": ("id",),
    "{user_groups}": ("{user_fk}", "group_id"),
    "{user_permissions}": ("{user_fk}", "permission_id"),
    "auth_group_permissions": ("group_id", "permission_id"),
}
"""The columns that say whom or what a row is about: where they change, the old one is removed."""

RENAMED = """jsonb_build_object(
    'kind', 'role.changed', 'change', 'set', 'what', 'permission', 'permission', NEW.id::text,
    'content_type', NEW.content_type_id::text, 'name', NEW.codename)"""


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
        # %-signs in the bodies are plpgsql's: nothing is bound, so the driver leaves them alone.
        for statement in statements(schema, schema_editor.connection):
            cursor.execute(statement)


def statements(schema, connection):
    """Return what is run, in order; `ledger_verify` holds the database against it."""
    path = "SET search_path = pg_catalog, pg_temp"
    for name, body in FUNCTIONS.items():
        text = body.replace("{schema}", schema)
        yield f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} AS $body${text} $body$"
    for table in KEPT:
        when = "BEFORE UPDATE OR DELETE"
        yield from _trigger(table, "rows", when, "verification_refuse", each="ROW")
    for table, function in STEPPING.items():
        when = "BEFORE INSERT OR UPDATE OR DELETE"
        yield from _trigger(table, "rows", when, function, each="ROW")
    for table in (*KEPT, *STEPPING, STAGE):
        yield from _trigger(table, "truncate", "BEFORE TRUNCATE", "verification_refuse")
    yield from _trigger(STAGE, "rows", "BEFORE UPDATE", "verification_refuse", each="ROW")
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
        identity = tuple(each.format(**names) for each in IDENTITY[key])
        function = f"verification_watch_{table}"
        yield f"""
            CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql {path} AS $body$
            BEGIN
                IF TG_OP = 'TRUNCATE' THEN
                    PERFORM {schema}.verification_stage({gone}) FROM {schema}.{table} AS r;
                    RETURN NULL;
                END IF;
                IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NOT {_same(identity)} THEN
                    PERFORM {schema}.verification_stage({_of("OLD", gone)});
                END IF;
                IF TG_OP = 'INSERT'
                    OR TG_OP = 'UPDATE' AND {_of("NEW", present)} <> {_of("OLD", present)}
                THEN
                    PERFORM {schema}.verification_stage({_of("NEW", present)});
                END IF;
                RETURN NULL;
            END $body$
        """
        yield from _watch(table, "watch", "AFTER INSERT OR UPDATE OR DELETE", function, "ROW")
        yield from _watch(table, "watch_truncate", "BEFORE TRUNCATE", function, "STATEMENT")
        # What was there before the log begins with an entry, too.
        yield f"SELECT {schema}.verification_stage({present}) FROM {table} AS r"
    yield from _permissions(schema, path)


def _permissions(schema, path):
    """Stage an entry when a permission becomes another one for all who hold it."""
    yield f"""
        CREATE FUNCTION verification_watch_auth_permission() RETURNS trigger
        LANGUAGE plpgsql {path} AS $body$
        BEGIN
            IF NOT {_same(("id", "content_type_id", "codename"))} THEN
                PERFORM {schema}.verification_stage({RENAMED});
            END IF;
            RETURN NULL;
        END $body$
    """
    function = "verification_watch_auth_permission"
    yield from _watch("auth_permission", "watch", "AFTER UPDATE", function, "ROW")


def _of(row, facts):
    return re.sub(r"\br\.", f"{row}.", facts)


def _watch(table, name, when, function, each):
    trigger = f"{table}_{name}"
    yield (
        f"CREATE TRIGGER {trigger} {when} ON {table} "
        f"FOR EACH {each} EXECUTE FUNCTION {function}()"
    )
    yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"


class Migration(migrations.Migration):

    dependencies = [
        ("verification", "0002_ledger"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(install)]
