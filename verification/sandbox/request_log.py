"""What the sandbox received: the vendor's view, for tests and for the demo to compare with ours."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One POST as far as it came, logged before its answer leaves.

    at:             Unix seconds, by the server's clock
    path:           without a query, at most 200 characters
    biz_token_sha256, packet_sha256: hex; the things themselves are not kept
    biz_no:         what the request carried, or its token carries; None if it was not read
    content_length: what was announced; None if it was not a number
    complete:       the whole body arrived
    status:         what is answered; None if nothing is
    scenario:       the name of what its token, or its biz_no or uuid, asked for
    """

    at: float
    path: str
    biz_token_sha256: str | None
    biz_no: str | None
    bytes_received: int
    content_length: int | None
    complete: bool
    packet_sha256: str | None
    status: int | None
    scenario: str | None


class RequestLog:
    """The newest MAX_ENTRIES requests, oldest first. Threads may share it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._entries: deque[LoggedRequest] = deque(maxlen=MAX_ENTRIES)

    def add(self, entry: LoggedRequest) -> None:
        """Append one request."""
        with self._changed:
            self._entries.append(entry)
            self._changed.notify_all()

    def entries(self) -> tuple[LoggedRequest, ...]:
        """Return all requests so far."""
        with self._changed:
            return tuple(self._entries)

    def for_biz_no(self, biz_no: str) -> tuple[LoggedRequest, ...]:
        """Return the requests that carried, or whose token carries, this biz_no."""
        return tuple(entry for entry in self.entries() if entry.biz_no == biz_no)

    def clear(self) -> None:
        """Forget all requests."""
        with self._changed:
            self._entries.clear()

    def wait_for(
        self, predicate: Callable[[tuple[LoggedRequest, ...]], bool], timeout_s: float
    ) -> bool:
        """Wait until `predicate(entries)` holds; False if it does not within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not predicate(tuple(self._entries)):
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)
        return True
