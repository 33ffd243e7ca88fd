"""The roles that may log in: the owner, and one each for the web and the worker process.

What web and worker may do is granted by whoever owns the tables; here they get no more than a
password.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import sql

from project.embedded_postgres.home import OWNER, USER, Home

USERS: Mapping[str, str] = MappingProxyType(
    {OWNER: USER, "web": f"{USER}_web", "worker": f"{USER}_worker"}
)
"""What each role is called in the database."""

_CREATE = "CREATE ROLE {role}"
# Said at every start: a home from before has no such roles, and a lost password file is made anew.
_SET = """ALTER ROLE {role} LOGIN PASSWORD {verifier}
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"""


@dataclass(frozen=True, slots=True)
class Login:
    """One role's name and password, and libpq's password file that holds both."""

    user: str
    password: str = field(repr=False)
    passfile: Path


def logins(home: Home) -> Mapping[str, Login]:
    """The roles whose passwords are in the home, by `owner`, `web` and `worker`."""
    found = {role: home.password(role) for role in USERS}
    return {
        role: Login(USERS[role], password, home.passfile_of(role))
        for role, password in found.items()
        if password is not None
    }


def make_roles(home: Home, connection: psycopg.Connection) -> None:
    """Make the roles that are missing, and set their passwords to those in the home. Repeatable."""
    for role, user in USERS.items():
        if role == OWNER:
            continue
        password = home.password(role) or home.make_password(role, user)
        # The server gets a verifier: not even its memory of statements has the password.
        encrypted = connection.pgconn.encrypt_password(
            password.encode(), user.encode(), b"scram-sha-256"
        )
        names = {"role": sql.Identifier(user), "verifier": sql.Literal(encrypted.decode())}
        query = "SELECT 1 FROM pg_roles WHERE rolname = %s"
        if connection.execute(query, [user]).fetchone() is None:
            connection.execute(sql.SQL(_CREATE).format(role=names["role"]))
        connection.execute(sql.SQL(_SET).format(**names))
