"""Django's `flush`, with the guards against TRUNCATE lifted while it runs, and set again."""

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


class Command(FlushCommand):
    """Empties the test database between tests that commit."""

    def handle(self, **options: Any) -> None:
        """Flush as Django does."""
        with _lifted(options["database"]):
            super().handle(**options)
        _restore_first_policy(options["database"])
        _restore_first_rules(options["database"])


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
