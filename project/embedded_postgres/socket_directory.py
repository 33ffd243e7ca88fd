"""The directory of the server's Unix socket.

A socket's path must fit `sun_path`: 108 bytes with the closing NUL on Linux, 104 on macOS and BSD
(unix(7), unix(4)). libpq also reads a comma in a host as a list of hosts.
"""

import hashlib
import os
import stat
from pathlib import Path

from project.embedded_postgres.account import Account
from project.embedded_postgres.errors import EmbeddedPostgresError
from project.embedded_postgres.store import Store

PORT = 5432

# Not $TMPDIR and not $XDG_RUNTIME_DIR: one may be long itself, the other is emptied at logout,
# and both may differ between two processes that share a home.
_SHORT = Path("/tmp")  # noqa: S108 - made with 0700 and checked for owner and type below

_LONGEST_BYTES = 103


def prepare(store: Store) -> Path:
    """Create or check the directory: `run` in the store, or a short one that the store decides."""
    directory = choose(store.path, store.account)
    try:
        store.account.make_directory(directory)
    except FileExistsError:
        _check(directory, store.account)
    return directory


def choose(store_path: Path, account: Account) -> Path:
    """The same answer for the same store and account, in every process and environment."""
    inside = store_path / "run"
    socket = os.fsencode(inside / f".s.PGSQL.{PORT}")
    if len(socket) <= _LONGEST_BYTES and b"," not in socket:
        return inside
    digest = hashlib.sha256(os.fsencode(store_path)).hexdigest()[:16]
    return _SHORT / f"verification-pg-{account.uid}-{digest}"


def remove_short(store: Store) -> None:
    """Tidy up after the server stopped: an empty short directory need not stay."""
    directory = choose(store.path, store.account)
    if directory.parent == _SHORT and directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()


def _check(directory: Path, account: Account) -> None:
    """Someone else may have made it first: a link or a stranger's directory is refused."""
    found = directory.lstat()
    private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
    if not private or found.st_uid != account.uid:
        msg = (
            f"{directory}, where the server's socket goes, is not a private directory of uid"
            f" {account.uid}: look at who made it, remove it, and start again."
        )
        raise EmbeddedPostgresError(msg)
