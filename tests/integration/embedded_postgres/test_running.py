"""A running private server: who gets in, and what it keeps to itself."""

import os
from pathlib import Path
from urllib.parse import unquote

import environ
import psycopg
import pytest

from project.embedded_postgres import (
    Server,
)
from tests.integration.embedded_postgres.launching import (
    log_of,
    show,
)


def test_the_url_leads_libpq_to_the_new_database(running: Server) -> None:
    with psycopg.connect(running.url()) as connection:
        row = connection.execute("SELECT current_database(), current_user").fetchone()
    assert row == ("verification", "verification")


def test_django_environ_reads_the_url_up_to_the_quoted_host(running: Server) -> None:
    config = environ.Env.db_url_config(running.url("other"))
    assert config["NAME"] == "other"
    assert config["PASSWORD"] == running.password
    assert config["PORT"] == running.port
    assert unquote(config["HOST"]) == str(running.socket_dir)


def test_the_password_shows_in_no_repr_and_no_libpq_environment(running: Server) -> None:
    assert len(running.password) == 64
    assert running.password not in repr(running)
    assert running.password not in str(running.psql_env())


def test_a_wrong_password_is_refused(running: Server) -> None:
    url = running.url().replace(running.password, "0" * 64)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_every_way_in_asks_for_a_password_by_scram(running: Server) -> None:
    lines = (running.data_dir / "pg_hba.conf").read_text("utf-8").splitlines()
    methods = {line.split()[-1] for line in lines if line.strip() and not line.startswith("#")}
    assert methods == {"scram-sha-256"}


def test_no_port_is_opened(running: Server) -> None:
    assert show(running, "listen_addresses") == ""
    assert running.socket_dir.stat().st_mode & 0o077 == 0


def test_the_cluster_is_made_with_checksums_utf8_and_the_c_locale(running: Server) -> None:
    assert show(running, "data_checksums") == "on"
    assert show(running, "server_encoding") == "UTF8"
    with psycopg.connect(running.url()) as connection:
        query = "SELECT datcollate, datctype FROM pg_database WHERE datname = 'verification'"
        assert connection.execute(query).fetchone() == ("C", "C")
    assert show(running, "jit") == "off"


def test_a_failing_statement_leaves_no_value_in_the_log(running: Server) -> None:
    canary = "canary-b7e1"
    with psycopg.connect(running.url()) as connection:
        connection.execute("CREATE TEMPORARY TABLE t (x varchar(3) PRIMARY KEY, y text NOT NULL)")
        with pytest.raises(psycopg.DataError):
            connection.execute("INSERT INTO t VALUES (%s, %s)", [canary, canary])
        connection.rollback()
    with psycopg.connect(running.url()) as connection:
        connection.execute("CREATE TEMPORARY TABLE t (x text, y text NOT NULL)")
        with pytest.raises(psycopg.IntegrityError):
            connection.execute(f"INSERT INTO t VALUES ('{canary}', NULL)")
    log = log_of(running.passfile.parent)
    assert "null value in column" in log
    assert canary not in log


def test_the_server_outlives_its_starter_and_its_terminal(running: Server) -> None:
    assert os.getsid(running.pid) != os.getsid(0)
    assert Path(f"/proc/{running.pid}/fd/0").readlink() == Path(os.devnull)
    parent = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[1]
    assert int(parent) != os.getpid()


def test_the_settings_of_the_callers_environment_do_not_reach_the_server(running: Server) -> None:
    variables = Path(f"/proc/{running.pid}/environ").read_bytes().split(b"\0")
    names = {variable.partition(b"=")[0] for variable in variables if variable}
    assert names <= {
        b"PATH",
        b"LC_ALL",
        b"TZ",
        b"PWD",
        b"OLDPWD",
        b"SHLVL",
        b"_",
        b"PG_GRANDPARENT_PID",
    }
