"""Triggers: what staff export stays on record, and what is large stands on a second person's word.

Many small exports of a day are a large one.
"""

from importlib import import_module

from django.db import migrations

guards = import_module("verification.migrations.0003_guards")

REFUSE = "USING ERRCODE = 'restrict_violation'"
LARGE = 10_000
FIXED = ("id", "filters", "rows", "reason", "requested_by_id", "requested_at")

REQUEST = f"""
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION '%: a request is decided, never deleted', TG_TABLE_NAME {REFUSE};
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.decision IS NOT NULL
            OR NOT {{schema}}.verification_may(NEW.requested_by_id, 'export_attempts')
        THEN
            RAISE EXCEPTION '%: a request begins undecided, by who may ask', TG_TABLE_NAME {REFUSE};
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.decision IS NOT NULL OR NOT {guards._same(FIXED)} THEN
        RAISE EXCEPTION '%: a request is decided once', TG_TABLE_NAME {REFUSE};
    ELSIF NEW.decision <> 'withdrawn' AND (NEW.decided_by_id = NEW.requested_by_id
        OR NOT {{schema}}.verification_may(NEW.decided_by_id, 'decide_export'))
    THEN
        RAISE EXCEPTION '%: somebody else decides, who is allowed to', TG_TABLE_NAME {REFUSE};
    ELSIF NEW.decided_at > clock_timestamp()
        OR NEW.expires_at > NEW.decided_at + interval '24 hours'
    THEN
        RAISE EXCEPTION '%: an approval is good for a day', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
END"""

EXPORT = f"""
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION '%: what was exported stays on record', TG_TABLE_NAME {REFUSE};
    ELSIF NOT {{schema}}.verification_may(NEW.by_id, 'export_attempts') THEN
        RAISE EXCEPTION '%: who exports must be allowed to', TG_TABLE_NAME {REFUSE};
    ELSIF (NEW.is_large OR NEW.request_id IS NOT NULL) AND NOT EXISTS (
        SELECT FROM {{schema}}.verification_export_request AS r
        WHERE r.id = NEW.request_id AND r.requested_by_id = NEW.by_id AND r.decision = 'approved'
            AND r.filters = NEW.filters AND r.decided_at <= NEW.at
            AND r.expires_at > greatest(NEW.at, clock_timestamp())
    ) THEN
        RAISE EXCEPTION '%: a large export needs the approval of another', TG_TABLE_NAME {REFUSE};
    ELSIF NEW.at < clock_timestamp() - interval '5 minutes' OR NEW.at > clock_timestamp() THEN
        RAISE EXCEPTION '%: an export is taken now', TG_TABLE_NAME {REFUSE};
    END IF;
    -- Another export of the same person at the same moment is waited for, and then counted.
    PERFORM pg_advisory_xact_lock(hashtextextended('verification.export', NEW.by_id));
    IF NOT NEW.is_large AND NEW.rows + (
        SELECT coalesce(sum(e.rows), 0) FROM {{schema}}.verification_export AS e
        WHERE e.by_id = NEW.by_id AND NOT e.is_large AND e.at > NEW.at - interval '24 hours'
    ) > {LARGE} THEN
        RAISE EXCEPTION '%: so many in a day need the approval of another', TG_TABLE_NAME {REFUSE};
    END IF;
    RETURN NEW;
END"""


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
        for statement in statements(schema, schema_editor.connection):
            cursor.execute(statement)


def statements(schema, connection):
    """Return what is run, in order; `ledger_verify` holds the database against it."""
    path = "SET search_path = pg_catalog, pg_temp"
    for table, body in (
        ("verification_export_request", REQUEST),
        ("verification_export", EXPORT),
    ):
        function = table.replace("verification_", "verification_guard_")
        yield (
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql {path} "
            f"AS $body${body.format(schema=schema)} $body$"
        )
        when = "BEFORE INSERT OR UPDATE OR DELETE"
        yield from guards._trigger(table, "rows", when, function, each="ROW")
        yield from guards._trigger(table, "truncate", "BEFORE TRUNCATE", "verification_refuse")


class Migration(migrations.Migration):

    dependencies = [("verification", "0017_exports")]

    operations = [migrations.RunPython(install)]
