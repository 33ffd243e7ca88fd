"""Triggers: once an installation is sealed, rights grow only as two people have decided.

To take a right away stays the act of one, at once. What a role may include is fixed here, because
whoever could add to a role would give to all who have it.
"""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import migrations

guards = import_module("verification.migrations.0003_guards")
reviews = import_module("verification.migrations.0007_review_guards")

SEAL = "verification_rights_seal"
CHANGE = "verification_rights_change"

READ_OPERATION = (
    "view_apiclient", "view_apikey", "view_rollup", "view_verificationattempt",
    "view_verificationsession",
)
READ_DECISIONS = (
    *READ_OPERATION, "view_ledgercheckpoint", "view_ledgerentry", "view_ledgerverification",
    "view_review", "view_reviewpolicy",
)
READ_RECORDS = (*READ_DECISIONS, "view_evidence", "view_erasure", "view_reveal")
INCLUDED = {
    "officer": (*READ_RECORDS, "request_erasure", "reveal_evidence", "work_review"),
    "approver": (
        *READ_RECORDS, "request_erasure", "reveal_evidence", "work_review", "assign_review",
        "decide_erasure", "decide_policy", "reopen_review", "second_review", "decide_rights",
        "view_rightschange", "export_attempts", "view_exportrequest", "decide_export",
    ),
    "auditor": (*READ_RECORDS, "view_rightschange", "export_attempts", "view_exportrequest", "view_logins"),
    "engineer": READ_OPERATION,
    "administrator": (
        *READ_DECISIONS, "add_user", "assign_review", "break_glass", "change_user",
        "decide_policy", "propose_policy", "view_group", "view_user", "request_rights",
        "decide_rights", "view_rightschange", "view_exportrequest", "decide_export", "view_logins",
    ),
}
"""What each role may include; another list takes another migration."""

REFUSE = "USING ERRCODE = 'restrict_violation'"

# Lets one growth through: uses up the change that two people decided. Nothing before the seal.
GROW = """
    CREATE FUNCTION verification_grow(person {user_pk_type}, way text, given integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        IF NOT EXISTS (SELECT FROM {schema}.verification_rights_seal) THEN
            RETURN;
        END IF;
        UPDATE {schema}.verification_rights_change SET applied_at = clock_timestamp()
        WHERE id = (
            SELECT c.id FROM {schema}.verification_rights_change AS c
            WHERE c.account_id = person AND c.growth = way AND c.role_id IS NOT DISTINCT FROM given
                AND c.decision = 'approved' AND c.applied_at IS NULL
            ORDER BY c.requested_at LIMIT 1
        );
        IF NOT FOUND THEN
            RAISE EXCEPTION 'rights grow only as two people have decided' {refuse};
        END IF;
    END $body$
"""

# Tables of Django: what would give somebody more. `{...}` are the columns of the user model.
MEMBER = """
BEGIN
    IF TG_OP = 'UPDATE' AND ROW(NEW.{user_fk}, NEW.group_id) = ROW(OLD.{user_fk}, OLD.group_id)
        OR EXISTS (
            SELECT FROM {schema}.{user_groups} AS held
            WHERE held.{user_fk} = NEW.{user_fk} AND held.group_id = NEW.group_id)
    THEN
        RETURN NEW;
    END IF;
    PERFORM {schema}.verification_grow(NEW.{user_fk}, 'role', NEW.group_id);
    RETURN NEW;
END"""
ACCOUNT = """
BEGIN
    IF NEW.is_superuser AND (TG_OP = 'INSERT' OR NOT OLD.is_superuser) THEN
        PERFORM {schema}.verification_grow(NEW.{user_pk}, 'superuser', NULL);
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.is_active AND NEW.is_staff
        AND NOT (OLD.is_active AND OLD.is_staff)
        AND (OLD.is_superuser OR EXISTS (
            SELECT FROM {schema}.{user_groups} AS held WHERE held.{user_fk} = NEW.{user_pk}))
    THEN
        PERFORM {schema}.verification_grow(NEW.{user_pk}, 'return', NULL);
    END IF;
    RETURN NEW;
END"""
PERSONAL = """
BEGIN
    IF EXISTS (SELECT FROM {schema}.verification_rights_seal) THEN
        RAISE EXCEPTION 'rights come with roles only' {refuse};
    END IF;
    RETURN NEW;
END"""
INCLUSION = """
BEGIN
    IF EXISTS (SELECT FROM {schema}.verification_rights_seal) AND NOT EXISTS (
        SELECT FROM {schema}.auth_group AS g, {schema}.auth_permission AS p,
            {schema}.django_content_type AS t
        WHERE g.id = NEW.group_id AND p.id = NEW.permission_id AND t.id = p.content_type_id
            AND t.app_label IN ('verification', 'auth', '{user_app}')
            AND (g.name, p.codename) IN ({included}))
    THEN
        RAISE EXCEPTION 'what a role includes is fixed' {refuse};
    END IF;
    RETURN NEW;
END"""
ROLE = """
BEGIN
    IF NEW.name <> OLD.name AND EXISTS (SELECT FROM {schema}.verification_rights_seal) THEN
        RAISE EXCEPTION 'a role keeps its name' {refuse};
    END IF;
    RETURN NEW;
END"""

FIXED = ("id", "account_id", "growth", "role_id", "reason", "requested_by_id", "requested_at")
DECIDED = ("decision", "decided_by_id", "decided_at", "glass_broken")
REVIEWED = ("glass_reviewed_by_id", "glass_reviewed_at")
CHANGE_GUARD = f"""
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a request is decided, never deleted', TG_TABLE_NAME {REFUSE};
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF num_nonnulls(NEW.decision, NEW.applied_at, NEW.glass_reviewed_at) > 0
            OR NOT {{schema}}.verification_may(NEW.requested_by_id, 'request_rights')
        THEN
            RAISE EXCEPTION '%: a request begins undecided, by who may ask', TG_TABLE_NAME {REFUSE};
        END IF;
        RETURN NEW;
    END IF;
    IF NOT {guards._same(FIXED)} THEN
        RAISE EXCEPTION '%: what was asked for is fixed', TG_TABLE_NAME {REFUSE};
    END IF;
    IF OLD.decision IS NULL THEN
        IF num_nonnulls(NEW.applied_at, NEW.glass_reviewed_at) > 0 THEN
            RAISE EXCEPTION '%: first the decision', TG_TABLE_NAME {REFUSE};
        ELSIF NEW.decision = 'withdrawn' THEN
            NULL;  -- the constraint says by whom
        ELSIF NEW.glass_broken THEN
            IF NOT {{schema}}.verification_may(NEW.decided_by_id, 'break_glass') THEN
                RAISE EXCEPTION '%: glass is broken by who may', TG_TABLE_NAME {REFUSE};
            END IF;
        ELSIF NEW.decided_by_id IN (NEW.requested_by_id, NEW.account_id)
            OR NOT {{schema}}.verification_may(NEW.decided_by_id, 'decide_rights')
        THEN
            RAISE EXCEPTION '%: somebody else decides, who is allowed to', TG_TABLE_NAME {REFUSE};
        END IF;
        RETURN NEW;
    END IF;
    IF NOT {guards._same(DECIDED)} THEN
        RAISE EXCEPTION '%: a request is decided once', TG_TABLE_NAME {REFUSE};
    ELSIF OLD.applied_at IS NOT NULL AND NOT {guards._same(("applied_at",))} THEN
        RAISE EXCEPTION '%: a change is used once', TG_TABLE_NAME {REFUSE};
    ELSIF NOT {guards._same(REVIEWED)} AND (OLD.glass_reviewed_at IS NOT NULL
        OR NEW.glass_reviewed_by_id IN (NEW.decided_by_id, NEW.account_id)
        OR NOT {{schema}}.verification_may(NEW.glass_reviewed_by_id, 'decide_rights'))
    THEN
        RAISE EXCEPTION '%: somebody else looks at it, once', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
END"""


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
        # Without parameters the driver leaves the %-signs of plpgsql alone.
        for statement in statements(schema, schema_editor.connection):
            cursor.execute(statement)


def statements(schema, connection):
    """Return what is run, in order; `ledger_verify` holds the database against it."""
    names = {
        **reviews._names(connection),
        "schema": schema,
        "refuse": REFUSE,
        "user_app": get_user_model()._meta.app_label,
        "included": ", ".join(
            f"('{role}', '{each}')" for role, held in INCLUDED.items() for each in held
        ),
    }
    path = "SET search_path = pg_catalog, pg_temp"
    yield GROW.format(**names)
    bodies = {
        "verification_guard_member": MEMBER,
        "verification_guard_account": ACCOUNT,
        "verification_guard_personal": PERSONAL,
        "verification_guard_inclusion": INCLUSION,
        "verification_guard_role": ROLE,
        "verification_guard_rights_change": CHANGE_GUARD,
    }
    for name, body in bodies.items():
        yield (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${body.format(**names)} $body$"
        )
    growth = "BEFORE INSERT OR UPDATE"
    for table, when, function in (
        (CHANGE, f"{growth} OR DELETE", "rights_change"),
        (names["user_groups"], growth, "member"),
        (names["user"], growth, "account"),
        (names["user_permissions"], growth, "personal"),
        ("auth_group_permissions", growth, "inclusion"),
        ("auth_group", "BEFORE UPDATE", "role"),
    ):
        yield from guards._trigger(
            table, "rows", when, f"verification_guard_{function}", each="ROW"
        )
    yield from guards._trigger(
        SEAL, "rows", "BEFORE UPDATE OR DELETE", "verification_refuse", each="ROW"
    )
    for table in (SEAL, CHANGE):
        yield from guards._trigger(table, "truncate", "BEFORE TRUNCATE", "verification_refuse")


class Migration(migrations.Migration):

    dependencies = [
        ("verification", "0015_rights_change"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(install)]
