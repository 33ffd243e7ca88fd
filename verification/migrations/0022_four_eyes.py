"""Triggers: what an insider could still do alone.

A version of the policy leaves force for another only. Who asks for an erasure and who decides may
do so. A proposal is returned, and broken glass looked at, by who may. What the policy wants two
people for is not opened for one, and not decided by one after an answer came late.
"""

from importlib import import_module

from django.db import migrations, models

guards = import_module("verification.migrations.0003_guards")
reviews = import_module("verification.migrations.0007_review_guards")

POLICY_TABLE = "verification_review_policy"
STEP_TABLE = "verification_review_step"
REFUSE = "USING ERRCODE = 'restrict_violation'"


def _changed(body, *changes):
    """Return a guard's body with parts of it replaced, each of which must be there once."""
    for old, new in changes:
        if body.count(old) != 1:
            raise ValueError(f"not once in the guard: {old}")
        body = body.replace(old, new)
    return body


POLICY = _changed(
    reviews.POLICY,
    (
        "IF NEW.state <> 'proposed' THEN",
        "IF NEW.state <> 'proposed' OR NEW.decision_note IS NOT NULL THEN",
    ),
    (
        """AND ROW(NEW.decided_by_id, NEW.decided_at)
            IS NOT DISTINCT FROM ROW(OLD.decided_by_id, OLD.decided_at)""",
        """AND ROW(NEW.decided_by_id, NEW.decided_at, NEW.decision_note)
            IS NOT DISTINCT FROM ROW(OLD.decided_by_id, OLD.decided_at, OLD.decision_note)""",
    ),
)

# At the end of the transaction, because the old version goes before the new one comes.
IN_FORCE = f"""
BEGIN
    IF NOT EXISTS (SELECT FROM {{schema}}.{POLICY_TABLE} WHERE state = 'active') THEN
        RAISE EXCEPTION '%: a version leaves force for another only', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NULL;
END"""

ERASURE = _changed(
    guards.ERASURE,
    (
        "IF NEW.decision IS NOT NULL THEN",
        """IF NOT {schema}.verification_may(NEW.requested_by_id, 'request_erasure') THEN
            RAISE EXCEPTION '%: who asks must be allowed to', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        ELSIF NEW.decision IS NOT NULL THEN""",
    ),
    (
        """            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END""",
        """            USING ERRCODE = 'restrict_violation';
    ELSIF NEW.decision IS NOT NULL
        AND NOT {schema}.verification_may(NEW.decided_by_id, 'decide_erasure')
    THEN
        RAISE EXCEPTION '%: who decides must be allowed to', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END""",
    ),
)

# By the policy that has judged the attempt, as its judgement stands now.
FLAGGED = """
    CREATE FUNCTION verification_flagged(attempt uuid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
        SELECT EXISTS (
            SELECT FROM {schema}.verification_attempt AS a
            JOIN {schema}.verification_review_policy AS p ON p.version = a.policy_version,
                json_array_elements_text(p.document::json -> 'second_person') AS s (reason)
            WHERE a.id = attempt AND s.reason = ANY (a.reasons))
    $body$
"""
REVIEW = _changed(
    reviews.REVIEW,
    (
        "OR judged <> 'review' AND NOT NEW.needs_second",
        """OR NOT NEW.needs_second AND (judged <> 'review'
                OR {schema}.verification_flagged(NEW.attempt_id))""",
    ),
    (
        "AND s.at >= OLD.proposed_at",
        """AND s.at >= OLD.proposed_at AND (
                    s.by_id = OLD.proposed_by_id
                        AND {schema}.verification_may(s.by_id, 'work_review')
                    OR {schema}.verification_may(s.by_id, 'second_review')
                    OR {schema}.verification_may(s.by_id, 'break_glass'))""",
    ),
    (
        "OR NEW.proposed_by_id IS NOT NULL",
        """OR NEW.proposed_by_id IS NOT NULL
            OR {schema}.verification_flagged(NEW.attempt_id)""",
    ),
)

# Steps on which no change of the review's row stands.
STEP = f"""
BEGIN
    IF NEW.kind = 'glass_reviewed' AND NOT (
        {{schema}}.verification_may(NEW.by_id, 'second_review')
        AND EXISTS (
            SELECT FROM {{schema}}.verification_review AS r
            WHERE r.attempt_id = NEW.review_id AND r.round = NEW.round AND r.glass_broken
                AND r.decided_by_id <> NEW.by_id))
    THEN
        RAISE EXCEPTION '%: somebody else looks at broken glass, who may', TG_TABLE_NAME {REFUSE};
    ELSIF NEW.kind = 'opened' AND NOT {{schema}}.verification_may(NEW.by_id, 'reopen_review') THEN
        RAISE EXCEPTION '%: who opens a review must be allowed to', TG_TABLE_NAME {REFUSE};
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


def statements(schema, connection):  # noqa: ARG001 - as the others
    """Return what is run, in order; `ledger_verify` holds the database against it."""
    path = "SET search_path = pg_catalog, pg_temp"
    yield FLAGGED.replace("{schema}", schema)
    bodies = {
        "verification_guard_review_policy": POLICY,
        "verification_guard_in_force": IN_FORCE,
        "verification_guard_erasure": ERASURE,
        "verification_guard_review": REVIEW,
        "verification_guard_review_step": STEP,
    }
    for name, body in bodies.items():
        text = body.replace("{schema}", schema)
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${text} $body$"
        )
    yield from guards._trigger(
        STEP_TABLE, "taken", "BEFORE INSERT", "verification_guard_review_step", each="ROW"
    )
    trigger = f"{POLICY_TABLE}_guard_in_force"
    yield (
        f"CREATE CONSTRAINT TRIGGER {trigger} AFTER UPDATE ON {POLICY_TABLE} "
        f"DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW EXECUTE FUNCTION verification_guard_in_force()"
    )
    yield f"ALTER TABLE {POLICY_TABLE} ENABLE ALWAYS TRIGGER {trigger}"


class Migration(migrations.Migration):

    dependencies = [("verification", "0021_names")]

    operations = [
        migrations.AddField(
            model_name="reviewpolicy",
            name="decision_note",
            field=models.CharField(max_length=500, null=True),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                name="review_decided_listed",
                fields=["priority", "due_at", "attempt"],
                condition=models.Q(("state", "decided")),
            ),
        ),
        migrations.RunPython(install),
    ]
