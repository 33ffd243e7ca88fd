"""The roles of web and worker in the test's cluster, and acting as one of them."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

from verification.services.grants import grant
from verification.services.privileges import Kind


@dataclass(frozen=True, slots=True)
class Login:
    """A role of the test's cluster."""

    kind: Kind
    user: str
    password: str = field(repr=False)

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection of this role to the test's database, committing each statement."""
        settings = connection.settings_dict
        return psycopg.connect(
            host=settings["HOST"],
            port=settings["PORT"] or None,
            dbname=settings["NAME"],
            user=self.user,
            password=self.password,
            autocommit=True,
        )


Roles = Mapping[Kind, Login]


@contextmanager
def granted_roles() -> Iterator[Roles]:
    """Lend a role for each kind, with its grants; they have the test database's name in theirs."""
    logins = {kind: _make(kind) for kind in Kind}
    try:
        grant_again(logins)
        yield logins
    finally:
        for each in logins.values():
            owner(f"DROP OWNED BY {each.user}")
            owner(f"DROP ROLE {each.user}")


def grant_again(logins: Roles) -> None:
    """Set the grants right, whatever a test did to them."""
    grant(web=logins[Kind.WEB].user, worker=logins[Kind.WORKER].user)


def _make(kind: Kind) -> Login:
    login = Login(kind, f"{connection.settings_dict['NAME']}_{kind}", secrets.token_hex(16))
    owner(f"DROP ROLE IF EXISTS {login.user}")  # left by a run that was killed
    query = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
    made = query.format(sql.Identifier(login.user), sql.Literal(login.password))
    with connection.cursor() as cursor:
        cursor.execute(made)
    return login


def owner(statement: str) -> None:
    """Run a statement as the owner of the tables."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def acting_as(login: Login) -> Iterator[None]:
    """Let Django's connection be a role's: what runs inside has no more rights than the role."""
    settings = connection.settings_dict
    before = {name: settings[name] for name in ("USER", "PASSWORD")}
    _change({"USER": login.user, "PASSWORD": login.password})
    try:
        yield
    finally:
        _change(before)


def _change(given: Mapping[str, str]) -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's wrapper has it
    connection.settings_dict.update(given)
