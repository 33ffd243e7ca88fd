"""Ctrl-C and its kin: end in order, once; asked twice, end at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from project.up.errors import StopRequested

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Turns the first signal into StopRequested; `on_second` hears of every later one."""

    def __init__(self, on_second: Callable[[], None]) -> None:
        self._on_second = on_second
        self._requested = False
        self._held = False
        self._delivered = False

    def install(self) -> None:
        """Take over the signals; main thread only."""
        for number in SIGNALS:
            signal.signal(number, self._receive)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing come between what stands inside; a signal is delivered at its end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self._deliver()

    def finish(self) -> None:
        """Raise no more: what is left to do is the stopping itself."""
        self._delivered = True

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        if self._requested:
            self._on_second()
        self._requested = True
        if not self._held:
            self._deliver()

    def _deliver(self) -> None:
        if self._requested and not self._delivered:
            self._delivered = True
            raise StopRequested
