"""Django's `flush` for tests that commit: the guards lifted while it runs, quick but for the first.

The first time Django empties every table and makes its content types, permissions and groups anew;
what is there then is copied into a schema beside, under other names, because a verification of
the log finds tables that stand twice. From then on only what a test has changed is put back: most
touch a few tables with a few rows, and the suite commits thousands of times.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.core.management.commands.flush import Command as FlushCommand
from django.db import connections

from verification.models import RetentionRule, ReviewPolicy
from verification.models.guards import GUARDED, rows_guard, truncate_guard
from verification.models.policy import BUILT_IN_VERSION, PolicyState
from verification.models.retention import BUILT_IN as BUILT_IN_RULES
from verification.models.retention import BUILT_IN_NOTE
from verification.policy.document import BUILT_IN, write_document

# Deleted rows leave their room behind: what has grown is truncated.
MOST_BYTES = 2**22
KEEP = """
DROP SCHEMA IF EXISTS pristine CASCADE;
CREATE SCHEMA pristine;
DO $body$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TABLE pristine.%I AS TABLE public.%I', 'kept_' || name, name);
    END LOOP;
END $body$;
CREATE FUNCTION pristine.restore() RETURNS boolean LANGUAGE plpgsql AS $body$
DECLARE
    name text;
    guard text;
    guards text[];
    is_same boolean;
BEGIN
    IF EXISTS (
        SELECT FROM pg_tables AS t WHERE t.schemaname = 'public' AND (
            pg_relation_size(format('public.%I', t.tablename)) > MOST_BYTES
            OR NOT EXISTS (
                SELECT FROM pg_tables AS p
                WHERE p.schemaname = 'pristine' AND p.tablename = 'kept_' || t.tablename))
    ) THEN
        RETURN false;
    END IF;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format(
            'SELECT (SELECT string_agg(t::text, chr(10) ORDER BY t::text) FROM public.%1$I AS t)'
            ' IS NOT DISTINCT FROM'
            ' (SELECT string_agg(t::text, chr(10) ORDER BY t::text) FROM pristine.%2$I AS t)',
            name, 'kept_' || name) INTO is_same;
        CONTINUE WHEN is_same AND name <> 'verification_ledger_stage';
        guards := ARRAY(
            SELECT tgname FROM pg_trigger
            WHERE tgrelid = format('public.%I', name)::regclass AND tgenabled = 'A');
        FOREACH guard IN ARRAY guards LOOP
            EXECUTE format('ALTER TABLE public.%I DISABLE TRIGGER %I', name, guard);
        END LOOP;
        EXECUTE format('DELETE FROM public.%I', name);
        EXECUTE format(
            'INSERT INTO public.%I OVERRIDING SYSTEM VALUE TABLE pristine.%I',
            name, 'kept_' || name);
        IF name = 'verification_ledger_stage' THEN
            -- They are staged now: an entry begins with its time.
            UPDATE public.verification_ledger_stage SET staged_at = clock_timestamp(),
                raw = overlay(raw PLACING convert_to(
                    public.verification_utc(clock_timestamp()), 'UTF8') FROM 8 FOR 27);
        END IF;
        FOREACH guard IN ARRAY guards LOOP
            EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER %I', name, guard);
        END LOOP;
    END LOOP;
    RETURN true;
END $body$
""".replace("MOST_BYTES", str(MOST_BYTES))


class Command(FlushCommand):
    """Empties the test database between tests that commit."""

    def handle(self, **options: Any) -> None:
        """Put back what was there before the test."""
        if _restored(options["database"]):
            return
        with _lifted(options["database"]):
            super().handle(**options)
        _restore_first_policy(options["database"])
        _restore_first_rules(options["database"])
        with connections[options["database"]].cursor() as cursor:
            cursor.execute(KEEP)


def _restored(database: str) -> bool:
    """Return whether what the test has changed is put back; False if all must be made anew."""
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('pristine.restore()') IS NOT NULL")
        if cursor.fetchone() == (False,):
            return False
        # Foreign keys and watchers: all is put back at once.
        cursor.execute("SET session_replication_role = replica")
        try:
            cursor.execute("SELECT pristine.restore()")
            return bool(cursor.fetchone() == (True,))
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")


@contextmanager
def _lifted(database: str) -> Iterator[None]:
    _alter("DISABLE", database)
    try:
        yield
    finally:
        _alter("ENABLE ALWAYS", database)


def _alter(how: str, database: str) -> None:
    with connections[database].cursor() as cursor:
        for table in GUARDED:
            cursor.execute(f"ALTER TABLE {table} {how} TRIGGER {truncate_guard(table)}")


def _restore_first_policy(database: str) -> None:
    """Put back what a migration made: version 1 of the policy is in force."""
    table = ReviewPolicy._meta.db_table
    now = datetime.now(UTC)
    with connections[database].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {rows_guard(table)}")
        ReviewPolicy.objects.using(database).create(
            version=BUILT_IN_VERSION,
            document=write_document(BUILT_IN).decode(),
            note="The policy that came with the installation.",
            state=PolicyState.ACTIVE,
            proposed_at=now,
            decided_at=now,
        )
        cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {rows_guard(table)}")


def _restore_first_rules(database: str) -> None:
    """Put back what a migration made: the rules of retention of an installation."""
    table = RetentionRule._meta.db_table
    with connections[database].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {rows_guard(table)}")
        for id_, what, days in BUILT_IN_RULES:
            RetentionRule.objects.using(database).create(
                id=id_, what=what, days=days, recorded_at=datetime.now(UTC), note=BUILT_IN_NOTE
            )
        cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {rows_guard(table)}")
