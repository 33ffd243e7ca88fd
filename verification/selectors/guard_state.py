"""Whether the triggers of `models.guards` are there, and on for everybody."""

from collections.abc import Mapping

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from verification.models import ApiClient, ApiKey
from verification.models.guards import GUARDED

TRIGGERS = """
    SELECT c.relname::text, t.tgname::text, t.tgenabled::text
    FROM pg_trigger AS t
    JOIN pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    WHERE NOT t.tgisinternal AND c.relname = ANY(%s)
"""
ALWAYS = "A"


def is_migrated() -> bool:
    """Return whether this app's newest migration is applied: before it, guards may be missing."""
    loader = MigrationLoader(connection)
    return set(loader.graph.leaf_nodes("verification")) <= set(loader.applied_migrations)


def watchers() -> Mapping[str, tuple[str, ...]]:
    """Return the tables of which every change is an entry, and the trigger that stages it."""
    user = get_user_model()
    models = (
        ApiClient,
        ApiKey,
        user,
        Group,
        user.groups.through,
        user.user_permissions.through,
        Group.permissions.through,
    )
    tables = [each._meta.db_table for each in models]  # noqa: SLF001 - documented
    return {table: (f"{table}_watch",) for table in tables}


def lifted_guards() -> list[str]:
    """Return a sentence for each guard or watcher that is missing or is not on for everybody."""
    expected = [*GUARDED.items(), *watchers().items()]
    with connection.cursor() as cursor:
        cursor.execute(TRIGGERS, [[table for table, _ in expected]])
        state = {(table, name): enabled for table, name, enabled in cursor.fetchall()}
    return [
        f"The trigger {name} on {table} is "
        + ("not ENABLE ALWAYS." if (table, name) in state else "missing.")
        for table, names in expected
        for name in names
        if state.get((table, name)) != ALWAYS
    ]
