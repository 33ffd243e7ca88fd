"""The server's first process: whether it runs, starting it, ending it.

postmaster.pid, the lock file of a data directory, has a line each for: process id, data directory,
start time, port, socket directory, listen address, shared memory, state
(src/include/utils/pidfile.h). PostgreSQL judges whether it may be replaced, and errs on the side
of refusing; see `remove_foreign_locks` for the one case in which it never ceases to.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from project.embedded_postgres.binaries import Binaries
from project.embedded_postgres.errors import EmbeddedPostgresError
from project.embedded_postgres.home import Home
from project.embedded_postgres.socket_directory import PORT
from project.embedded_postgres.store import Store

_PROC = Path("/proc")
_PID_FILE_LINES = 8

# An aborted connection is no reason to keep faces and tokens: no statement, no parameter and no
# row detail may reach the log.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "cluster_name": "verification",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


@dataclass(frozen=True, slots=True)
class PidFile:
    """The lines of postmaster.pid that we use."""

    pid: int
    port: int
    socket_dir: Path
    ready: bool


def read_pid_file(data_dir: Path) -> PidFile | None:
    """What the file says, true or stale; None when it is missing or not yet complete.

    PostgreSQL fills it in step by step: the socket's line stays empty until it listens.
    """
    try:
        lines = os.fsdecode((data_dir / "postmaster.pid").read_bytes()).split("\n")
    except FileNotFoundError:
        return None
    if len(lines) < _PID_FILE_LINES or not lines[4].startswith("/"):
        return None
    return PidFile(int(lines[0]), int(lines[3]), Path(lines[4]), lines[7].strip() == "ready")


def running_pid(data_dir: Path) -> int | None:
    """The process id of the live server on this data; None when there is none."""
    pid = _written_pid(data_dir)
    return pid if pid is not None and is_alive(pid) and _works_in(pid, data_dir) else None


def program_dir(data_dir: Path) -> Path:
    """Where the running server was started from: the first word of postmaster.opts."""
    line = os.fsdecode((data_dir / "postmaster.opts").read_bytes())
    return Path(line.split(' "', 1)[0].rstrip("\n")).parent


def launch(home: Home, store: Store, binaries: Binaries, socket_dir: Path, *, durable: bool) -> int:
    """Start the server detached and give its process id; it is not ready yet, and may yet fail.

    Settings go on the command line, so that they hold for data made by an earlier release too.
    """
    switch = "on" if durable else "off"
    settings = _SETTINGS | {
        "unix_socket_directories": str(socket_dir),
        "fsync": switch,
        "synchronous_commit": switch,
        "full_page_writes": switch,
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with home.open_log() as log:
        return store.account.detach(
            [binaries.bin_dir / "postgres", "-D", store.data_dir, *options], log=log
        )


def end(data_dir: Path, *, fast_s: float, immediate_s: float) -> None:
    """Fast shutdown, then an immediate one; never a kill, which would leave orphans."""
    pid = running_pid(data_dir)
    for number, bound_s in ((signal.SIGINT, fast_s), (signal.SIGQUIT, immediate_s)):
        if pid is None:
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + bound_s
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        pid = running_pid(data_dir)
    if pid is not None:
        msg = (
            f"The server (process {pid}) did not stop within {fast_s + immediate_s:.0f} s:"
            " see its log, and try again."
        )
        raise EmbeddedPostgresError(msg)


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[0]
    except FileNotFoundError:
        return not _has_proc()
    return state != b"Z"


def processes_of(data_dir: Path) -> list[int]:
    """All live processes of the data's server, orphans included; needs /proc, else empty."""
    pids = (int(entry.name) for entry in _PROC.glob("[0-9]*"))
    return [pid for pid in pids if _works_in(pid, data_dir)]


def remove_foreign_locks(data_dir: Path, socket_dir: Path) -> None:
    """Clear lock files whose process id is now another program's, or a zombie's.

    PostgreSQL refuses to start for as long as that lives. For a caller who holds the home's lock
    and has seen the refusal last; nothing is done unless /proc shows that no process at all works
    in the data directory.
    """
    if _has_proc() and not processes_of(data_dir):
        (data_dir / "postmaster.pid").unlink(missing_ok=True)
        (socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


def _written_pid(data_dir: Path) -> int | None:
    try:
        first = (data_dir / "postmaster.pid").read_bytes().partition(b"\n")[0]
    except FileNotFoundError:
        return None
    return int(first) if first.isdigit() else None


def _works_in(pid: int, data_dir: Path) -> bool:
    """PostgreSQL's processes work in their data directory, which tells a reused id from ours."""
    if not _has_proc():
        return True
    try:
        return (_PROC / str(pid) / "cwd").samefile(data_dir)
    except OSError:
        return False


def _has_proc() -> bool:
    return _PROC.joinpath("self").exists()
