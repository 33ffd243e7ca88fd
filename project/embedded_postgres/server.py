"""Starting, finding and stopping the private server of a home."""

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from project.embedded_postgres import binaries, postmaster, socket_directory
from project.embedded_postgres.cluster import data_major, make_data
from project.embedded_postgres.errors import EmbeddedPostgresError
from project.embedded_postgres.home import OWNER, USER, Home
from project.embedded_postgres.roles import Login, logins, make_roles
from project.embedded_postgres.store import Store, find_store, make_store

_READY_LIMIT_S = 120.0
_ORPHAN_LIMIT_S = 30.0
_FAST_STOP_S = 20.0
_IMMEDIATE_STOP_S = 10.0

_LOCK_PATIENCE_S = 1.0

# What PostgreSQL prints while processes of a killed server still hold the data or the socket.
_PASSING = re.compile(r'pre-existing shared memory block|lock file ".*" already exists')


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. Its superuser is `user`; the socket exists only for who may enter its
    directory, and the password is asked for there too. `logins` by role: owner, web, worker."""

    socket_dir: Path
    port: int
    user: str
    password: str = field(repr=False)
    data_dir: Path
    bin_dir: Path
    pid: int
    passfile: Path
    logins: Mapping[str, Login]

    def login(self, role: str) -> Login:
        """A role's name and password; EmbeddedPostgresError if this home has none of it yet."""
        try:
            return self.logins[role]
        except KeyError:
            msg = f"The embedded PostgreSQL has no role {role!r} yet: start it again."
            raise EmbeddedPostgresError(msg) from None

    def url(self, database: str = "verification", role: str = OWNER) -> str:
        """The connection as DATABASE_URL and libpq write it, the password included.

        The host is the socket's directory, %-encoded (PostgreSQL documentation, 34.1.1.2).
        django-environ leaves that host encoded: settings have to unquote it.
        """
        host = quote(os.fsencode(self.socket_dir), safe="")
        login = self.login(role)
        who = f"{login.user}:{login.password}"
        return f"postgres://{who}@{host}:{self.port}/{quote(database, '')}"

    def psql_env(self, role: str = OWNER) -> dict[str, str]:
        """Environment for libpq programs; it names the password's file, not the password."""
        login = self.login(role)
        return {
            "PGHOST": str(self.socket_dir),
            "PGPORT": str(self.port),
            "PGUSER": login.user,
            "PGPASSFILE": str(login.passfile),
        }


def start(home: Path, *, database: str = "verification", durable: bool = True) -> Server:
    """The server of this home, started and given its roles and its database if need be.

    Returns when a connection with the password has succeeded. Safe to repeat, and from many
    processes at once: all get the same server. `durable=False` gives up safety against a crash of
    the machine for speed: for throw-away databases only.

    Raises EmbeddedPostgresError, also when a durable server is wanted and one that is not runs.
    """
    place = Home(home.resolve())
    with _explained(place, "started"):
        place.make()
        with place.locked():
            store = make_store(place)
            password = _password(place, store)
            _bring_up(place, store, password, durable=durable)
            _furnish(place, store, password, database, durable=durable)
            return _describe(place, store, password)


def status(home: Path) -> Server | None:
    """The server of this home when it accepts connections, else None. Changes nothing."""
    place = Home(home.resolve())
    with _explained(place, "examined"):
        store = find_store(place)
        password = place.password()
        if store is None or password is None:
            return None
        pid_file = postmaster.read_pid_file(store.data_dir)
        if pid_file is None or not pid_file.ready:
            return None
        if postmaster.running_pid(store.data_dir) != pid_file.pid:
            return None
        return _describe(place, store, password)


def stop(home: Path) -> None:
    """Stop the server of this home and no other; none running is fine.

    Clients are cut off. After 20 s the server is told to go without a checkpoint, which loses
    nothing that was committed. Raises EmbeddedPostgresError when it has not gone after 30 s.
    """
    place = Home(home.resolve())
    if not place.path.exists():
        return
    with _explained(place, "stopped"), place.locked():
        store = find_store(place)
        if store is not None:
            postmaster.end(store.data_dir, fast_s=_FAST_STOP_S, immediate_s=_IMMEDIATE_STOP_S)
            socket_directory.remove_short(store)


@contextmanager
def _explained(home: Home, deed: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"The embedded PostgreSQL in {home.path} could not be {deed}: {error}"
        raise EmbeddedPostgresError(msg) from error


def _password(home: Home, store: Store) -> str:
    password = home.password()
    if password is None and store.data_dir.exists():
        msg = (
            f"{home.passfile} with the password of {store.data_dir} is missing: put it back, or"
            " move the data away to begin with an empty database."
        )
        raise EmbeddedPostgresError(msg)
    return password or home.make_password()


def _bring_up(home: Home, store: Store, password: str, *, durable: bool) -> None:
    """Start until a server answers; one that was killed may leave orphans, which soon go."""
    chosen = None
    began = time.monotonic()
    while True:
        printed_before = home.log_size_bytes()
        found = postmaster.running_pid(store.data_dir)
        if found is None:
            chosen = chosen or _prepare(store, password, durable=durable)
            socket_dir = socket_directory.prepare(store)
            pid = postmaster.launch(home, store, chosen, socket_dir, durable=durable)
        else:
            pid = found
        if _answers(store, pid, password):
            return
        if found is None:  # one that we only found may have been dying already
            tried_s = time.monotonic() - began
            _bear_or_raise(home, store, home.printed_since(printed_before), tried_s)
        time.sleep(0.1)


def _bear_or_raise(home: Home, store: Store, printed: str, tried_s: float) -> None:
    """Return when a start that failed is worth repeating."""
    if not _PASSING.search(printed):
        msg = f"PostgreSQL did not start; {home.log_file}: {printed}"
        raise EmbeddedPostgresError(msg)
    if tried_s > _ORPHAN_LIMIT_S:
        msg = (
            f"Processes of a server that was killed still use {store.data_dir} after"
            f" {_ORPHAN_LIMIT_S:.0f} s: end them ({postmaster.processes_of(store.data_dir)}) and"
            " start again."
        )
        raise EmbeddedPostgresError(msg)
    if tried_s > _LOCK_PATIENCE_S:
        socket_dir = socket_directory.choose(store.path, store.account)
        postmaster.remove_foreign_locks(store.data_dir, socket_dir)


def _prepare(store: Store, password: str, *, durable: bool) -> binaries.Binaries:
    store.remove_leftovers()
    major = data_major(store.data_dir)
    chosen = binaries.within_reach(binaries.choose(binaries.candidates(store), major=major), store)
    if major is None:
        make_data(store, chosen, password, durable=durable)
    return chosen


def _answers(store: Store, pid: int, password: str) -> bool:
    """Wait for a real connection; False when the process ended instead."""
    deadline = time.monotonic() + _READY_LIMIT_S
    while postmaster.is_alive(pid):
        pid_file = postmaster.read_pid_file(store.data_dir)
        if pid_file is not None and pid_file.pid == pid and _connects(pid_file, password):
            return True
        if time.monotonic() > deadline:
            msg = (
                f"The server (process {pid}) runs, but accepts no connection after"
                f" {_READY_LIMIT_S:.0f} s; it may still be recovering: see its log, try again."
            )
            raise EmbeddedPostgresError(msg)
        time.sleep(0.02)
    return False


def _connects(pid_file: postmaster.PidFile, password: str) -> bool:
    try:
        with closing(_connect(pid_file.socket_dir, pid_file.port, password)):
            return True
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise EmbeddedPostgresError(
                "The server refused the password in the home's `pgpass`: put the file back that"
                " belongs to this data."
            ) from None
        return False


def _connect(socket_dir: Path, port: int, password: str) -> psycopg.Connection:
    return psycopg.connect(
        host=str(socket_dir),
        port=port,
        user=USER,
        password=password,
        dbname="postgres",
        autocommit=True,
        connect_timeout=5,
    )


def _describe(home: Home, store: Store, password: str) -> Server:
    pid_file = postmaster.read_pid_file(store.data_dir)
    if pid_file is None:
        raise EmbeddedPostgresError("The server stopped while it was being started: try again.")
    return Server(
        socket_dir=pid_file.socket_dir,
        port=pid_file.port,
        user=USER,
        password=password,
        data_dir=store.data_dir,
        bin_dir=postmaster.program_dir(store.data_dir),
        pid=pid_file.pid,
        passfile=home.passfile,
        logins=logins(home),
    )


def _furnish(home: Home, store: Store, password: str, database: str, *, durable: bool) -> None:
    """Make the roles and the database, where they are missing."""
    server = _describe(home, store, password)
    with closing(_connect(server.socket_dir, server.port, password)) as connection:
        if durable and connection.execute("SHOW fsync").fetchone() == ("off",):
            raise EmbeddedPostgresError(
                "The server runs without durability, for throw-away data: stop it first, or use"
                " another home."
            )
        make_roles(home, connection)
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, [database]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
