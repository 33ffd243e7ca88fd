"""Make sure that what is read is what is stored: plain tables, the same for everybody.

A view, a rule or a policy for rows in a table's place could show a verification what was written
and everybody else something different.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Model

from verification.services.faults import Fault, FaultCode

# What a statement finds under the name, temporary tables first, as this one does.
TABLES = """
    SELECT name,
        c.relkind = 'r' AND NOT c.relispartition AND c.relpersistence = 'p',
        c.relrowsecurity OR c.relforcerowsecurity,
        EXISTS (SELECT FROM pg_rewrite AS r WHERE r.ev_class = c.oid),
        EXISTS (SELECT FROM pg_inherits AS i WHERE c.oid IN (i.inhparent, i.inhrelid))
    FROM unnest(%s::text[]) AS name LEFT JOIN pg_class AS c ON c.oid = to_regclass(name)
    ORDER BY name
"""
SENTENCES = (
    "has a policy that can hide rows from some",
    "has a rule that can rewrite what is asked or done",
    "shares its rows with another table",
)


def table_faults(connection: psycopg.Connection[Any]) -> Iterator[Fault]:
    """Yield each table of ours, and of the staff, that is not just a table."""
    for name, is_plain, *ways in connection.execute(TABLES, [_tables()]):
        if not is_plain:
            yield Fault(FaultCode.TABLE, f"{name} is not a lasting table")
            continue
        for has_way, sentence in zip(ways, SENTENCES, strict=True):
            if has_way:
                yield Fault(FaultCode.TABLE, f"{name} {sentence}")


def _tables() -> list[str]:
    user = get_user_model()
    links = (user.groups.through, user.user_permissions.through, Group.permissions.through)
    models: list[type[Model]] = [user, Group, Permission, *links]
    models += apps.get_app_config("verification").get_models()
    return sorted({each._meta.db_table for each in models})  # noqa: SLF001 - documented
