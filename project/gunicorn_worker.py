"""gunicorn's threaded worker, made safe against slow and broken requests.

What it changes:
- A connection gets a thread only when the head of its request is complete: heads that drip or
  never come cost a file descriptor for HEAD_TIMEOUT_S and nothing else.
- A body can be read straight into the application's memory (`wsgi.input.readinto1`), with the
  socket's timeout holding for every single read.
- A connection whose body was not read to its end is closed, after a short drain in the thread
  that answered (gunicorn drains in its event loop, where one peer would hold up all others).
- `100 Continue` is sent when the application begins to read, not before it has decided.
- Repeated headers that must be single are refused, and what is refused is answered in JSON.
TLS ends at the proxy in front.
"""

import contextlib
import ctypes
import json
import selectors
import socket
import time
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidHeader,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn, ThreadWorker

from project.thread_pool import ThreadPool

HEAD_TIMEOUT_S = 10.0
BODY_TIMEOUT_S = 15.0
SEND_TIMEOUT_S = 30.0
DRAIN_TIMEOUT_S = 2.0
DRAIN_BYTES = 64 * 1024 * 1024
RECEIVE_BYTES = 64 * 1024
MAX_HEAD_BYTES = 64 * 1024
END_OF_HEAD = b"\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
THREAD_IDLE_S = 20.0

# glibc keeps freed memory for each of many arenas, one for almost every thread: bodies of 10 MB
# would stay in all of them. Few arenas cost nothing here, since Python runs one thread at a time.
MALLOPT: Any = getattr(ctypes.CDLL(None), "mallopt", None)
TRIM: Any = getattr(ctypes.CDLL(None), "malloc_trim", None)
M_ARENA_MAX = -8  # of malloc.h
ARENAS = 2
TRIM_EVERY_S = 10.0

SINGLE_HEADERS = frozenset(
    {"AUTHORIZATION", "CONTENT-ENCODING", "CONTENT-TYPE", "EXPECT", "HOST", "IDEMPOTENCY-KEY"}
)


class SocketBody(Body):  # type: ignore[misc]  # gunicorn has no types
    """A body of known length that knows whether all of it has come.

    `read` and its kind keep a deadline for the whole body; `readinto1` leaves that to its caller,
    who sets the socket's timeout.
    """

    def __init__(self, reader: LengthReader, *, expects_continue: bool) -> None:
        super().__init__(reader)
        self._expects_continue = expects_continue
        self._deadline: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing of the body is left on the wire."""
        return not self.failed and self.reader.length == 0

    def readinto1(self, target: memoryview) -> int:
        """Read once from the socket, or from what came with the head; 0 at the end."""
        self._send_continue()
        unreader = self.reader.unreader
        wanted: int = min(len(target), self.reader.length)
        count: int
        if wanted == 0:
            return 0
        if early := unreader.take_buffered():
            count = min(wanted, len(early))
            target[:count] = early[:count]
            unreader.unread(early[count:])
        else:
            count = unreader.sock.recv_into(target, wanted)
        self.reader.length -= count
        return count

    def _read_reader(self, size: int) -> bytes:
        """Serve gunicorn's own reading methods with at most one read of the socket."""
        now = time.monotonic()
        self._deadline = self._deadline or now + BODY_TIMEOUT_S
        if now >= self._deadline:
            self.failed = True
            raise TimeoutError
        sock = self.reader.unreader.sock
        sock.settimeout(self._deadline - now)
        chunk = bytearray(min(size, self.reader.length))
        try:
            count = self.readinto1(memoryview(chunk))
        except OSError:
            self.failed = True
            raise
        sock.settimeout(SEND_TIMEOUT_S)
        return bytes(chunk[:count])

    def _send_continue(self) -> None:
        if self._expects_continue:
            self._expects_continue = False
            self.reader.unreader.sock.sendall(CONTINUE)


class StrictRequest(Request):  # type: ignore[misc]  # gunicorn has no types
    """A request whose single headers are single, and whose unread body ends the connection."""

    body: Any
    _expected_100_continue: bool

    def set_body_reader(self) -> None:
        """Choose how the body is read; runs when the head was parsed."""
        names = [name for name, _ in self.headers]
        for name in SINGLE_HEADERS:
            if names.count(name) > 1:
                raise InvalidHeader(name, req=self)
        super().set_body_reader()
        reader = self.body.reader
        if isinstance(reader, LengthReader):
            expects_continue = bool(self._expected_100_continue)
            self.body = SocketBody(reader, expects_continue=expects_continue)
        # The server would say it before the application has decided whether it wants the body.
        self._expected_100_continue = False
        # A peer that does not read its answer must not hold a thread for ever.
        self.unreader.sock.settimeout(SEND_TIMEOUT_S)

    def should_close(self) -> bool:
        """Return whether this is the connection's last request; asked before the answer."""
        is_complete = isinstance(self.body, SocketBody) and self.body.is_complete
        return not (is_complete and not super().should_close())


class StrictParser(RequestParser):  # type: ignore[misc]  # gunicorn has no types
    """Yields strict requests."""

    mesg_class = StrictRequest


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A connection that collects the head of its next request without a thread."""

    parser: Any

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.head = bytearray()

    def init(self) -> None:
        """Hand the head to the parser; runs in a thread, before each request."""
        if self.parser is None:
            self.parser = StrictParser(self.cfg, self.sock, self.client)
        super().init()
        if len(self.head) > MAX_HEAD_BYTES and END_OF_HEAD not in self.head:
            raise LimitRequestHeaders("head")
        self.parser.unreader.unread(bytes(self.head))
        self.head.clear()

    def receive_head(self) -> bool:
        """Take what has come; return whether a thread can go on from here without waiting."""
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            return True
        start = max(0, len(self.head) - len(END_OF_HEAD))
        self.head += data
        # A bare line feed never ends a head: the parser refuses it at once.
        is_over = END_OF_HEAD in self.head[start:] or self.head.count(b"\n") != self.head.count(
            b"\r\n"
        )
        return not data or is_over or len(self.head) > MAX_HEAD_BYTES


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves WSGI with threads that never wait for the head of a request."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._trim_at = 0.0

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what this worker does not do."""
        if cfg.is_ssl:
            raise RuntimeError("TLS ends at the proxy in front: unset certfile and keyfile.")
        super().check_config(cfg, log)

    def get_thread_pool(self) -> ThreadPool:
        """Return threads that come with a flood and go after it."""
        if MALLOPT is not None:
            MALLOPT(M_ARENA_MAX, ARENAS)
        return ThreadPool(max_threads=self.cfg.threads, idle_s=THREAD_IDLE_S)

    def notify(self) -> None:
        """Give the heartbeat; now and then hand freed memory of large bodies back."""
        super().notify()
        now = time.monotonic()
        if TRIM is not None and now >= self._trim_at:
            self._trim_at = now + TRIM_EVERY_S
            TRIM(0)

    def accept(self, listener: socket.socket) -> None:
        """Take a connection and wait for its head in the event loop."""
        try:
            peer, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        self._await_head(Connection(self.cfg, peer, address, listener.getsockname()))

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Collect a part of a head; hand the connection to a thread when the head is whole."""
        if conn.receive_head():
            conn.data_ready = True
            super().on_pending_socket_readable(conn, client)

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Treat the next request of a kept connection like the first of a new one."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await_head(conn)
        self.on_pending_socket_readable(conn, client)

    def handle(self, conn: Connection) -> bool:
        """Answer one request; runs in a thread. Returns whether the connection stays open."""
        stays_open = bool(super().handle(conn))
        if not stays_open:
            _drain(conn.sock)
        return stays_open

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:  # noqa: ARG002 - gunicorn's interface
        """Answer in JSON what never became a request; what came in is not repeated or logged."""
        request_id = str(uuid4())
        status, code, title = refusal(exc)
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.error("request %s: %s in the server", request_id, type(exc).__name__)
        with contextlib.suppress(OSError):
            client.settimeout(DRAIN_TIMEOUT_S)
            client.sendall(refusal_bytes(status, code, title, request_id))

    def _await_head(self, conn: Connection) -> None:
        conn.sock.setblocking(False)  # noqa: FBT003 - the socket's interface
        conn.timeout = time.monotonic() + HEAD_TIMEOUT_S
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)


def refusal(error: Exception) -> tuple[HTTPStatus, str, str]:
    """Return status, code and title for what gunicorn refuses; codes as in the app's problems."""
    match error:
        case LimitRequestLine():
            return HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long", "The address is too long"
        case LimitRequestHeaders():
            return (
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                "The headers are too large",
            )
        case ExpectationFailed():
            title = "The expectation cannot be met"
            return HTTPStatus.EXPECTATION_FAILED, "expectation_failed", title
        case TimeoutError():
            return HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "The request came too slowly"
        case ParseException():
            return HTTPStatus.BAD_REQUEST, "malformed_request", "The request is malformed"
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong here"


def refusal_bytes(status: HTTPStatus, code: str, title: str, request_id: str) -> bytes:
    """Return a whole HTTP answer that ends the connection."""
    document = {
        "type": f"urn:verification:problem:{code}",
        "title": title,
        "status": status,
        "detail": "The request was refused before it was read as a whole.",
        "code": code,
        "request_id": request_id,
    }
    body = json.dumps(document)
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-Request-Id: {request_id}\r\n\r\n{body}"
    ).encode()


def _drain(sock: socket.socket) -> None:
    """Let the peer read the answer: closing on unread bytes would reset the connection.

    Bounded in time and bytes. Afterwards the event loop's own drain finds nothing to wait for.
    """
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    scratch = bytearray(RECEIVE_BYTES)
    drained = 0
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while drained < DRAIN_BYTES and (left_s := deadline - time.monotonic()) > 0:
            sock.settimeout(left_s)
            count = sock.recv_into(scratch)
            if not count:
                break
            drained += count
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
