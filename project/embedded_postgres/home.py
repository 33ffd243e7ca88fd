"""The folder that the launcher owns: its lock, its password files, its log."""

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from project.embedded_postgres.errors import EmbeddedPostgresError

USER = "verification"
OWNER = "owner"

_LOCK_LIMIT_S = 180.0


@dataclass(frozen=True, slots=True)
class Home:
    """Paths inside the folder; `path` is absolute and free of symbolic links."""

    path: Path

    @property
    def passfile(self) -> Path:
        """libpq's password file, the only place where the password is kept; mode 0600."""
        return self.path / "pgpass"

    def passfile_of(self, role: str) -> Path:
        """The same for each role: whoever is handed one file, has one role."""
        return self.passfile if role == OWNER else self.path / f"pgpass-{role}"

    @property
    def location_file(self) -> Path:
        """Names the store when it is outside this folder; see `store`."""
        return self.path / "location"

    @property
    def log_file(self) -> Path:
        """What the server prints; mode 0600."""
        return self.path / "server.log"

    def make(self) -> None:
        """Create the folder, or refuse one that other users could tamper with.

        A folder that exists keeps its mode: `--home` may name anything.
        """
        if "\n" in str(self.path):
            raise EmbeddedPostgresError("The home's path holds a line break: choose another one.")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.path.mkdir()
        except FileExistsError:
            self._check()
        else:
            # Root's server runs under another account, which has to pass through.
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)

    def _check(self) -> None:
        found = self.path.stat()
        if not stat.S_ISDIR(found.st_mode):
            msg = f"{self.path} is not a directory: choose another home."
            raise EmbeddedPostgresError(msg)
        if os.geteuid() not in (0, found.st_uid):
            msg = (
                f"{self.path} belongs to another user (uid {found.st_uid}):"
                " start as that user or as root, or choose another home."
            )
            raise EmbeddedPostgresError(msg)
        if found.st_mode & stat.S_IWOTH:
            msg = (
                f"Every user can write to {self.path}: run `chmod o-w` on it,"
                " or choose another home."
            )
            raise EmbeddedPostgresError(msg)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One launcher at a time; the kernel frees the lock when its holder dies."""
        with open_private(self.path / "lock", os.O_RDWR) as file:
            deadline = time.monotonic() + _LOCK_LIMIT_S
            while not _try_lock(file):
                if time.monotonic() > deadline:
                    msg = (
                        f"Another process has held {file.name} for {_LOCK_LIMIT_S:.0f} s:"
                        " end that process and try again."
                    )
                    raise EmbeddedPostgresError(msg)
                time.sleep(0.02)
            yield

    def password(self, role: str = OWNER) -> str | None:
        """The password of a role; None before there is one."""
        try:
            return self.passfile_of(role).read_text("ascii").strip().rpartition(":")[2]
        except FileNotFoundError:
            return None

    def make_password(self, role: str = OWNER, user: str = USER) -> str:
        """A new random password, on disk before anything uses it. Hexadecimal: needs no escapes."""
        password = secrets.token_hex(32)
        passfile = self.passfile_of(role)
        partial = passfile.with_name(f"{passfile.name}.partial")
        with open_private(partial, os.O_WRONLY | os.O_TRUNC) as file:
            file.write(f"*:*:*:{user}:{password}\n".encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        partial.rename(passfile)
        return password

    def open_log(self) -> IO[bytes]:
        """The log, opened to append."""
        return open_private(self.log_file, os.O_WRONLY | os.O_APPEND)

    def log_size_bytes(self) -> int:
        """Where the next line of the log will begin."""
        return self.log_file.stat().st_size if self.log_file.exists() else 0

    def printed_since(self, offset: int) -> str:
        """The end of what the log gained since `offset`, 2000 bytes at most."""
        with self.log_file.open("rb") as log:
            log.seek(offset)
            return log.read()[-2000:].decode("utf-8", "replace").strip()


def open_private(path: Path, flags: int) -> IO[bytes]:
    """Open or create a file with mode 0600, whatever the umask; a symbolic link is refused."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab" if flags & os.O_APPEND else "wb")


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
