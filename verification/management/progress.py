"""Progress of long work: a line that is written over on a terminal, lines in between elsewhere."""

import time
from typing import TextIO

TERMINAL_EVERY_S = 0.2
PLAIN_EVERY_S = 10.0
WIDTH = 30


class Progress:
    """Shows how far a part of the work has come, with its rate; `total` may be an estimate."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._part = ""
        self._started_at = self._shown_at = 0.0

    def show(self, part: str, done: int, total: int) -> None:
        """Show it, unless that was done a moment ago."""
        now = time.monotonic()
        if part != self._part:
            self.end()
            self._part, self._started_at, self._shown_at = part, now, now
        every_s = TERMINAL_EVERY_S if self._is_terminal else PLAIN_EVERY_S
        if now - self._shown_at >= every_s:
            self._shown_at = now
            self._write(self._line(done, total, now))

    def end(self) -> None:
        """Leave the line as it stands, and begin a new one."""
        if self._part and self._is_terminal:
            self._out.write("\r\033[K")
            self._out.flush()
        self._part = ""

    def _line(self, done: int, total: int, now: float) -> str:
        rate = done / max(now - self._started_at, 0.001)
        total = max(total, done, 1)
        left_s = (total - done) / max(rate, 0.001)
        filled = WIDTH * done // total
        bar = "#" * filled + "." * (WIDTH - filled)
        return f"{self._part} [{bar}] {done:,} of {total:,}, {rate:,.0f}/s, {left_s:,.0f} s left"

    def _write(self, line: str) -> None:
        self._out.write(f"\r\033[K{line}" if self._is_terminal else f"{line}\n")
        self._out.flush()
