"""Triggers: what is on record about the requests of persons stays; who may answer them."""

from importlib import import_module

from django.contrib.auth import get_user_model
from django.db import migrations

guards = import_module("verification.migrations.0003_guards")
reviews = import_module("verification.migrations.0007_review_guards")
rights = import_module("verification.migrations.0016_rights_guards")
retention = import_module("verification.migrations.0031_retention_guards")

REPORT_TABLE = "verification_subject_report"
REFUSE = "USING ERRCODE = 'restrict_violation'"

MORE = {"approver": ("subject_report",), "auditor": ("subject_report",)}
INCLUDED = {role: (*held, *MORE.get(role, ())) for role, held in retention.INCLUDED.items()}
"""What each role may include from now on."""

REPORT = f"""
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION '%: a report stays on record', TG_TABLE_NAME {REFUSE};
    ELSIF NOT {{schema}}.verification_may(NEW.by_id, 'subject_report') THEN
        RAISE EXCEPTION '%: who takes a report must be allowed to', TG_TABLE_NAME {REFUSE};
    ELSIF {retention.IS_NOW.format(moment="NEW.reported_at")} THEN
        RAISE EXCEPTION '%: a report is taken now', TG_TABLE_NAME {REFUSE};
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
    path = "SET search_path = pg_catalog, pg_temp"
    inclusion = rights.INCLUSION.format(
        **reviews._names(connection),
        schema=schema,
        refuse=REFUSE,
        user_app=get_user_model()._meta.app_label,
        included=", ".join(
            f"('{role}', '{each}')" for role, held in INCLUDED.items() for each in held
        ),
    )
    bodies = {
        "verification_guard_subject_report": REPORT.replace("{schema}", schema),
        "verification_guard_inclusion": inclusion,
    }
    for name, body in bodies.items():
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${body} $body$"
        )
    when, function = "BEFORE INSERT OR UPDATE OR DELETE", "verification_guard_subject_report"
    yield from guards._trigger(REPORT_TABLE, "rows", when, function, each="ROW")
    yield from guards._trigger(REPORT_TABLE, "truncate", "BEFORE TRUNCATE", "verification_refuse")


class Migration(migrations.Migration):

    dependencies = [("verification", "0032_subject")]

    operations = [migrations.RunPython(install)]
