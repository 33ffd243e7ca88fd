"""Triggers: prices are recorded by who may, now, and never changed. Roles may include costs."""

from importlib import import_module

from django.contrib.auth import get_user_model
from django.db import migrations

guards = import_module("verification.migrations.0003_guards")
reviews = import_module("verification.migrations.0007_review_guards")
rights = import_module("verification.migrations.0016_rights_guards")

TABLE = "verification_price"
REFUSE = "USING ERRCODE = 'restrict_violation'"

MORE = {
    "approver": ("view_costs",),
    "auditor": ("view_costs",),
    "administrator": ("set_price", "view_costs"),
}
INCLUDED = {role: (*held, *MORE.get(role, ())) for role, held in rights.INCLUDED.items()}
"""What each role may include; another list takes another migration."""

# The newest one holds, so none may be slipped in before another one of the same day.
PRICE = f"""
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION '%: a price stays on record; a newer one corrects it', TG_TABLE_NAME {REFUSE};
    ELSIF NOT {{schema}}.verification_may(NEW.recorded_by_id, 'set_price') THEN
        RAISE EXCEPTION '%: who sets a price must be allowed to', TG_TABLE_NAME {REFUSE};
    ELSIF NEW.recorded_at < clock_timestamp() - interval '5 minutes'
        OR NEW.recorded_at > clock_timestamp() + interval '1 minute'
    THEN
        RAISE EXCEPTION '%: a price is recorded now', TG_TABLE_NAME {REFUSE};
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('verification.price', 0));
    IF EXISTS (
        SELECT FROM {{schema}}.verification_price AS p
        WHERE p.kind = NEW.kind AND p.region IS NOT DISTINCT FROM NEW.region
            AND p.valid_from = NEW.valid_from AND p.recorded_at >= NEW.recorded_at
    ) THEN
        RAISE EXCEPTION '%: a newer price of that day is on record', TG_TABLE_NAME {REFUSE};
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
    yield (
        f"CREATE FUNCTION verification_guard_price() RETURNS trigger LANGUAGE plpgsql {path} "
        f"AS $body${PRICE.format(schema=schema)} $body$"
    )
    when = "BEFORE INSERT OR UPDATE OR DELETE"
    yield from guards._trigger(TABLE, "rows", when, "verification_guard_price", each="ROW")
    yield from guards._trigger(TABLE, "truncate", "BEFORE TRUNCATE", "verification_refuse")
    inclusion = rights.INCLUSION.format(
        **reviews._names(connection),
        schema=schema,
        refuse=REFUSE,
        user_app=get_user_model()._meta.app_label,
        included=", ".join(
            f"('{role}', '{each}')" for role, held in INCLUDED.items() for each in held
        ),
    )
    yield (
        "CREATE OR REPLACE FUNCTION verification_guard_inclusion() RETURNS trigger "
        f"LANGUAGE plpgsql {path} AS $body${inclusion} $body$"
    )


class Migration(migrations.Migration):
    dependencies = [("verification", "0025_price")]

    operations = [migrations.RunPython(install)]
