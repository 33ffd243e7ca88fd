"""Say who acts, for the entries that the database stages itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

MAX_NAME = 200


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Have `name` stand as `by` in entries about clients, keys, accounts and rights.

    It holds for this thread's connection and is what the application says: whoever has SQL can
    say anything. What is certain is `db_role`.
    """
    _say(name[:MAX_NAME])
    try:
        yield
    finally:
        # A connection that broke meanwhile is closed, and what it was told is gone with it.
        if connection.connection is not None and not connection.needs_rollback:
            _say("")


def _say(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('verification.actor', %s, false)", [name])
