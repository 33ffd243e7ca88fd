"""The worker's loops beside its jobs: round after round, whatever a round meets."""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from django.db import Error, InterfaceError, OperationalError, connection

from verification.management.outage import Outage
from verification.services.errors import LedgerRefusalError

logger = logging.getLogger(__name__)

FAULT_PAUSE_S = 2.0
REPEAT_S = 60.0


class RoundsEndedError(Exception):
    """A loop ended without having been told to: its work would stand still unseen."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What a loop does: `tend` returns whether there is more to do at once.

    `name` and `work` are what the process' log calls the loop, and what waits while it cannot work.
    """

    name: str
    work: str
    tend: Callable[[], bool]
    idle_pause_s: float


class Rounds:
    """Does its duty until `stopping` is set.

    For a thread of its own, whose database connection it closes. Whatever is to be done stays in
    the database while rounds fail, so nothing is lost by waiting.
    """

    def __init__(
        self,
        duty: Duty,
        *,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._duty = duty
        self._stopping = stopping
        self._clock = clock
        self._outage = Outage(duty.work, longest_pause_s=2.0)
        self._complaint = ""
        self._complained_at = 0.0

    def run(self) -> None:
        """Do rounds; RoundsEndedError if something ends them that is not an Exception."""
        try:
            while not self._stopping.is_set():
                self._stopping.wait(self.round())
        except BaseException as error:
            raise RoundsEndedError(type(error).__name__) from error
        finally:
            _disconnect()

    def round(self) -> float:
        """Do one round; return the seconds to wait before the next."""
        try:
            is_behind = self._duty.tend()
        except (OperationalError, InterfaceError) as error:
            pause_s = self._outage.bear(error)
        except LedgerRefusalError as error:
            pause_s = self._complain(logging.CRITICAL, f"The log is not continued: {error}")
        except Exception as error:  # noqa: BLE001 - the loop must not die of what nobody foresaw
            pause_s = self._complain(logging.ERROR, self._describe(error))
        else:
            self._outage.end()
            self._complaint = ""
            return 0.0 if is_behind else self._duty.idle_pause_s
        _disconnect()
        return pause_s

    def _complain(self, level: int, complaint: str) -> float:
        """Log a fault that time alone does not cure, again every minute; return a long pause."""
        now = self._clock()
        if complaint != self._complaint or now - self._complained_at >= REPEAT_S:
            logger.log(level, "%s", complaint)
            self._complaint, self._complained_at = complaint, now
        return FAULT_PAUSE_S

    def _describe(self, error: Exception) -> str:
        """Return type and place: a message may repeat values that belong in no log."""
        frames = "".join(traceback.format_tb(error.__traceback__))
        what = f"A round of the {self._duty.name} failed"
        return f"{what}: {type(error).__name__}\n{frames}".rstrip()


def _disconnect() -> None:
    with suppress(Error):
        connection.close()
