"""What the owner of the tables can do and nobody else: lift the guards."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from verification.models.guards import GUARDED


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
