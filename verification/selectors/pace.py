"""How fast exports are read: as fast as PostgreSQL writes them, but slowly while attempts come in.

Who writes a COPY keeps a core busy without a pause, and submissions beside it take half as long
again, whatever its priority is. See docs/decisions/0015-paced-exports.md.
"""

import time
from collections.abc import Callable
from uuid import UUID

from django.db import OperationalError

from verification.conf import get_conf
from verification.models import VerificationAttempt
from verification.selectors.beside import beside

LOOK_S = 0.1
QUIET_S = 5.0
"""Without an attempt for so long, nobody is in the way."""

NOTHING_YET = object()


def newest_attempt() -> UUID | None:
    """Return the id of the attempt that was accepted last; None if there is none."""
    found = VerificationAttempt.objects.order_by("-created_at", "-id")
    newest: UUID | None = found.values_list("pk", flat=True).first()
    return newest


class Pace:
    """The pace of one export, for one thread: `bytes_per_s` while attempts come in."""

    def __init__(
        self,
        bytes_per_s: int,
        *,
        newest: Callable[[], UUID | None] = newest_attempt,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bytes_per_s = bytes_per_s
        self._newest = newest
        self._clock = clock
        self._sleep = sleep
        self._busy_until = self._due = clock()
        self._look_at = self._due + LOOK_S
        self._seen: object = NOTHING_YET

    def spend(self, size_bytes: int) -> None:
        """Wait until more may be read; returns at once while no attempt comes in.

        Looks for new ones ten times a second, with a connection of its own. If none is to be had,
        others need them more: that counts as one that came in.
        """
        now = self._clock()
        if now >= self._look_at:
            self._look(now)
        if now >= self._busy_until:
            return
        self._due = max(self._due + size_bytes / self._bytes_per_s, now)
        self._sleep(self._due - now)

    def _look(self, now: float) -> None:
        self._look_at = now + LOOK_S
        try:
            newest = beside(self._newest)
        except OperationalError:
            self._busy_until = now + QUIET_S
            return
        if self._seen not in (NOTHING_YET, newest):
            self._busy_until = now + QUIET_S
        self._seen = newest


def new_pace() -> Pace:
    """Return the pace of an export that begins now, as the site wants it."""
    return Pace(get_conf().export_busy_bytes_per_s)
