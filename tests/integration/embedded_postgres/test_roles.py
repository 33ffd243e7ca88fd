"""The roles of web and worker: made at every start, with passwords of their own and no power."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from project.embedded_postgres import USERS, EmbeddedPostgresError, Server, start, status, stop
from tests.integration.embedded_postgres.launching import ROOT, command, log_of

OTHERS = ("web", "worker")


def ask(server: Server, role: str, query: str) -> object:
    """Return the first column of the first row, as a role sees it."""
    with psycopg.connect(server.url("postgres", role=role)) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("role", OTHERS)
def test_a_role_logs_in_and_has_no_power(running: Server, role: str) -> None:
    assert ask(running, role, "SELECT session_user::text") == USERS[role] == f"verification_{role}"
    powers = """SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
        OR EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid)
        FROM pg_roles AS r WHERE rolname = current_user"""
    assert ask(running, role, powers) is False
    for statement in ("CREATE ROLE more", "CREATE DATABASE more", "SET ROLE verification"):
        with (
            psycopg.connect(running.url(role=role), autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)


def test_each_role_has_a_password_of_its_own_in_a_private_file(running: Server) -> None:
    passwords = {login.password for login in running.logins.values()}
    assert len(passwords) == len(USERS)
    for role, login in running.logins.items():
        assert login.passfile.stat().st_mode & 0o777 == 0o600
        assert login.passfile.read_text() == f"*:*:*:{USERS[role]}:{login.password}\n"
    assert [password for password in passwords if password in repr(running)] == []


def test_the_password_of_one_role_does_not_open_another(running: Server) -> None:
    url = running.url(role="web").replace(USERS["web"], USERS["worker"])
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_a_home_from_before_gains_the_roles_at_its_next_start(home: Path) -> None:
    server = start(home, durable=False)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        for role in OTHERS:
            connection.execute(f"DROP ROLE {USERS[role]}")
            server.logins[role].passfile.unlink()
    found = status(home)
    assert found is not None
    assert found.url() == server.url()
    with pytest.raises(EmbeddedPostgresError, match="no role 'web' yet: start it again"):
        found.url(role="web")
    again = start(home, durable=False)
    assert [ask(again, role, "SELECT 1") for role in OTHERS] == [1, 1]


def test_a_role_that_was_given_power_or_another_password_is_set_right(home: Path) -> None:
    server = start(home, durable=False)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {USERS['web']} SUPERUSER CREATEROLE PASSWORD 'other'")
    assert start(home, durable=False) == server
    is_super = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    assert ask(server, "web", is_super) is False


def test_no_password_and_no_verifier_is_in_the_log(running: Server) -> None:
    log = log_of(running.passfile.parent)
    assert "SCRAM-SHA-256" not in log
    assert [each.password for each in running.logins.values() if each.password in log] == []


@pytest.mark.parametrize("role", OTHERS)
def test_the_command_line_connects_as_a_role(running: Server, role: str) -> None:
    home = running.passfile.parent
    told = command("url", "--home", home, "--role", role)
    assert told.stdout.strip() == running.url(role=role)
    asked = command("psql", "--home", home, "--role", role, "-Atc", "SELECT session_user")
    assert asked.stdout.strip() == USERS[role]
    assert command("url", "--home", home, "--role", "other").returncode == 2


def test_the_environment_for_libpq_names_the_file_of_the_role(running: Server) -> None:
    environment = running.psql_env("web")
    assert environment["PGUSER"] == USERS["web"]
    assert environment["PGPASSFILE"] == os.fspath(running.logins["web"].passfile)
    assert running.logins["web"].password not in str(environment)


def settings(home: Path, role: str) -> subprocess.CompletedProcess[str]:
    """Print as whom the site's settings connect."""
    script = "from project.settings import DATABASES as d; print(d['default']['USER'])"
    given = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    given |= {"LOCAL_DIR": str(home.parent), "DATABASE_ROLE": role}
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_settings_connect_as_the_role_that_the_environment_names(home: Path) -> None:
    place = home.parent / "postgres"
    start(place, durable=False)
    try:
        for role, user in USERS.items():
            assert settings(place, role).stdout.strip() == user
        refused = settings(place, "root")
        assert refused.returncode == 1
        assert "DATABASE_ROLE must be owner, web or worker, not 'root'" in refused.stderr
    finally:
        stop(place)
