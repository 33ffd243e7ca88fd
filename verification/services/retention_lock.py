"""One lock between what keeps evidence and what destroys it; the guards take it, too.

Take it before the clock is read: then times are in the order in which things were committed, and
who waited sees what was waited for.
"""

from django.db import connection

NAME = "verification.retention"


def wait_for_destructions() -> None:
    """Let nobody destroy a key before this transaction ends: a hold or a rule changes."""
    _lock("pg_advisory_xact_lock")


def share_destructions() -> None:
    """Let no hold and no rule change before this transaction ends: keys are destroyed."""
    _lock("pg_advisory_xact_lock_shared")


def _lock(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtextextended(%s, 0))", [NAME])
