"""The folder in which the worker writes exports, and from which they are handed out.

Its files hold personal data: they are readable by their owner only, have no name but the export's
id, and go as soon as no job needs them.
"""

import hashlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
SPARE_BYTES = 512 * 1024 * 1024
"""So much stays free on the disk: an export is no reason for anything else to stop."""

READ_BYTES = 1024 * 1024


class ExportFolder:
    """Files by the id of their export. Made when it is first written to; OSError as usual."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def part(self, export: UUID) -> Path:
        """Return where lines stand while they are written."""
        return self._path / f"{export}.part"

    def whole(self, export: UUID) -> Path:
        """Return where the finished file stands."""
        return self._path / f"{export}.file"

    def has_room(self) -> bool:
        """Return whether more may be written."""
        self._make()
        return shutil.disk_usage(self._path).free > SPARE_BYTES

    def open_part(self, export: UUID, *, afresh: bool = False) -> BinaryIO:
        """Open the part for reading and writing anywhere in it; made if there is none.

        `afresh` makes another one, so that whoever still writes to the former does no harm.
        """
        return self._open(self.part(export), afresh=afresh)

    def open_next(self, export: UUID) -> BinaryIO:
        """Open what is made of the part, afresh."""
        return self._open(self._path / f"{export}.next", afresh=True)

    def name_next(self, export: UUID) -> None:
        """Let what was made of the part be the part."""
        (self._path / f"{export}.next").replace(self.part(export))

    def name_whole(self, export: UUID) -> None:
        """Give the part, which is finished, its name for good."""
        self.part(export).replace(self.whole(export))
        self._sync()

    def open_whole(self, export: UUID) -> BinaryIO:
        """Open a finished file for reading; FileNotFoundError if it is gone."""
        return self.whole(export).open("rb")

    def keep_only(self, exports: Collection[UUID]) -> int:
        """Remove files of other exports; return how many."""
        if not self._path.is_dir():
            return 0
        kept = {str(each) for each in exports}
        gone = [each for each in self._path.iterdir() if each.name.split(".")[0] not in kept]
        for each in gone:
            each.unlink(missing_ok=True)
        return len(gone)

    def _open(self, path: Path, *, afresh: bool) -> BinaryIO:
        self._make()
        if afresh:
            path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
        return os.fdopen(descriptor, "r+b")

    def _make(self) -> None:
        self._path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)

    def _sync(self) -> None:
        """Make sure that the new name outlives a loss of power."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def digest_of(file: BinaryIO) -> str:
    """Return the SHA-256 of a file from its beginning, in hexadecimal."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(READ_BYTES):
        digest.update(block)
    return digest.hexdigest()
