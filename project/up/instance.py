"""One `script/up` at a time for each `.local`."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project.up.errors import UpError


@contextmanager
def only_instance(local_dir: Path) -> Iterator[None]:
    """Hold the lock of `local_dir`; UpError if another process has it. Freed by any death."""
    local_dir.mkdir(parents=True, exist_ok=True)
    with (local_dir / "up.lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise UpError(
                f"script/up is running here already (process {handle.read().strip()}). "
                "Stop it with Ctrl-C, or name another folder with LOCAL_DIR=FOLDER."
            ) from None
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield
