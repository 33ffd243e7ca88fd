"""A bound on the exports that run at once: each holds a database connection while it is read.

Without it, a handful of slow readers would take the whole pool, and nobody could submit.
"""

from collections.abc import Callable, Generator
from threading import BoundedSemaphore, Lock

from django.utils.translation import gettext_noop as _

from verification.services.errors import ExportsBusyError

MAX_AT_ONCE = 4


class ExportStream:
    """The blocks of one export; gives its slot back at the end, or when it is closed."""

    def __init__(self, blocks: Generator[bytes, None, object], release: Callable[[], None]) -> None:
        self._blocks = blocks
        self._release = release
        self._lock = Lock()
        self._is_open = True

    def __iter__(self) -> "ExportStream":
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._blocks)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the export; closing twice is fine. The server calls it when the reader is gone."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
        if was_open:
            try:
                self._blocks.close()
            finally:
                self._release()


class ExportSlots:
    """At most `size` exports at once in this process; safe between threads."""

    def __init__(self, size: int) -> None:
        self._slots = BoundedSemaphore(size)

    def stream(self, start: Callable[[], Generator[bytes, None, object]]) -> ExportStream:
        """Start an export in a slot of its own; ExportsBusyError when all are taken."""
        if not self._slots.acquire(blocking=False):
            raise ExportsBusyError(_("Too many exports are being read at once; ask again later."))
        try:
            return ExportStream(start(), self._slots.release)
        except BaseException:
            self._slots.release()
            raise


EXPORTS = ExportSlots(MAX_AT_ONCE)
