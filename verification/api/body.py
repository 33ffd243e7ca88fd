"""Receive a request's body once, into one buffer, within limits of size, time and memory.

Nothing else of this package reads a body: the framework's own parsers copy uploads, spill them
to disk and forgive what must be refused.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Protocol

from django.db import connection
from django.http import HttpRequest

from verification.api.problems import Problem
from verification.conf import Conf

CHUNK_BYTES = 1024 * 1024
FIRST_BYTES = 256 * 1024
PATIENCE_S = 0.05
LENGTH = re.compile(r"[0-9]{1,18}")
BUSY_RETRY_AFTER_S = 1.0


Watch = Callable[[memoryview, int], None]


class _Socket(Protocol):
    """What is needed of the server's socket: to bound a single read."""

    def settimeout(self, value: float | None, /) -> None: ...

    def gettimeout(self) -> float | None: ...


class BytesInFlight:
    """Counts the memory that bodies take in this process; safe between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._used = 0

    @property
    def used(self) -> int:
        """Return the bytes reserved now."""
        return self._used

    def reserve(self, size: int, *, limit: int) -> None:
        """Take `size` bytes, or raise the problem `overloaded` and take nothing."""
        with self._lock:
            if self._used + size > limit:
                raise Problem(
                    "overloaded",
                    "Too many bytes are being received at once; send it again later.",
                    retry_after_s=BUSY_RETRY_AFTER_S,
                )
            self._used += size

    def release(self, size: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._used -= size


IN_FLIGHT = BytesInFlight()


@contextmanager
def received_body(
    request: HttpRequest,
    *,
    conf: Conf,
    watch: Watch = lambda _body, _received: None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[memoryview]:
    """Lend the whole body as a view of one buffer, which is freed on leaving.

    `watch(body, received)` is called whenever more has come; it must not keep the view.

    While it has to wait for the sender, this thread's database connection is back in the pool.

    Raises Problem: `length_required`, `malformed_request`, `unsupported_content_encoding`,
    `body_too_large` (nothing was read), `overloaded`, `request_timeout`, `incomplete_body`. After
    any of them the connection is not fit for another request, and the server closes it.
    """
    length = declared_length(request, max_bytes=conf.max_body_bytes)
    deadline = monotonic() + conf.body_timeout_s
    reading = _Reading(request.META, deadline=deadline, clock=monotonic, watch=watch)
    reserved = 0
    try:
        # What is declared but does not come must not keep others out: memory for all of a large
        # body is taken only when the first part of it is here.
        for part in (min(length, FIRST_BYTES), length):
            IN_FLIGHT.reserve(part - reserved, limit=conf.max_bytes_in_flight)
            reserved = part
            reading.read_up_to(part)
        view = memoryview(reading.buffer)
        del reading
        yield view
    finally:
        IN_FLIGHT.release(reserved)


def declared_length(request: HttpRequest, *, max_bytes: int) -> int:
    """Return the Content-Length of a body we are willing to read."""
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise Problem("length_required", "Send a Content-Length; chunked bodies are not taken.")
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise Problem("unsupported_content_encoding", "Send the body without Content-Encoding.")
    declared = str(request.META.get("CONTENT_LENGTH") or "")
    if not declared:
        raise Problem("length_required", "Send a Content-Length.")
    if not declared.isascii() or not declared.isdigit():
        raise Problem("malformed_request", "The Content-Length is not a number.")
    if not LENGTH.fullmatch(declared) or int(declared) > max_bytes:
        raise Problem("body_too_large", f"A body has at most {max_bytes} bytes.")
    return int(declared)


class _Reading:
    """Fills one buffer from the server's stream, until its deadline."""

    def __init__(
        self, environ: Any, *, deadline: float, clock: Callable[[], float], watch: Watch
    ) -> None:
        self.buffer = bytearray()
        self._position = 0
        self._deadline = deadline
        self._clock = clock
        self._watch = watch
        self._patient_until: float | None = clock() + PATIENCE_S
        stream = environ["wsgi.input"]
        self._read = stream.read
        # Our own server's stream returns what one read of the socket gave, into our memory.
        self._read_into: Callable[[memoryview], int] | None = getattr(stream, "readinto1", None)
        self._socket: _Socket | None = environ.get("gunicorn.socket")

    def read_up_to(self, end: int) -> None:
        """Grow the buffer to `end` bytes and fill it."""
        if end == self._position:
            return
        grown = bytearray(end)
        grown[: self._position] = self.buffer
        self.buffer = grown
        before = self._socket.gettimeout() if self._socket else None
        try:
            with memoryview(grown) as target:
                while self._position < end:
                    self._position += self._read_some(target[self._position :])
                    self._watch(target, self._position)
        except TimeoutError:
            raise _too_slow() from None
        except OSError:
            raise Problem("incomplete_body", "The connection broke within the body.") from None
        finally:
            if self._socket:
                self._socket.settimeout(before)

    def _read_some(self, target: memoryview) -> int:
        chunk = target[:CHUNK_BYTES]
        try:
            count = self._read_within(self._patience_s(), chunk)
        except TimeoutError:
            count = self._read_within(self._patience_s(), chunk)
        if not count:
            raise Problem("incomplete_body", "The body is shorter than its Content-Length.")
        return count

    def _patience_s(self) -> float:
        """Return how long the next read may wait; above zero.

        A sender that keeps us waiting first loses us the database connection, which others can
        use meanwhile, and in the end the request.
        """
        now = self._clock()
        if self._patient_until is not None:
            if now < self._patient_until:
                return self._patient_until - now
            self._patient_until = None
            connection.close()
        if now >= self._deadline:
            raise _too_slow()
        return self._deadline - now

    def _read_within(self, timeout_s: float, chunk: memoryview) -> int:
        if self._socket:
            self._socket.settimeout(timeout_s)
        return self._read_into(chunk) if self._read_into else self._copy_into(chunk)

    def _copy_into(self, chunk: memoryview) -> int:
        data = self._read(len(chunk))
        chunk[: len(data)] = data
        return len(data)


def _too_slow() -> Problem:
    return Problem("request_timeout", "The body did not arrive in time.")
