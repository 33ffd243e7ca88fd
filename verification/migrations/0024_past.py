"""What records said before they changed, kept by triggers: an export as of then stays the same."""

from importlib import import_module

from django.db import migrations, models

guards = import_module("verification.migrations.0003_guards")

TABLE = "verification_past"
REFUSE = "USING ERRCODE = 'restrict_violation'"

# By triggers only: nobody makes up what a record said.
PAST = f"""
BEGIN
    IF TG_OP <> 'INSERT' OR pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% on % is refused: triggers write it, once', TG_OP, TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
END"""

ATTEMPT = f"""
BEGIN
    IF OLD.state IN ('not_sent', 'in_doubt') AND NEW.state <> OLD.state THEN
        INSERT INTO {{schema}}.{TABLE} (attempt_id, send_no, said)
        VALUES (OLD.id, OLD.send_no, to_jsonb(OLD) - '{{{{{",".join(guards.ATTEMPT_FIXED)}}}}}'::text[]);
    END IF;
    RETURN NULL;
END"""

# The step that changes a review is kept before the row changes.
REVIEW = f"""
BEGIN
    IF ROW(NEW.state, NEW.decision, NEW.reason_code, NEW.due_at, NEW.decided_at)
        IS DISTINCT FROM ROW(OLD.state, OLD.decision, OLD.reason_code, OLD.due_at, OLD.decided_at)
    THEN
        INSERT INTO {{schema}}.{TABLE} (attempt_id, step_id, said)
        SELECT OLD.attempt_id, s.id, jsonb_build_object('state', OLD.state,
            'decision', OLD.decision, 'reason_code', OLD.reason_code, 'due_at', OLD.due_at,
            'decided_at', OLD.decided_at)
        FROM {{schema}}.verification_review_step AS s WHERE s.review_id = OLD.attempt_id
        ORDER BY s.at DESC, s.id DESC LIMIT 1;
    END IF;
    RETURN NULL;
END"""


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
        for statement in statements(schema, schema_editor.connection):
            cursor.execute(statement)


def statements(schema, connection):  # noqa: ARG001 - as the others
    """Return what is run, in order; `ledger_verify` holds the database against it."""
    path = "SET search_path = pg_catalog, pg_temp"
    bodies = {
        "verification_guard_past": PAST,
        "verification_past_attempt": ATTEMPT,
        "verification_past_review": REVIEW,
    }
    for name, body in bodies.items():
        yield (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${body.format(schema=schema)} $body$"
        )
    when = "BEFORE INSERT OR UPDATE OR DELETE"
    yield from guards._trigger(TABLE, "rows", when, "verification_guard_past", each="ROW")
    yield from guards._trigger(TABLE, "truncate", "BEFORE TRUNCATE", "verification_refuse")
    for table, function in (
        ("verification_attempt", "verification_past_attempt"),
        ("verification_review", "verification_past_review"),
    ):
        yield from guards._trigger(table, "past", "AFTER UPDATE", function, each="ROW")


class Migration(migrations.Migration):

    dependencies = [("verification", "0023_rollup_review")]

    operations = [
        migrations.CreateModel(
            name="PastRow",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("attempt_id", models.UUIDField()),
                ("send_no", models.PositiveIntegerField(null=True)),
                ("step_id", models.UUIDField(null=True)),
                ("said", models.JSONField()),
            ],
            options={
                "verbose_name": "former state",
                "verbose_name_plural": "former states",
                "db_table": TABLE,
                "indexes": [models.Index(fields=["attempt_id", "id"], name="past_of_attempt")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("send_no__isnull", False), ("step_id__isnull", True))
                        | models.Q(("send_no__isnull", True), ("step_id__isnull", False)),
                        name="past_of_one",
                    )
                ],
            },
        ),
        migrations.RunPython(install),
    ]
