"""Whether the guards of the database are those of the migrations, and on for everybody."""

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from verification.selectors.guard_sources import Written, written_guards

SCHEMA = """
    SELECT pg_catalog.quote_ident(n.nspname)
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass('verification_attempt')
"""
TRIGGERS = """
    SELECT c.relname::text, t.tgname::text, t.tgenabled = 'A',
        p.proname::text, t.tgtype::int, t.tgqual IS NULL AND t.tgattr::text = ''
    FROM pg_catalog.pg_trigger AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND c.relnamespace = %s::regnamespace
        AND p.pronamespace = c.relnamespace
"""
FUNCTIONS = """
    SELECT p.proname::text, p.prosrc,
        p.prosecdef OR p.proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp']
    FROM pg_catalog.pg_proc AS p
    WHERE p.pronamespace = %s::regnamespace AND p.proname LIKE 'verification\\_%%'
"""


def is_migrated() -> bool:
    """Return whether this app's newest migration is applied: before it, guards may be missing."""
    loader = MigrationLoader(connection)
    return set(loader.graph.leaf_nodes("verification")) <= set(loader.applied_migrations)


def lifted_guards() -> list[str]:
    """Return a sentence for each guard that is missing, is another one, or is not on for everybody.

    Whoever can put back what was there does not show here: what they did meanwhile may show in a
    verification of the records.
    """
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        found = cursor.fetchone()
    if found is None:
        return ["The tables are missing."]
    schema = str(found[0])
    written = written_guards(schema)
    return [*_triggers(schema, written), *_functions(schema, written)]


def _triggers(schema: str, written: Written) -> Iterator[str]:
    state = {(table, name): rest for table, name, *rest in _rows(TRIGGERS, schema)}
    for (table, name), due in written.triggers.items():
        here = f"The trigger {name} on {table}"
        match state.get((table, name)):
            case None:
                yield f"{here} is missing."
            case [False, *_]:
                yield f"{here} is not ENABLE ALWAYS."
            case [_, due.function, due.kind, True]:
                pass
            case _:
                yield f"{here} is not the one that was installed."


def _functions(schema: str, written: Written) -> Iterator[str]:
    missing = dict(written.bodies)
    for name, body, is_configured_otherwise in _rows(FUNCTIONS, schema):
        if missing.pop(name, None) != body or is_configured_otherwise:
            yield f"The function {name} is not the one that was installed."
    for name in missing:
        yield f"The function {name} is missing."


def _rows(statement: str, schema: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [schema])
        return list(cursor.fetchall())
