"""Making a data directory."""

import os
from pathlib import Path

from project.embedded_postgres.binaries import Binaries
from project.embedded_postgres.errors import EmbeddedPostgresError
from project.embedded_postgres.home import USER, open_private
from project.embedded_postgres.store import Store

_INITDB_LIMIT_S = 120.0


def data_major(data_dir: Path) -> int | None:
    """The major version that made the data; None when there is none yet."""
    try:
        return int((data_dir / "PG_VERSION").read_text("ascii"))
    except FileNotFoundError:
        if data_dir.exists():
            msg = f"{data_dir} exists, but is no PostgreSQL data directory: move it away."
            raise EmbeddedPostgresError(msg) from None
        return None


def make_data(store: Store, binaries: Binaries, password: str, *, durable: bool) -> None:
    """Run initdb beside the final place and rename: what is there is whole, or is not there.

    Checksums on; UTF-8; C locale, because the wheel's build has no ICU; a password for every way
    in. Without `durable` the files are not flushed to the disk.
    """
    workshop = store.partial()
    store.account.make_directory(workshop)
    passfile = workshop / "password"
    with open_private(passfile, os.O_WRONLY) as file:
        file.write(password.encode("ascii"))
        if store.account.demoted:
            os.fchown(file.fileno(), store.account.uid, store.account.gid)
    status, printed = store.account.run(
        [
            binaries.bin_dir / "initdb",
            f"--pgdata={workshop / 'data'}",
            f"--username={USER}",
            f"--pwfile={passfile}",
            "--auth=scram-sha-256",
            "--data-checksums",
            "--encoding=UTF8",
            "--locale=C",
            *([] if durable else ["--no-sync"]),
        ],
        timeout_s=_INITDB_LIMIT_S,
    )
    passfile.unlink()
    if status != 0:
        msg = f"PostgreSQL could not make its data directory in {store.path}: {printed.strip()}"
        raise EmbeddedPostgresError(msg)
    (workshop / "data").rename(store.data_dir)
    workshop.rmdir()
    _flush(store.path)


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
