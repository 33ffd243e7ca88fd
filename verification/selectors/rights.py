"""What database roles may do, asked of the catalogs: any role may ask, of any role."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

OURS = [r"verification\_%", r"procrastinate\_%"]
"""Patterns of the tables that are the service's alone."""

RELATIONS = """
    SELECT c.relname::text, numbered.relname::text, coalesce(part.deptype = 'a', false),
        pg_has_role(current_user, c.relowner, 'USAGE'),
        ARRAY(
            SELECT a.attname::text FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        )
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    LEFT JOIN pg_depend AS part
        ON c.relkind = 'S' AND part.classid = 'pg_class'::regclass AND part.objid = c.oid
        AND part.refclassid = 'pg_class'::regclass AND part.deptype IN ('a', 'i')
    LEFT JOIN pg_class AS numbered ON numbered.oid = part.refobjid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND (
        coalesce(numbered.relname, c.relname) = ANY(%(tables)s)
        OR coalesce(numbered.relname, c.relname) LIKE ANY(%(ours)s)
    )
    ORDER BY c.relname
"""
HELD = """
    WITH relation AS (
        SELECT c.oid, c.relname::text AS name, c.relkind = 'S' AS is_sequence FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = current_schema()
        WHERE c.relname = ANY(%(relations)s)
    )
    SELECT r.name, p, a.attname::text
    FROM relation AS r, pg_attribute AS a,
        unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS p
    WHERE NOT r.is_sequence AND a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND has_column_privilege(%(role)s, r.oid, a.attnum, p)
    UNION ALL
    SELECT r.name, p, NULL FROM relation AS r, unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) AS p
    WHERE NOT r.is_sequence AND has_table_privilege(%(role)s, r.oid, p)
    UNION ALL
    SELECT r.name, p, NULL FROM relation AS r, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS p
    WHERE r.is_sequence AND has_sequence_privilege(%(role)s, r.oid, p)
"""
OVER_ALL = """
    SELECT role.rolsuper OR EXISTS (
        SELECT FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = current_schema()
        WHERE c.relname LIKE ANY(%(ours)s) AND pg_has_role(role.oid, c.relowner, 'MEMBER')
    )
    FROM pg_roles AS role WHERE role.rolname = %(role)s
"""
SERVER_ROLES = [
    "pg_database_owner",
    "pg_execute_server_program",
    "pg_read_server_files",
    "pg_write_server_files",
]
"""PostgreSQL's own roles that reach beyond tables."""

POWERS = """
    SELECT power FROM (
        SELECT unnest(ARRAY[
            CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
            CASE WHEN rolcreatedb THEN 'CREATEDB' END,
            CASE WHEN rolreplication THEN 'REPLICATION' END,
            CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
            CASE WHEN has_schema_privilege(oid, current_schema(), 'CREATE')
                THEN 'CREATE on schema ' || current_schema() END,
            CASE WHEN has_database_privilege(oid, current_database(), 'CREATE')
                THEN 'CREATE on database ' || current_database() END
        ]) AS power FROM pg_roles WHERE rolname = %(role)s
        UNION ALL
        SELECT 'membership in ' || rolname FROM pg_roles
        WHERE (rolsuper OR rolname = ANY(%(server_roles)s))
            AND pg_has_role(%(role)s, oid, 'MEMBER')
    ) AS found WHERE power IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, or a sequence and the table it `numbers`. `is_ours`: current_user may grant on it.

    A serial column takes its numbers with the rights of who inserts, an identity column does not.
    """

    name: str
    numbers: str | None
    is_of_serial: bool
    is_ours: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Right:
    """One privilege on one relation, or on one column of it."""

    relation: str
    privilege: str
    column: str | None = None


def relations(*, tables: Iterable[str]) -> list[Relation]:
    """Return those of `tables` that exist, all tables of the service, and their sequences."""
    rows = _rows(RELATIONS, {"tables": list(tables), "ours": OURS})
    return [
        Relation(name, numbers, is_of_serial, is_ours, tuple(columns))
        for name, numbers, is_of_serial, is_ours, columns in rows
    ]


def held_rights(*, role: str, among: Sequence[Relation]) -> set[Right]:
    """Return what a role may do, by whatever way: grants, memberships, PUBLIC."""
    names = [each.name for each in among]
    return {Right(*row) for row in _rows(HELD, {"relations": names, "role": role})}


def held_powers(*, role: str) -> list[str]:
    """Return what is no privilege on a table, and leads round all of them."""
    values = {"role": role, "server_roles": SERVER_ROLES}
    return [power for (power,) in _rows(POWERS, values)]


def is_over_all(*, role: str) -> bool | None:
    """Return whether a role is a superuser or may act as who owns our tables; None without one."""
    found = _rows(OVER_ALL, {"role": role, "ours": OURS})
    return bool(found[0][0]) if found else None


def session_role() -> str:
    """Return who logged in; SET ROLE does not change it."""
    return str(_rows("SELECT session_user::text", {})[0][0])


def current_schema() -> str:
    """Return the schema that our tables are in."""
    return str(_rows("SELECT current_schema()::text", {})[0][0])


def _rows(query: str, values: Mapping[str, Any]) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        found: Sequence[Any] = cursor.fetchall()
    return found
