"""Django's `flush`, with the guards against TRUNCATE lifted while it runs, and set again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands.flush import Command as FlushCommand
from django.db import connections

from verification.models.guards import GUARDED, truncate_guard


class Command(FlushCommand):
    """Empties the test database between tests that commit."""

    def handle(self, **options: Any) -> None:
        """Flush as Django does."""
        with _lifted(options["database"]):
            super().handle(**options)


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
