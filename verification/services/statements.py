"""Single statements of the corridor, bound and prepared on the server's side.

The ORM sends values inside the statement's text and has it planned anew each time. The few
statements that every request runs are worth more: PostgreSQL keeps their plans (where
`prepare_threshold` is set), and bytes travel as bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.db import connection


def fetch_row(
    statement: str, values: Sequence[object] | Mapping[str, object]
) -> tuple[Any, ...] | None:
    """Run one statement on this thread's connection; return its first row, None without one.

    Outside a transaction it commits by itself. Raises Django's database errors.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(statement, values).fetchone()
