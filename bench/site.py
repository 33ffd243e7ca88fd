"""What every benchmark stands on: a database of its own, settings, processes that it stops."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg.sql import SQL, Identifier

from project import embedded_postgres
from verification.ledger.keys import SignatureType, new_signing_key, skey_text

ROOT = Path(__file__).resolve().parent.parent
START_S = 30.0
STOP_S = 40.0


class BenchError(RuntimeError):
    """A benchmark could not be run; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Site:
    """A migrated, empty database, and the environment of processes that use it."""

    database_url: str = field(repr=False)
    environ: dict[str, str] = field(repr=False)
    psql: str

    def connect(self) -> psycopg.Connection:
        """Return a connection in autocommit."""
        return psycopg.connect(self.database_url, autocommit=True)

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed."""
        return self.run([sys.executable, "manage.py", *arguments])

    def child(self, name: str, *arguments: str) -> str:
        """Run bench/NAME.py in a fresh process with Django set up; return what it printed."""
        return self.run([sys.executable, "-m", "bench.child", name, *arguments])

    def run(self, command: Sequence[str]) -> str:
        """Run a command of ours to its end and return its standard output."""
        done = subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"{command[1:3]} failed:\n{done.stderr[-2000:]}")
        return done.stdout


@contextmanager
def new_site() -> Iterator[Site]:
    """Make a database for this run on DATABASE_URL's server, or the embedded one; drop it after."""
    name = f"verification_bench_{secrets.token_hex(4)}"
    with _server() as (server_url, psql), psycopg.connect(server_url, autocommit=True) as server:
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            url = f"{server_url.rpartition('/')[0]}/{name}"
            site = Site(url, _environ(url), psql)
            site.manage("migrate", "--verbosity", "0")
            yield site
        finally:
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def describe_database(site: Site) -> str:
    """Return version and durability: commits cost more when they wait for the disk."""
    with site.connect() as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), current_setting('fsync')"
        ).fetchone()
    version, fsync = row or ("?", "?")
    return f"PostgreSQL {version.split()[0]} (fsync {fsync})"


@contextmanager
def running(site: Site, command: Sequence[str], *, port: int, **more: str) -> Iterator[int]:
    """Run a server until the block ends; the value is its process id. It listens on `port`."""
    with background(site, command, more=more) as process:
        _wait_until_listening(process, port, command)
        yield process.pid


@contextmanager
def background(
    site: Site,
    command: Sequence[str],
    *,
    pipe: int = subprocess.DEVNULL,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends; `pipe` is for its standard input and output."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**site.environ, **more},
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _server() -> Iterator[tuple[str, str]]:
    """Lend the URL of a database on a server, and psql; stop the server if it was started here."""
    if url := os.environ.get("DATABASE_URL"):
        psql = shutil.which("psql")
        if psql is None:
            raise BenchError("psql is not on the PATH: it is what the export is compared with.")
        yield url, psql
        return
    home = ROOT / ".local" / "bench-postgres"
    was_running = embedded_postgres.status(home) is not None
    server = embedded_postgres.start(home)
    try:
        yield server.url(), str(server.bin_dir / "psql")
    finally:
        if not was_running:
            embedded_postgres.stop(home)


def _environ(database_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": database_url,
        "DATABASE_POOL_MAX": "16",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DEBUG": "false",
        "HTTPS": "false",
        "ALLOWED_HOSTS": "127.0.0.1",
        "FACEID_REGION": "sandbox",
        "FACEID_API_KEY": "bench_key",
        "FACEID_API_SECRET": "bench_secret",
        "SECOND_FACTOR": "false",  # a page is timed as for somebody who gave the code
        "VERIFICATION_KEYRING": "bench:" + "A" * 43 + "=",
        "VERIFICATION_DIGEST_KEY": "B" * 43 + "=",
        "VERIFICATION_LEDGER_KEY": skey_text(new_signing_key("bench", SignatureType.NOTE)),
        "WEB_WORKERS": "1",
        "LOG_LEVEL": "ERROR",
    }


def _wait_until_listening(
    process: subprocess.Popen[bytes], port: int, command: Sequence[str]
) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(f"{command} ended before it listened")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise BenchError(f"{command} did not listen within {START_S:.0f} s")
