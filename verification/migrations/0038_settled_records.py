"""Triggers: the texts of a record stay while people must decide on it, whoever asked for the erasure."""

from importlib import import_module

from django.db import migrations

four_eyes = import_module("verification.migrations.0022_four_eyes")
runs = import_module("verification.migrations.0037_record_run_guards")

RECORD = four_eyes._changed(
    runs.RECORD,
    (
        "    ELSIF {schema}.verification_is_held(NEW.attempt_id) THEN",
        f"""    ELSIF EXISTS (
        SELECT FROM {{schema}}.verification_review AS r
        WHERE r.attempt_id = NEW.attempt_id AND r.state <> 'decided'
    ) THEN
        RAISE EXCEPTION '%: a record in review keeps its texts', TG_TABLE_NAME {runs.REFUSE};
    ELSIF {{schema}}.verification_is_held(NEW.attempt_id) THEN""",
    ),
)


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
    text = RECORD.replace("{schema}", schema)
    yield (
        f"CREATE OR REPLACE FUNCTION verification_guard_record_erasure() RETURNS trigger "
        f"LANGUAGE plpgsql {path} AS $body${text} $body$"
    )


class Migration(migrations.Migration):
    dependencies = [("verification", "0037_record_run_guards")]

    operations = [migrations.RunPython(install)]
