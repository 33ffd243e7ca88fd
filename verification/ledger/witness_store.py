"""A witness's memory on a local disk: a folder that belongs to one key, a file for each log.

Each file is the last note cosigned, so it can be checked with the witness's vkey, and published
as it is. The folder also names its key: one that was emptied, or not mounted, is not taken for
that of a witness which has not cosigned yet.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from verification.ledger.errors import WitnessError
from verification.ledger.keys import VerifierKey

_OWNER = "vkey"


@dataclass(frozen=True, slots=True)
class FileStore:
    """The memory of the witness `owner` in `folder`, which `create_store` made."""

    folder: Path
    owner: VerifierKey

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other threads and processes out; the kernel frees the lock when its holder dies."""
        # The folder itself is locked, since a lock file could be deleted under its holder.
        # Each call opens it anew, which makes the lock count between threads, too.
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def load(self, origin: str) -> bytes | None:
        """Return the last note; None if there is none. WitnessError in another's folder."""
        self._check_owner()
        try:
            return self._path(origin).read_bytes()
        except FileNotFoundError:
            return None

    def save(self, origin: str, note: bytes) -> None:
        """Replace the note, for good when this returns; to be called within `locked`."""
        path = self._path(origin)
        part = path.with_suffix(".part")
        write_private(part, note, os.O_TRUNC)
        part.replace(path)
        sync_folder(self.folder)

    def _path(self, origin: str) -> Path:
        return self.folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.checkpoint"

    def _check_owner(self) -> None:
        try:
            owner = (self.folder / _OWNER).read_text()
        except OSError as error:
            why = f"{self.folder} is not the folder of a witness: {error.strerror}"
            raise WitnessError(why) from None
        if owner != f"{self.owner}\n":
            raise WitnessError(f"{self.folder} belongs to another witness")


def create_store(folder: Path, owner: VerifierKey) -> FileStore:
    """Make the folder (mode 0700) of a new witness; WitnessError if anything is in it already."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise WitnessError(f"{folder} is not empty")
    write_private(folder / _OWNER, f"{owner}\n".encode(), os.O_EXCL)
    sync_folder(folder)
    return FileStore(folder, owner)


def write_private(path: Path, content: bytes, how: int) -> None:
    """Write a file of mode 0600 and flush it to the disk; `how` is O_EXCL or O_TRUNC."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
