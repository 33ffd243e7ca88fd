"""Whether the names that a verification reads are tables, and the ones that everybody reads.

Whoever owns a table can put a view or another table in its place, for all or for the role that
verifies, and keep there what was true. What may be read twice or lack a key can hide a row, too.
"""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Model

from verification.services.faults import Fault, FaultCode

TABLES = """
    SELECT said.name, CASE
        WHEN c.oid IS NULL THEN 'is missing'
        WHEN c.relkind <> 'r' THEN 'is no table'
        WHEN c.relpersistence <> 'p' THEN 'does not outlive a session or a crash'
        WHEN c.relrowsecurity THEN 'shows its rows to some only'
        WHEN c.relhasrules THEN 'has rules'
        WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits AS i
                     WHERE i.inhparent = c.oid OR i.inhrelid = c.oid)
            THEN 'shares its rows with another table'
        WHEN (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class AS other
              JOIN pg_catalog.pg_namespace AS n ON n.oid = other.relnamespace
              WHERE other.relname = c.relname AND other.relkind IN ('r', 'v', 'm', 'f', 'p')
                  AND (said.is_ours OR n.nspname = ANY (pg_catalog.current_schemas(true)))) > 1
            THEN 'stands in more than one schema'
        WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i
                         WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid)
            THEN 'has no primary key'
        WHEN EXISTS (SELECT FROM pg_catalog.unnest(said.needed) AS needed (name)
                     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                                       WHERE a.attrelid = c.oid AND a.attname = needed.name
                                           AND a.attnotnull))
            THEN 'may lack what it must have'
    END
    FROM pg_catalog.json_to_recordset(%s::json) AS said (name text, is_ours bool, needed text[])
    LEFT JOIN pg_catalog.pg_class AS c
        ON c.oid = pg_catalog.to_regclass(pg_catalog.quote_ident(said.name))
    ORDER BY said.name
"""
OURS = "verification"


def table_faults(connection: psycopg.Connection[Any]) -> Iterator[Fault]:
    """Yield each table that is not what it must be for its rows to be believed."""
    said = [
        {
            "name": model._meta.db_table,  # noqa: SLF001 - documented in spite of its name
            "is_ours": model._meta.app_label == OURS,  # noqa: SLF001
            "needed": [
                field.column
                for field in model._meta.concrete_fields  # noqa: SLF001
                if field.column and not field.null
            ],
        }
        for model in _models()
    ]
    for name, why in connection.execute(TABLES, [json.dumps(said)]):
        if why is not None:
            yield Fault(FaultCode.TABLE, f"{name} {why}")


def _models() -> Iterator[type[Model]]:
    """Yield every model whose rows are held against the log, or hold the log."""
    yield from apps.get_app_config(OURS).get_models()
    user = get_user_model()
    links = (user.groups.through, user.user_permissions.through, Group.permissions.through)
    yield from (user, Group, Permission, *links)
