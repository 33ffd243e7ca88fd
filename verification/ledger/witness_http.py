"""The HTTP server of a witness: threads, keep-alive, and a bound on all that a peer can take."""

import io
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from verification.ledger.errors import WitnessError
from verification.ledger.witness import MAX_BODY_BYTES, Response, Witness

REQUEST_S = 10.0
MAX_CONNECTIONS = 64

_LINGER_S = 1.0
_CHECKPOINT = re.compile("/([0-9a-f]{64})/checkpoint")
_LENGTH = re.compile("[0-9]{1,9}")


class WitnessServer:
    """A witness at an address, from `start` to `stop`; a context manager.

    `request_s` bounds, in seconds, the wait for a request together with all of its bytes.
    `report` is given a line for each checkpoint that does not continue the last one, and for each
    time that the witness could not do its work.
    """

    def __init__(
        self,
        witness: Witness,
        host: str,
        port: int,
        *,
        report: Callable[[str], object],
        request_s: float = REQUEST_S,
    ) -> None:
        self._tcp = _Tcp((host, port), witness, report, request_s)
        self._thread = threading.Thread(target=self._serve, name="witness", daemon=True)

    @property
    def base_url(self) -> str:
        """Return where it listens, without a slash at the end."""
        host, port = self._tcp.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, finish those that have arrived, and close the port."""
        self._tcp.shutdown()
        self._thread.join()
        self._tcp.end_input()
        self._tcp.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _serve(self) -> None:
        self._tcp.serve_forever(poll_interval=0.05)


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128
    block_on_close = True

    def __init__(
        self,
        address: tuple[str, int],
        witness: Witness,
        report: Callable[[str], object],
        request_s: float,
    ) -> None:
        self.witness = witness
        self.report = report
        self.request_s = request_s
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def verify_request(self, request: object, client_address: object) -> bool:
        """Hang up on those who come while all places are taken."""
        del client_address
        assert isinstance(request, socket.socket)  # noqa: S101  narrows the library's type
        with self._lock:
            has_place = len(self._open) < MAX_CONNECTIONS
            if has_place:
                self._open.add(request)
        return has_place

    def shutdown_request(self, request: object) -> None:
        """Give the place back."""
        assert isinstance(request, socket.socket)  # noqa: S101  narrows the library's type
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_input(self) -> None:
        """Let every open connection end as if its peer had nothing more to say."""
        with self._lock:
            waiting = tuple(self._open)
        for sock in waiting:
            with suppress(OSError):  # gone already
                sock.shutdown(socket.SHUT_RD)


class _Input(io.RawIOBase):
    """What a peer sends, until a moment that moves on with each request.

    The library's timeout is one for each read: a peer that drips would never meet it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.until = 0.0
        self._sock = sock

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there; TimeoutError when the time is over."""
        left_s = self.until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(left_s)
        return self._sock.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Tcp

    def setup(self) -> None:
        """Put a deadline before the library's input."""
        super().setup()
        self._input = _Input(self.connection)
        self.rfile = io.BufferedReader(self._input)

    def handle(self) -> None:
        """Serve requests until the peer ends the connection or its time is over."""
        with suppress(OSError):
            super().handle()

    def handle_one_request(self) -> None:
        """Start the clock, then as the library does."""
        self._input.until = time.monotonic() + self.server.request_s
        super().handle_one_request()

    def version_string(self) -> str:
        """Name the program and no versions."""
        return "witness"

    def log_message(self, *_: object) -> None:
        """Keep quiet: what matters goes through `_report`."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the library refuses by itself, without quoting it."""
        del message, explain
        self._refuse(HTTPStatus(code))

    def do_GET(self) -> None:
        """Answer with the status, or with the last note cosigned of one log."""
        witness = self.server.witness
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self._refuse(HTTPStatus.BAD_REQUEST)
        elif self.path == "/":
            self._answer(lambda: Response(HTTPStatus.OK, witness.status().encode()))
        elif found := _CHECKPOINT.fullmatch(self.path):
            self._answer(lambda: witness.published(found[1]))
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Take a request to cosign; a body that is not asked for is never read."""
        length = self._length()
        if self.path != "/add-checkpoint":
            self._refuse(HTTPStatus.NOT_FOUND)
        elif length is None:
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
        elif length > MAX_BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._add_checkpoint(length)

    def _add_checkpoint(self, length: int) -> None:
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # the peer has gone, or the server is stopping
        else:
            self._answer(lambda: self.server.witness.add_checkpoint(body))

    def _length(self) -> int | None:
        """Return the length of the body; None if it is not told, or in two ways."""
        lengths = self.headers.get_all("Content-Length", [])
        if len(lengths) != 1 or "Transfer-Encoding" in self.headers:
            return None
        return int(lengths[0]) if _LENGTH.fullmatch(lengths[0]) else None

    def _answer(self, ask: Callable[[], Response]) -> None:
        """Send what the witness says; report what its operator, or the world, should know."""
        try:
            response = ask()
        except (WitnessError, OSError) as error:
            self.server.report(f"503 {error}")
            response = Response(HTTPStatus.SERVICE_UNAVAILABLE, b"the witness cannot answer now\n")
        if response.status is HTTPStatus.UNPROCESSABLE_ENTITY:
            self.server.report(f"422 {response.body.decode().rstrip()}")
        self._send(response)

    def _refuse(self, status: HTTPStatus) -> None:
        """Send an error and hang up, late enough for a peer that still sends to read it."""
        self.close_connection = True
        self._send(Response(status, f"{status.phrase}\n".encode()))
        self.connection.shutdown(socket.SHUT_WR)
        self._input.until = time.monotonic() + min(_LINGER_S, self.server.request_s)
        while self.rfile.read1():
            continue

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(response.body)
