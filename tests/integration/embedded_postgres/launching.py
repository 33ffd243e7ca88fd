"""Running the launcher and its stand-ins from the outside."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from project.embedded_postgres import (
    Server,
)

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "project.embedded_postgres"]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "HOME"}
    path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH")]))
    return kept | {"PYTHONPATH": path}


def command(*arguments: str | Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    """The launcher's command line, with no HOME and from a foreign directory."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd="/",
        env=environment(),
        umask=umask,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def wait_until(true: Callable[[], bool], limit_s: float = 10.0) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.002)


def show(server: Server, setting: str) -> object:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(f"SHOW {setting}").fetchone()
    assert row is not None
    return row[0]


def log_of(home: Path) -> str:
    return (home / "server.log").read_text("utf-8")


def make_programs(directory: Path, version: str) -> Path:
    directory.mkdir()
    for name in ("postgres", "initdb", "psql"):
        program = directory / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return directory
