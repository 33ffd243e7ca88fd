"""Where the data lives: inside the home, or outside it when root's server cannot reach the home.

A server that root hands to another account cannot enter, say, a checkout under a 0700 home
directory. Opening that directory would be wrong, so the data goes to a private directory under
/var/lib, and the home records where.
"""

import hashlib
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from project.embedded_postgres.account import Account, account_of, default_account
from project.embedded_postgres.errors import EmbeddedPostgresError
from project.embedded_postgres.home import Home, open_private

OUTSIDE = Path("/var/lib/verification-postgres")

_PARTIAL = "partial-"


@dataclass(frozen=True, slots=True)
class Store:
    """A directory that the server's account can enter but only we can write."""

    path: Path
    account: Account

    @property
    def data_dir(self) -> Path:
        """PostgreSQL's data directory."""
        return self.path / "data"

    def partial(self) -> Path:
        """A new name for something half made, to be renamed when it is whole."""
        return self.path / f"{_PARTIAL}{secrets.token_hex(8)}"

    def remove_leftovers(self) -> None:
        """Delete what a killed launcher left half made; one that cannot go now, goes next time."""
        for leftover in self.path.glob(f"{_PARTIAL}*"):
            shutil.rmtree(leftover, ignore_errors=True)


def find_store(home: Home) -> Store | None:
    """The store that this home uses already; None when it has no data yet."""
    path = _recorded(home) or home.path
    data_dir = path / "data"
    if not data_dir.exists():
        return None
    return Store(path, account_of(data_dir))


def make_store(home: Home) -> Store:
    """The store of this home, chosen and recorded when it is new. Repeating gives the same."""
    found = find_store(home)
    if found is not None:
        return found
    account = default_account()
    recorded = _recorded(home)
    if recorded is not None and recorded.is_dir():
        return Store(recorded, account)
    if account.can_enter(home.path):
        return Store(home.path, account)
    return Store(_make_outside(home), account)


def _recorded(home: Home) -> Path | None:
    try:
        return Path(os.fsdecode(home.location_file.read_bytes().rstrip(b"\n")))
    except FileNotFoundError:
        return None


def _make_outside(home: Home) -> Path:
    """A fresh name each time: data that an earlier home left behind is never taken over."""
    try:
        OUTSIDE.mkdir(exist_ok=True)
        OUTSIDE.chmod(0o711)
        digest = hashlib.sha256(os.fsencode(home.path)).hexdigest()[:12]
        path = Path(tempfile.mkdtemp(prefix=f"{digest}-", dir=OUTSIDE))
    except OSError as error:
        msg = (
            f"The account that runs PostgreSQL for root cannot enter {home.path}, and {OUTSIDE}"
            f" cannot be written ({error.strerror}): start as an ordinary user, or choose a home"
            " that every user can enter."
        )
        raise EmbeddedPostgresError(msg) from error
    path.chmod(0o711)
    _write(path / "home", home.path)
    _write(home.location_file, path)
    return path


def _write(file_path: Path, content: Path) -> None:
    with open_private(file_path, os.O_WRONLY | os.O_TRUNC) as file:
        file.write(os.fsencode(content) + b"\n")
