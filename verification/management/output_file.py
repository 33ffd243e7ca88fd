"""A file that is either complete or not there, and that only its owner can read."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600


class OutputExistsError(Exception):
    """Something has the name already, and was not to be replaced."""


@contextmanager
def replaced_when_complete(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Open a new file beside `path`, which takes that name when the block ends without an error.

    Mode 0600. Raises OutputExistsError without `force`, before the block and, should the name
    have been taken meanwhile, after it. OSError as usual. After any error nothing is left.
    """
    if not force and os.path.lexists(path):
        raise OutputExistsError(f"{path} exists")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _name(part, path, force=force)
    finally:
        part.unlink(missing_ok=True)


def _name(part: Path, path: Path, *, force: bool) -> None:
    if force:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)  # unlike a rename, it fails when the name is taken
    except FileExistsError:
        raise OutputExistsError(f"{path} exists") from None
