"""The operating-system account that the server's processes run under.

PostgreSQL refuses to run as root. An ordinary user runs it as itself; root hands it to an account
with fewer rights, in the child process only.
"""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from project.embedded_postgres.errors import EmbeddedPostgresError

# Nothing of ours reaches the server: LD_*, PG* and locale variables would change what it does.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

# The shell leaves the server without a living parent, so that whoever reaps orphans reaps it.
# A server that stays our child would, once killed, be our zombie, and a zombie's process id still
# counts as "another server is running" when PostgreSQL looks at its lock file.
_DETACH = '"$@" >&2 & echo $!'


@dataclass(frozen=True, slots=True)
class Account:
    """A uid and gid; `demoted` when they are not the ones of this process."""

    uid: int
    gid: int
    demoted: bool

    def run(self, command: Sequence[str | Path], *, timeout_s: float) -> tuple[int, str]:
        """Exit status and combined output; a command that cannot be run or hangs gives 126."""
        try:
            done = subprocess.run(  # noqa: S603 - the command is one of the chosen binaries, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
                cwd="/",
                env=_ENVIRONMENT,
                umask=0o077,
                user=self.uid if self.demoted else None,
                group=self.gid if self.demoted else None,
                extra_groups=[] if self.demoted else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return 126, str(error)
        return done.returncode, os.fsdecode(done.stdout)

    def detach(self, command: Sequence[str | Path], *, log: IO[bytes]) -> int:
        """Start a command that outlives this process, in its own session; its process id."""
        done = subprocess.run(  # noqa: S603 - a fixed script, its arguments are not interpreted
            ["/bin/sh", "-c", _DETACH, "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            timeout=30,
            check=True,
            cwd="/",
            env=_ENVIRONMENT,
            umask=0o077,
            start_new_session=True,
            user=self.uid if self.demoted else None,
            group=self.gid if self.demoted else None,
            extra_groups=[] if self.demoted else None,
        )
        return int(done.stdout)

    def can_enter(self, directory: Path) -> bool:
        """Ask the kernel, as that account: modes alone do not tell about ACLs and mounts."""
        if not self.demoted:
            return True
        return self.run(["/bin/sh", "-c", 'cd "$1"', "sh", directory], timeout_s=10)[0] == 0

    def make_directory(self, path: Path) -> None:
        """A new 0700 directory of this account, whatever the umask.

        Raises FileExistsError for anything that is there already, a symbolic link included.
        """
        path.mkdir(mode=0o700)
        if self.demoted:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def default_account() -> Account:
    """Who runs a new server: ourselves, or for root `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), demoted=False)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, demoted=True)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it:"
        " start as an ordinary user, or make one of them."
    )


def account_of(data_dir: Path) -> Account:
    """Who runs a server on existing data: the owner of the data."""
    found = data_dir.stat()
    if os.geteuid() == 0 and found.st_uid != 0:
        return Account(found.st_uid, found.st_gid, demoted=True)
    if found.st_uid != os.geteuid() or os.geteuid() == 0:
        msg = (
            f"The data in {data_dir} belongs to another user (uid {found.st_uid}):"
            " start as that user or as root, or choose another home."
        )
        raise EmbeddedPostgresError(msg)
    return Account(found.st_uid, found.st_gid, demoted=False)
