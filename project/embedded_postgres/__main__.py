"""Command line: `python -m project.embedded_postgres start|status|stop|url|psql [--home DIR]`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from project.embedded_postgres import DEFAULT_HOME, EmbeddedPostgresError, Server
from project.embedded_postgres.home import OWNER
from project.embedded_postgres.roles import USERS
from project.embedded_postgres.server import start, status, stop

_NOT_RUNNING = 3  # as `pg_ctl status` and the init scripts of LSB have it


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 done, 1 failed with a sentence on stderr, 3 no server runs."""
    options, rest = _parser().parse_known_args(arguments)
    try:
        return _run(options, rest)
    except EmbeddedPostgresError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m project.embedded_postgres",
        description="The private PostgreSQL of this checkout.",
    )
    parser.add_argument(
        "action",
        choices=["start", "status", "stop", "url", "psql"],
        help="`url` prints the connection with its password; `psql` takes psql's own arguments",
    )
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, help="default: %(default)s")
    parser.add_argument("--database", default="verification", help="default: %(default)s")
    parser.add_argument(
        "--role",
        choices=list(USERS),
        default=OWNER,
        help="as whom `url` and `psql` connect; default: %(default)s",
    )
    parser.add_argument(
        "--not-durable",
        action="store_true",
        help="start without flushing to the disk: for throw-away data",
    )
    return parser


def _run(options: argparse.Namespace, rest: Sequence[str]) -> int:
    if rest and options.action != "psql":
        msg = f"Unknown arguments: {' '.join(rest)}"
        raise EmbeddedPostgresError(msg)
    if options.action == "start":
        server = start(options.home, database=options.database, durable=not options.not_durable)
        return _say(_summary(server))
    if options.action == "stop":
        stop(options.home)
        return _say("stopped")
    found = status(options.home)
    if found is None:
        sys.stderr.write(f"No server runs in {options.home}.\n")
        return _NOT_RUNNING
    if options.action == "psql":
        _become_psql(found, options, rest)
    if options.action == "url":
        return _say(found.url(options.database, options.role))
    return _say(_summary(found))


def _summary(server: Server) -> str:
    return f"running: process {server.pid}, socket {server.socket_dir}, data {server.data_dir}"


def _say(line: str) -> int:
    sys.stdout.write(f"{line}\n")
    return 0


def _become_psql(server: Server, options: argparse.Namespace, rest: Sequence[str]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment = kept | server.psql_env(options.role) | {"PGDATABASE": options.database}
    psql = server.bin_dir / "psql"
    os.execve(psql, [str(psql), *rest], environment)  # noqa: S606 - an absolute path, no shell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
