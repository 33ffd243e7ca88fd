"""What the owner of the tables can do and nobody else: lift the guards."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from verification.models.guards import GUARDED
from verification.selectors.guard_sources import written_guards


@contextmanager
def unguarded(*tables: str) -> Iterator[None]:
    """Lift every trigger of the tables, all guarded ones if none is named; then set them again."""
    for table in tables or GUARDED:
        _execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    try:
        yield
    finally:
        for table in tables or GUARDED:
            for name in _triggers(table):
                _execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def watched() -> set[str]:
    """Return the tables of which every change is an entry."""
    found = written_guards("public").triggers
    return {table for table, name in found if name == f"{table}_watch"}


def _triggers(table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
            [table],
        )
        return [name for (name,) in cursor.fetchall()]


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
