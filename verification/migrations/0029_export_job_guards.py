"""Triggers: what leaves unmasked, or again and again, stands on a second person's word, too.

A file belongs to an export on record; what it is of never changes, nor what it came to.
"""

from importlib import import_module

from django.db import migrations

guards = import_module("verification.migrations.0003_guards")
exports = import_module("verification.migrations.0018_export_guards")
four_eyes = import_module("verification.migrations.0022_four_eyes")

REFUSE = exports.REFUSE
ASKED = (*exports.FIXED, "form", "purpose", "repeats", "place")
DECIDED = (*ASKED, "decision", "decided_by_id", "decided_at", "expires_at")
JOB_FIXED = (
    "id", "by_id", "client_id", "request_id", "period_start", "filters", "form", "as_of_size",
    "as_of_at", "place", "asked_at",
)  # fmt: skip

REQUEST = four_eyes._changed(
    exports.REQUEST,
    (
        "IF NEW.decision IS NOT NULL\n",
        "IF NEW.decision IS NOT NULL OR NEW.ended_at IS NOT NULL\n",
    ),
    (
        f"IF OLD.decision IS NOT NULL OR NOT {guards._same(exports.FIXED)} THEN",
        f"""IF OLD.decision = 'approved' AND OLD.repeats IS NOT NULL AND OLD.ended_at IS NULL
        AND NEW.ended_at <= clock_timestamp() AND {guards._same(DECIDED)}
        AND (NEW.ended_by_id = NEW.requested_by_id
            OR {{schema}}.verification_may(NEW.ended_by_id, 'decide_export'))
    THEN
        RETURN NEW;
    ELSIF OLD.decision IS NOT NULL OR NEW.ended_at IS NOT NULL
        OR NOT {guards._same(ASKED)}
    THEN""",
    ),
    (
        "OR NEW.expires_at > NEW.decided_at + interval '24 hours'",
        """OR NEW.expires_at > NEW.decided_at
            + (CASE WHEN NEW.repeats IS NULL THEN interval '24 hours' ELSE interval '366 days' END)""",
    ),
    ("an approval is good for a day", "an approval is good for a day, a schedule for a year"),
)

EXPORT = four_eyes._changed(
    exports.EXPORT,
    (
        "AND r.filters = NEW.filters AND r.decided_at <= NEW.at",
        """AND r.form = NEW.form AND r.ended_at IS NULL AND r.decided_at <= NEW.at
            AND r.filters = CASE WHEN r.repeats IS NULL THEN NEW.filters
                ELSE NEW.filters - 'created_from' - 'created_before' END""",
    ),
    (
        "ELSIF NEW.at < clock_timestamp()",
        f"""ELSIF NEW.request_id IS NULL AND NEW.form->>'is_masked' = 'false' THEN
        RAISE EXCEPTION '%: unmasked data needs the approval of another', TG_TABLE_NAME {REFUSE};
    ELSIF NEW.at < clock_timestamp()""",
    ),
)

JOB = f"""
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: what was exported stays on record', TG_TABLE_NAME {REFUSE};
    ELSIF TG_OP = 'INSERT' THEN
        IF NEW.by_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM {{schema}}.verification_export AS e
            WHERE e.id = NEW.id AND e.by_id = NEW.by_id AND e.filters = NEW.filters
                AND e.form = NEW.form AND e.request_id IS NOT DISTINCT FROM NEW.request_id
        ) THEN
            RAISE EXCEPTION '%: a file is of an export on record', TG_TABLE_NAME {REFUSE};
        END IF;
        RETURN NEW;
    END IF;
    IF NOT {guards._same(JOB_FIXED)} THEN
        RAISE EXCEPTION '%: what a file is of does not change', TG_TABLE_NAME {REFUSE};
    ELSIF OLD.state NOT IN ('waiting', 'running') AND NOT (
        {guards._same(("problem", "total", "done", "rows", "size_bytes", "sha256", "finished_at"))}
        AND (NEW.state = OLD.state OR (OLD.state = 'done' AND NEW.state = 'expired'))
    ) THEN
        RAISE EXCEPTION '%: what a file came to does not change', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
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
    for verb, table, body in (
        ("CREATE OR REPLACE", "verification_export_request", REQUEST),
        ("CREATE OR REPLACE", "verification_export", EXPORT),
        ("CREATE", "verification_export_job", JOB),
    ):
        function = table.replace("verification_", "verification_guard_")
        yield (
            f"{verb} FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${body.format(schema=schema)} $body$"
        )
    job = "verification_export_job"
    when = "BEFORE INSERT OR UPDATE OR DELETE"
    yield from guards._trigger(job, "rows", when, "verification_guard_export_job", each="ROW")
    yield from guards._trigger(job, "truncate", "BEFORE TRUNCATE", "verification_refuse")


class Migration(migrations.Migration):

    dependencies = [("verification", "0028_export_job")]

    operations = [migrations.RunPython(install)]
