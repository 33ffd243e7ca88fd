"""Triggers: four eyes over policies and reviews, whoever writes.

Plain plpgsql. Every function finds operators and functions in pg_catalog only and names ours with
their schema, so that nothing that somebody else made can take their place.
"""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import migrations

guards = import_module("verification.migrations.0003_guards")

JUDGED = ("policy_version", "verdict", "reasons", "subject_failures", "biz_no_failures")
STEPPING = {
    "verification_review_policy": "verification_guard_review_policy",
    "verification_review": "verification_guard_review",
}

# A permission of the app, held in person or through a group, by an account that may work.
MAY = """
    CREATE FUNCTION verification_may(person {user_pk_type}, permission text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
        SELECT EXISTS (
            SELECT FROM {schema}.{user} AS u
            WHERE u.{user_pk} = person AND u.is_active AND u.is_staff AND (
                u.is_superuser
                OR EXISTS (
                    SELECT FROM {schema}.{user_permissions} AS held
                    JOIN {schema}.auth_permission AS p ON p.id = held.permission_id
                    JOIN {schema}.django_content_type AS t ON t.id = p.content_type_id
                    WHERE held.{user_fk} = u.{user_pk} AND p.codename = permission
                        AND t.app_label = 'verification')
                OR EXISTS (
                    SELECT FROM {schema}.{user_groups} AS member
                    JOIN {schema}.auth_group_permissions AS held ON held.group_id = member.group_id
                    JOIN {schema}.auth_permission AS p ON p.id = held.permission_id
                    JOIN {schema}.django_content_type AS t ON t.id = p.content_type_id
                    WHERE member.{user_fk} = u.{user_pk} AND p.codename = permission
                        AND t.app_label = 'verification')))
    $body$
"""

POLICY = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a version is retired, never deleted', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'proposed' THEN
            RAISE EXCEPTION '%: a version begins as proposed', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        ELSIF NOT {schema}.verification_may(NEW.proposed_by_id, 'propose_policy') THEN
            RAISE EXCEPTION '%: who proposes must be allowed to', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF ROW(NEW.version, NEW.document, NEW.note, NEW.proposed_by_id, NEW.proposed_at)
        IS DISTINCT FROM ROW(OLD.version, OLD.document, OLD.note, OLD.proposed_by_id, OLD.proposed_at)
    THEN
        RAISE EXCEPTION '%: what was proposed is fixed', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    ELSIF OLD.state = 'proposed' AND NEW.state IN ('active', 'refused') THEN
        IF NEW.decided_by_id = OLD.proposed_by_id
            OR NOT {schema}.verification_may(NEW.decided_by_id, 'decide_policy')
        THEN
            RAISE EXCEPTION '%: somebody else decides, who is allowed to', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF OLD.state = 'proposed' AND NEW.state = 'withdrawn' THEN
        NULL;  -- the constraint says by whom
    ELSIF OLD.state = 'active' AND NEW.state = 'retired'
        AND ROW(NEW.decided_by_id, NEW.decided_at)
            IS NOT DISTINCT FROM ROW(OLD.decided_by_id, OLD.decided_at)
    THEN
        NULL;
    ELSE
        RAISE EXCEPTION '%: there is no way from % to %', TG_TABLE_NAME, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END"""

REVIEW = """
DECLARE
    way text;
    judged text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a review is decided, never deleted', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        SELECT verdict INTO judged FROM {schema}.verification_attempt WHERE id = NEW.attempt_id;
        IF NEW.state <> 'open' OR NEW.round <> 1 OR judged IS NULL
            OR judged <> 'review' AND NOT NEW.needs_second
        THEN
            RAISE EXCEPTION '%: a review begins open; two people against a policy', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF ROW(NEW.attempt_id, NEW.client_id, NEW.reasons, NEW.opened_at)
        IS DISTINCT FROM ROW(OLD.attempt_id, OLD.client_id, OLD.reasons, OLD.opened_at)
        OR OLD.needs_second AND NOT NEW.needs_second
    THEN
        RAISE EXCEPTION '%: what a review is about is fixed', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    way := OLD.state || '>' || NEW.state;
    IF NEW.round <> OLD.round AND way <> 'decided>open' THEN
        RAISE EXCEPTION '%: a round begins when a review is reopened', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    ELSIF way = 'open>open' OR way = 'proposed>proposed' THEN
        IF ROW(NEW.decision, NEW.reason_code, NEW.proposed_by_id, NEW.proposed_at)
            IS DISTINCT FROM ROW(OLD.decision, OLD.reason_code, OLD.proposed_by_id, OLD.proposed_at)
        THEN
            RAISE EXCEPTION '%: a proposal is fixed', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF way = 'open>proposed' THEN
        IF NOT ({schema}.verification_may(NEW.proposed_by_id, 'work_review')
            AND {schema}.verification_stepped(NEW, 'proposed', NEW.proposed_by_id, NEW.proposed_at))
        THEN
            RAISE EXCEPTION '%: a proposal is a step of who may propose', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF way = 'proposed>open' THEN
        IF NOT EXISTS (
            SELECT FROM {schema}.verification_review_step AS s
            WHERE s.review_id = NEW.attempt_id AND s.round = NEW.round AND s.kind = 'returned'
                AND s.at >= OLD.proposed_at
        ) THEN
            RAISE EXCEPTION '%: a proposal is returned by a step', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF way = 'open>decided' THEN
        IF NEW.glass_broken AND NOT (NEW.needs_second
            AND {schema}.verification_may(NEW.decided_by_id, 'break_glass')
            AND {schema}.verification_stepped(NEW, 'glass_broken', NEW.decided_by_id, NEW.decided_at))
        THEN
            RAISE EXCEPTION '%: glass is broken by a step of who may', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        ELSIF NOT NEW.glass_broken AND (NEW.needs_second OR NEW.proposed_by_id IS NOT NULL
            OR NOT ({schema}.verification_may(NEW.decided_by_id, 'work_review')
                AND {schema}.verification_stepped(NEW, 'decided', NEW.decided_by_id, NEW.decided_at)))
        THEN
            RAISE EXCEPTION '%: a second person must agree', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF way = 'proposed>decided' THEN
        IF ROW(NEW.decision, NEW.reason_code, NEW.proposed_by_id, NEW.proposed_at)
            IS DISTINCT FROM ROW(OLD.decision, OLD.reason_code, OLD.proposed_by_id, OLD.proposed_at)
            OR NEW.glass_broken
            OR NEW.decided_by_id = OLD.proposed_by_id
            OR NOT ({schema}.verification_may(NEW.decided_by_id, 'second_review')
                AND {schema}.verification_stepped(NEW, 'decided', NEW.decided_by_id, NEW.decided_at))
        THEN
            RAISE EXCEPTION '%: somebody else agrees to what was proposed', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF way = 'decided>open' THEN
        IF NEW.round <> OLD.round + 1 OR NOT NEW.needs_second OR NOT EXISTS (
            SELECT FROM {schema}.verification_review_step AS s
            WHERE s.review_id = NEW.attempt_id AND s.round = NEW.round AND s.kind = 'reopened'
                AND {schema}.verification_may(s.by_id, 'reopen_review')
        ) THEN
            RAISE EXCEPTION '%: reopening is a step, and two people decide then', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSE
        RAISE EXCEPTION '%: there is no way %', TG_TABLE_NAME, way
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END"""

# The step that a change of a review stands on: same round, person, decision, code and moment.
STEPPED = """
    CREATE FUNCTION verification_stepped(
        review {schema}.verification_review, step text, person {user_pk_type}, moment timestamptz
    ) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
        SELECT EXISTS (
            SELECT FROM {schema}.verification_review_step AS s
            WHERE s.review_id = review.attempt_id AND s.round = review.round AND s.kind = step
                AND s.by_id = person AND s.at = moment AND s.decision = review.decision
                AND s.reason_code = review.reason_code)
    $body$
"""


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
        # Without parameters the driver leaves the %-signs of plpgsql alone.
        for statement in statements(schema, schema_editor.connection):
            cursor.execute(statement)


def statements(schema, connection):
    """Return what is run, in order; `ledger_verify` holds the database against it."""
    names = _names(connection)
    path = "SET search_path = pg_catalog, pg_temp"
    yield MAY.format(schema=schema, **names)
    yield STEPPED.format(schema=schema, **names)
    bodies = {
        "verification_guard_review_policy": POLICY,
        "verification_guard_review": REVIEW,
        "verification_guard_attempt": guards.attempt_guard((*guards.ATTEMPT_RESULT, *JUDGED)),
    }
    for name, body in bodies.items():
        text = body.replace("{schema}", schema)
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${text} $body$"
        )
    for table, function in STEPPING.items():
        when = "BEFORE INSERT OR UPDATE OR DELETE"
        yield from guards._trigger(table, "rows", when, function, each="ROW")
    kept = "verification_review_step"
    when = "BEFORE UPDATE OR DELETE"
    yield from guards._trigger(kept, "rows", when, "verification_refuse", each="ROW")
    for table in (*STEPPING, kept):
        yield from guards._trigger(table, "truncate", "BEFORE TRUNCATE", "verification_refuse")


def _names(connection):
    user = get_user_model()
    groups, permissions = user.groups.through, user.user_permissions.through
    return {
        "user": user._meta.db_table,
        "user_pk": user._meta.pk.column,
        "user_pk_type": user._meta.pk.rel_db_type(connection),
        "user_groups": groups._meta.db_table,
        "user_permissions": permissions._meta.db_table,
        "user_fk": groups._meta.get_field("user").column,
    }


class Migration(migrations.Migration):

    dependencies = [
        ("verification", "0006_first_policy"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(install)]
