"""Sockets and connections that obey the exchange they serve.

`requests` and urllib3 bound single reads and writes. Here every operation on a socket gets what
is left of one deadline, and what leaves is counted where it is written. Neither library has a
parameter for that, so the exchange travels in a context variable, from the transport to the
operations it causes in the same thread.
"""

import http.client
import io
import queue
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from verification.faceid.deadline import Deadline

Resolve = Callable[[str, int, int, int], list[Any]]

_EARLY_BYTES = 64 * 1024
_TLS_SLICE_BYTES = 64 * 1024
_INTERIM = (b"HTTP/1.1 1", b"HTTP/1.0 1")


@dataclass(slots=True)
class Exchange:
    """One request and its answer, as far as they came.

    `connect_by` bounds name resolution, connecting and the TLS handshake together; `idle_s` is
    how long a kept connection may have been silent to be used again. `bytes_sent` counts what the
    socket accepted; the head of a request fits one TLS record, which nobody can open in part.
    """

    deadline: Deadline
    connect_by: Deadline
    idle_s: float
    resolve: Resolve
    bytes_sent: int = 0
    was_reset: bool = False
    peer_ended: bool = False


_current: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def running(exchange: Exchange) -> Iterator[None]:
    """Make `exchange` the one that connections used in this thread obey."""
    token = _current.set(exchange)
    try:
        yield
    finally:
        _current.reset(token)


class ExchangeSocket:
    """What an HTTP connection needs of a socket, bounded by the current exchange."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # TLS takes all of a slice or nothing, and we cannot listen meanwhile.
        self._slice_bytes = _TLS_SLICE_BYTES if isinstance(sock, ssl.SSLSocket) else None
        self._early = b""
        self._poller = select.poll()
        self._broken = False
        self._last_used = _current.get().deadline.monotonic()

    def sendall(self, data: bytes | memoryview) -> None:
        """Send all, or raise BrokenPipeError as soon as the peer has answered or hung up: what
        it said can then be read, and nothing more need be sent."""
        exchange = _current.get()
        left = memoryview(data).cast("B")
        try:
            while left:
                self._wait_for_room(exchange)
                self._sock.settimeout(_remaining_s(exchange.deadline))
                sent = self._sock.send(left[: self._slice_bytes])
                exchange.bytes_sent += sent
                left = left[sent:]
        except ssl.SSLError as error:
            # Writing is over, yet an answer may be there: only this error makes urllib3 look.
            self._broken = True
            raise BrokenPipeError from error
        except OSError as error:
            self._broken = True
            exchange.was_reset = isinstance(error, ConnectionResetError)
            raise

    def receive_into(self, file: socket.SocketIO, buffer: Any) -> int | None:
        """Read what comes next, what came early first."""
        if self._early:
            size = min(len(self._early), len(buffer))
            buffer[:size], self._early = self._early[:size], self._early[size:]
            return size
        exchange = _current.get()
        self._sock.settimeout(_remaining_s(exchange.deadline))
        received = file.readinto(buffer)
        exchange.peer_ended = received == 0
        self._last_used = exchange.deadline.monotonic()
        return received

    def is_reusable(self) -> bool:
        """Whether another request may be sent: whole so far, used lately, and silent."""
        exchange = _current.get()
        idle_s = exchange.deadline.monotonic() - self._last_used
        return not self._broken and idle_s <= exchange.idle_s and not self._poll(select.POLLIN, 0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self, self._sock.makefile("rb", buffering=0)))

    def settimeout(self, _timeout: float | None) -> None:
        """The exchange alone decides how long anything may take."""

    def close(self) -> None:
        self._sock.close()

    def _wait_for_room(self, exchange: Exchange) -> None:
        # Whatever a peer says before it heard anything is not an answer to us.
        listen = select.POLLIN if exchange.bytes_sent else 0
        while True:
            events = self._poll(select.POLLOUT | listen, _remaining_s(exchange.deadline))
            if not events:
                raise TimeoutError
            if listen and events & ~select.POLLOUT and self._peer_spoke():
                raise BrokenPipeError
            if events & ~select.POLLIN:
                return

    def _peer_spoke(self) -> bool:
        """Keep what has come in. Nothing may have, although the socket is readable: TLS has
        messages of its own. An interim answer (1xx) is no reason to stop."""
        self._sock.settimeout(0)
        try:
            received = self._sock.recv(_EARLY_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        self._early += received
        return not received or not self._early.startswith(_INTERIM)

    def _poll(self, events: int, timeout_s: float) -> int:
        self._poller.register(self._sock, events)
        ready = self._poller.poll(timeout_s * 1000)
        return ready[0][1] if ready else 0


class _Incoming(io.RawIOBase):
    """The reading side of an ExchangeSocket; open as long as an answer is being read."""

    def __init__(self, sock: ExchangeSocket, file: socket.SocketIO) -> None:
        self._exchange_socket = sock
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return self._exchange_socket.receive_into(self._file, buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class WholeHeaders(http.client.HTTPResponse):
    """An answer whose headers came to their end and could all be read.

    The library takes the end of the stream for the end of the headers, and urllib3 writes what it
    cannot read of them to the log, where nothing of an answer may stand.
    """

    def begin(self) -> None:
        super().begin()
        if _current.get().peer_ended:
            raise http.client.IncompleteRead(b"")
        if self.msg.defects:
            raise http.client.HTTPException("broken headers")


class ExchangeConnection(HTTPConnection):
    """A connection over an ExchangeSocket."""

    response_class = WholeHeaders

    def _new_conn(self) -> socket.socket:
        try:
            return _connected(self.host, self.port)
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, "not connected") from error

    def connect(self) -> None:
        super().connect()
        self.sock = ExchangeSocket(self.sock)

    @property
    def is_connected(self) -> bool:
        return isinstance(self.sock, ExchangeSocket) and self.sock.is_reusable()


class TlsExchangeConnection(ExchangeConnection, HTTPSConnection):
    """The same under TLS: the handshake runs on the bare socket, within `connect_by`."""


class PlainPool(HTTPConnectionPool):
    ConnectionCls = ExchangeConnection


class TlsPool(HTTPSConnectionPool):
    ConnectionCls = TlsExchangeConnection


def _connected(host: str, port: int) -> socket.socket:
    """A socket connected to the first address that answers. An address that is silent gets only
    its share of the time."""
    exchange = _current.get()
    addresses = _addresses(exchange, host, port)
    failure: OSError = socket.gaierror("no address")
    for waiting, (family, kind, protocol, _, address) in zip(
        range(len(addresses), 0, -1), addresses, strict=True
    ):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(_remaining_s(exchange.connect_by) / waiting)
            sock.connect(address)
            sock.settimeout(_remaining_s(exchange.connect_by))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _addresses(exchange: Exchange, host: str, port: int) -> list[Any]:
    """Resolve in a thread of its own, because the system's resolver knows no deadline. A thread
    that is given up ends when the resolver does."""
    answers: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(exchange.resolve(host, port, 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="faceid-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=_remaining_s(exchange.connect_by))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _remaining_s(deadline: Deadline) -> float:
    remaining_s = deadline.remaining_s()
    if not remaining_s:
        raise TimeoutError
    return remaining_s
