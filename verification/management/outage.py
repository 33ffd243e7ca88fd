"""An outage of the database as a process lives through it: one warning, growing pauses, one end."""

import logging
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1


@dataclass(slots=True)
class Outage:
    """`work` names what waits meanwhile, to begin a sentence with.

    Pauses double from FIRST_PAUSE_S up to `longest_pause_s`.
    """

    work: str
    longest_pause_s: float
    _pause_s: float = field(default=0.0, init=False)

    def bear(self, error: Exception) -> float:
        """Note a failure, the first one in the log; return the seconds to wait until the next try.

        The log names what the database's driver raised, and no values.
        """
        if not self._pause_s:
            cause = type(error.__cause__ or error).__name__
            logger.warning("%s wait for the database: %s", self.work, cause)
        self._pause_s = min(self.longest_pause_s, self._pause_s * 2 or FIRST_PAUSE_S)
        return self._pause_s

    def end(self) -> None:
        """Note that the work goes on; nothing if there was no outage."""
        if self._pause_s:
            logger.info("%s go on", self.work)
        self._pause_s = 0.0
