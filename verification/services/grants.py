"""Grant the roles of web and worker what `privileges` names, and tell what differs from it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from psycopg import sql

from verification.selectors.rights import (
    Relation,
    Right,
    current_schema,
    held_powers,
    held_rights,
    is_over_all,
    relations,
)
from verification.services.errors import RoleRefusedError
from verification.services.privileges import Kind, Privileges, privileges

BY_COLUMN = frozenset({"SELECT", "INSERT", "UPDATE", "REFERENCES"})
RECORDS = "verification_"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a role lacks and what it has too much, in words."""

    missing: tuple[str, ...]
    superfluous: tuple[str, ...]


def grant(*, web: str, worker: str) -> None:
    """Give two existing roles exactly the privileges of their kinds, in one transaction.

    For the owner of the tables. Repeatable; running processes see no gap. PUBLIC loses what it has
    on our tables, and CREATE on the schema. Raises RoleRefusedError, and then changes nothing.
    """
    roles = {Kind.WEB: web, Kind.WORKER: worker}
    with transaction.atomic():
        found = _relations()
        _refuse(roles, found)
        for statement in _statements(roles, found):
            with connection.cursor() as cursor:
                cursor.execute(statement)


def compare(*, kind: Kind, role: str) -> Difference:
    """Hold what a role may do, by whatever way, against what its kind may. Needs no privilege."""
    found = _relations()
    due, held = _due(kind, found), held_rights(role=role, among=found)
    return Difference(
        missing=tuple(_phrases(due - held, found)),
        superfluous=(*held_powers(role=role), *_phrases(held - due, found)),
    )


def held_by_table(*, role: str) -> Mapping[str, Sequence[str]]:
    """Return what a role may do with each table that we know, in words."""
    found = _relations()
    return _by_table(held_rights(role=role, among=found), found)


def _relations() -> list[Relation]:
    return relations(tables={table for kind in Kind for table in privileges(kind)})


def _refuse(roles: Mapping[Kind, str], found: Sequence[Relation]) -> None:
    foreign = [each.name for each in found if not each.is_ours]
    if foreign:
        raise RoleRefusedError(f"Only the owner of {foreign[0]} can grant: connect as that role.")
    if len(set(roles.values())) < len(roles):
        raise RoleRefusedError("Web and worker need a role each.")
    for role in roles.values():
        is_over = is_over_all(role=role)
        if is_over is None:
            raise RoleRefusedError(f"There is no role {role!r}: make it with LOGIN first.")
        if is_over:
            raise RoleRefusedError(
                f"{role!r} is a superuser or owns our tables: no grant holds it."
            )


def _statements(roles: Mapping[Kind, str], found: Sequence[Relation]) -> Iterator[sql.Composable]:
    """Yield what takes everything from the roles, then what gives them their own."""
    whom = _names(roles.values())
    tables = [each.name for each in found if each.numbers is None]
    sequences = [each.name for each in found if each.numbers is not None]
    records = [each for each in tables if each.startswith(RECORDS)]
    yield from _revoke("TABLE", tables, whom)
    yield from _revoke("SEQUENCE", sequences, whom)
    yield from _revoke("TABLE", records, sql.SQL("PUBLIC"))
    schema = sql.Identifier(current_schema())
    yield sql.SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC, {}").format(schema, whom)
    yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, whom)
    for kind, role in roles.items():
        yield from _grants(kind, role, found)


def _revoke(what: str, names: Sequence[str], whom: sql.Composable) -> Iterator[sql.Composable]:
    if names:
        query = sql.SQL("REVOKE ALL ON {} {} FROM {}")
        yield query.format(sql.SQL(what), _names(names), whom)


def _grants(kind: Kind, role: str, found: Sequence[Relation]) -> Iterator[sql.Composable]:
    due, whom = privileges(kind), sql.Identifier(role)
    for each in found:
        name = sql.Identifier(each.name)
        if _takes_numbers(each, due):
            yield sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(name, whom)
        if each.name in due:
            what = sql.SQL(", ").join(map(_clause, due[each.name].items()))
            yield sql.SQL("GRANT {} ON TABLE {} TO {}").format(what, name, whom)


def _clause(given: tuple[str, Sequence[str] | None]) -> sql.Composable:
    """Write `SELECT`, or `UPDATE ("a", "b")`."""
    privilege, columns = given
    word = sql.SQL(privilege)
    return word if columns is None else sql.SQL("{} ({})").format(word, _names(columns))


def _names(names: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _takes_numbers(relation: Relation, due: Mapping[str, Privileges]) -> bool:
    return relation.is_of_serial and "INSERT" in due.get(relation.numbers or "", {})


def _due(kind: Kind, found: Sequence[Relation]) -> set[Right]:
    """Return the privileges of a kind, one by one, as far as their tables exist."""
    due = privileges(kind)
    rights = {Right(each.name, "USAGE") for each in found if _takes_numbers(each, due)}
    for each in found:
        for privilege, columns in due.get(each.name, {}).items():
            if privilege in BY_COLUMN:
                named = columns or each.columns
                rights |= {Right(each.name, privilege, column) for column in named}
            else:
                rights.add(Right(each.name, privilege))
    return rights


def _phrases(rights: Iterable[Right], found: Sequence[Relation]) -> Iterator[str]:
    for name, phrases in _by_table(rights, found).items():
        yield from (f"{phrase} on {name}" for phrase in phrases)


def _by_table(rights: Iterable[Right], found: Sequence[Relation]) -> Mapping[str, Sequence[str]]:
    """Write rights as phrases; columns are named where not all of them are meant."""
    columns: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in rights:
        columns[each.relation, each.privilege] |= {each.column} if each.column else set()
    every = {each.name: set(each.columns) for each in found}
    phrases: dict[str, list[str]] = defaultdict(list)
    for (name, privilege), named in sorted(columns.items()):
        is_part = named and named != every[name]
        phrases[name].append(f"{privilege} ({', '.join(sorted(named))})" if is_part else privilege)
    return phrases
