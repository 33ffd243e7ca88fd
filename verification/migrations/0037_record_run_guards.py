"""Triggers: texts of records go for a person, or when their time is over in a run for records.

A run is about evidence or about records, and stays so. What it was approved for is all that it can do.
"""

from importlib import import_module

from django.db import migrations

four_eyes = import_module("verification.migrations.0022_four_eyes")
retention = import_module("verification.migrations.0031_retention_guards")
record = import_module("verification.migrations.0035_record_erasure_guards")

REFUSE = retention.REFUSE

RECORD = four_eyes._changed(
    record.RECORD,
    (
        "    rule {schema}.",
        f"    run {{schema}}.{retention.RUN_TABLE}%ROWTYPE;\n    rule {{schema}}.",
    ),
    (
        "    SELECT * INTO rule",
        f"    SELECT * INTO run FROM {{schema}}.{retention.RUN_TABLE} WHERE id = NEW.run_id;\n"
        "    SELECT * INTO rule",
    ),
    (
        "    IF request.decision IS DISTINCT FROM 'approved'",
        f"""    IF NEW.run_id IS NOT NULL AND (
        run.state IS DISTINCT FROM 'running' OR run.what <> 'record' OR run.decided_by_id IS NULL
        OR run.decided_by_id = run.asked_by_id
    ) THEN
        RAISE EXCEPTION '%: records go in a run that was approved for them', TG_TABLE_NAME {REFUSE};
    ELSIF NEW.run_id IS NOT NULL AND EXISTS (
        SELECT FROM {{schema}}.{retention.RULE_TABLE} AS r WHERE r.recorded_at > run.asked_at
    ) THEN
        RAISE EXCEPTION '%: the rules have changed since the run was asked for', TG_TABLE_NAME {REFUSE};
    ELSIF NEW.run_id IS NULL AND (request.decision IS DISTINCT FROM 'approved'""",
    ),
    (
        "                AND i.outcome IS NULL)\n    THEN",
        "                AND i.outcome IS NULL))\n    THEN",
    ),
    (
        "<= NEW.erased_at) IS NOT TRUE",
        "<= coalesce(run.asked_at, NEW.erased_at)) IS NOT TRUE",
    ),
)

RUN = four_eyes._changed(
    retention.RUN,
    (
        "IF ROW(NEW.id, NEW.preview,",
        "IF ROW(NEW.id, NEW.what, NEW.preview,",
    ),
    (
        "IS DISTINCT FROM ROW(OLD.id, OLD.preview,",
        "IS DISTINCT FROM ROW(OLD.id, OLD.what, OLD.preview,",
    ),
)

EXPIRY = four_eyes._changed(
    retention.EXPIRY,
    (
        "IF run.state IS DISTINCT FROM 'running' OR",
        "IF run.state IS DISTINCT FROM 'running' OR run.what <> 'evidence' OR",
    ),
)

BODIES = {
    "verification_guard_record_erasure": RECORD,
    "verification_guard_retention_run": RUN,
    "verification_guard_expiry": EXPIRY,
}


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
    for name, body in BODIES.items():
        text = body.replace("{schema}", schema)
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${text} $body$"
        )


class Migration(migrations.Migration):
    dependencies = [("verification", "0036_record_runs")]

    operations = [migrations.RunPython(install)]
