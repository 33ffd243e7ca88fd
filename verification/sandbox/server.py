"""The HTTP server of the sandbox: threads, keep-alive, faults down to the socket."""

import io
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import parse_qs

from verification.faceid.contract import MAX_REQUEST_BYTES
from verification.sandbox import pages
from verification.sandbox.faults import HangUp, Line, deliver, is_answered, spoil
from verification.sandbox.request_log import LoggedRequest, RequestLog
from verification.sandbox.tokens import Issued, Memory
from verification.sandbox.vendor import Caller, Reply, Vendor, sha256_of

DEMO_KEY = "demo_key_0123456789abcdef"
DEMO_SECRET = "demo_secret_fedcba9876543210"  # noqa: S105  the contract's invented pair

LOOPBACK = frozenset({"127.0.0.1", "localhost"})
PORTS = range(65536)
LOG_PATH = "/_sandbox/requests"
LOGGED_PATH_CHARS = 200
FIRST_BYTES = 64 * 1024
READ_BYTES = 1024 * 1024
TOKEN = re.compile(rb"[0-9]{10,13},[0-9a-f-]{36}")
LINGER_S = 1.0


@dataclass(slots=True)
class Incoming:
    """A body as far as it came; `length` is None where none was announced."""

    length: int | None
    received: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all of it is here."""
        return self.received == self.length


class SandboxServer:
    """The vendor's side on a loopback port; a context manager, or `start` and `stop`."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        credentials: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if host not in LOOPBACK:
            raise ValueError("The sandbox serves loopback addresses only.")
        if port not in PORTS:
            raise ValueError("A port is a number from 0 to 65535.")
        known = {DEMO_KEY: DEMO_SECRET} if credentials is None else credentials
        self.requests = RequestLog()
        self.clock = clock
        self.stopping = threading.Event()
        self.vendor = Vendor(credentials=known, memory=Memory(clock), clock=clock)
        self._tcp = _Tcp((host, port), self)
        self._thread = threading.Thread(target=self._serve, name="faceid-sandbox", daemon=True)

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return int(self._tcp.server_address[1])

    @property
    def base_url(self) -> str:
        """Return the base URL to put in the vendor's place."""
        return f"http://{self._tcp.server_address[0]!s}:{self.port}"

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End all connections and close the port; harmless if it was never started."""
        self.stopping.set()
        if self._thread.is_alive():
            self._tcp.shutdown()
            self._thread.join()
        self._tcp.hang_up()
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
    request_queue_size = 512
    block_on_close = True

    def __init__(self, address: tuple[str, int], sandbox: SandboxServer) -> None:
        self.sandbox = sandbox
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        with self._lock:
            self._open.add(request)  # type: ignore[arg-type]  # a TCP server's requests are sockets
        super().process_request(request, client_address)  # type: ignore[arg-type]  # likewise

    def shutdown_request(self, request: object) -> None:
        with self._lock:
            self._open.discard(request)
        # Not the library's way, which shuts down for writing first: a reset must be one.
        request.close()  # type: ignore[attr-defined]  # likewise

    def hang_up(self) -> None:
        """Wake every thread that waits on its connection."""
        with self._lock:
            waiting = tuple(self._open)
        for sock in waiting:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # gone already


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = FIRST_BYTES
    server: _Tcp

    def handle(self) -> None:
        """Serve requests until the peer or a scenario ends the connection."""
        try:
            super().handle()
        except (HangUp, OSError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep quiet: the request log is there to be read."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the library refuses by itself: no endpoint has another method than POST."""
        del message, explain
        if code == HTTPStatus.NOT_IMPLEMENTED:
            self._send_last(self._unknown())
        self._send_last(Reply(code, b"", "text/plain"))

    def do_GET(self) -> None:
        """Serve the sandbox's own pages."""
        log = self.server.sandbox.requests
        path, _, query = self.path.partition("?")
        if path == "/":
            self._answer(Reply(200, pages.index(), "text/html; charset=utf-8"))
        elif path == "/style.css":
            self._answer(Reply(200, pages.STYLE.encode(), "text/css"))
        elif path == "/healthz":
            self._answer(Reply(200, b"ok", "text/plain"))
        elif path == LOG_PATH:
            wanted = parse_qs(query, keep_blank_values=True).get("biz_no")
            entries = log.for_biz_no(wanted[0]) if wanted else log.entries()
            self._answer(Reply(200, pages.request_log(entries), "application/json"))
        else:
            self._answer(self._unknown())

    def do_DELETE(self) -> None:
        """Empty the request log."""
        if self.path != LOG_PATH:
            return self._answer(self._unknown())
        self.server.sandbox.requests.clear()
        return self._answer(Reply(200, b"{}", "application/json"))

    def do_POST(self) -> None:
        """Receive a form, let the vendor decide, send what it says in the way it wants."""
        vendor, length = self.server.sandbox.vendor, self._length()
        if length is None:
            self._refuse_unread(Incoming(None), Reply(411, b"Length Required", "text/plain"))
        incoming = Incoming(length)
        if length > MAX_REQUEST_BYTES:
            self._refuse_unread(incoming, vendor.refuse(413, None))
        body = memoryview(bytearray(length))
        self._receive(incoming, body)
        verdict = vendor.decide(
            self.path.partition("?")[0], self.headers.get("Content-Type", ""), body
        )
        reply, fault = verdict.reply, verdict.fault
        if fault is None:
            self._log(incoming, verdict.caller, reply.status)
            self._line().send(reply)
        else:
            spoilt = spoil(reply, fault)
            self._log(incoming, verdict.caller, spoilt.status if is_answered(fault) else None)
            deliver(self._line(), spoilt, fault)

    def _line(self, *, is_last: bool = False) -> Line:
        stopping = self.server.sandbox.stopping
        return Line(self.connection, stopping, is_last=is_last or self.close_connection)

    def _answer(self, reply: Reply) -> None:
        if self.headers.get("Content-Length", "0") == "0":
            self._line().send(reply)
        else:
            self._send_last(reply)  # a body that nobody reads would be taken for a request

    def _unknown(self) -> Reply:
        return self.server.sandbox.vendor.refuse(404, "API_NOT_FOUND")

    def _length(self) -> int | None:
        """Return the length of the body; None if it is chunked or not told."""
        text = self.headers.get("Content-Length", "")
        is_number = text.isascii() and text.isdecimal() and len(text) < 20  # noqa: PLR2004  digits of 2**64
        return int(text) if is_number and "Transfer-Encoding" not in self.headers else None

    def _refuse_unread(self, incoming: Incoming, reply: Reply) -> NoReturn:
        """Refuse as a gateway does: at once, then hang up."""
        self._log(incoming, Caller(), reply.status)
        self._send_last(reply)

    def _send_last(self, reply: Reply) -> NoReturn:
        """Send a reply and linger, so that the peer can read it while it still uploads."""
        self._line(is_last=True).send(reply)
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGER_S)
        until = time.monotonic() + LINGER_S
        with suppress(OSError):
            while time.monotonic() < until and self.connection.recv(READ_BYTES):
                continue
        raise HangUp

    def _receive(self, incoming: Incoming, body: memoryview) -> None:
        """Read the body into one buffer; a scenario or the peer may end it on the way."""
        issued: Issued | None = None
        is_looked_at = False
        while not incoming.is_complete:
            # More than its buffer the library would read behind what it has kept, and lose that
            # if the peer resets. Once the buffer is empty, large pieces are read past it.
            size = READ_BYTES if incoming.received else FIRST_BYTES
            got = self._read_into(body[incoming.received :][:size])
            incoming.received += got
            if not is_looked_at and (incoming.received >= FIRST_BYTES or not got):
                is_looked_at, issued = True, self._token_in(body[: incoming.received])
            if not got:
                self._log(incoming, Caller.of(issued), None)
                raise HangUp
            self._strike_upload(incoming, issued)

    def _read_into(self, buffer: memoryview) -> int:
        """Read what is there; 0 when the peer has gone, be it with a reset."""
        assert isinstance(self.rfile, io.BufferedReader)  # noqa: S101  narrows the library's type
        try:
            return self.rfile.readinto1(buffer)
        except OSError:
            return 0

    def _token_in(self, first: memoryview) -> Issued | None:
        found = TOKEN.search(first)
        return self.server.sandbox.vendor.memory.find(found[0].decode()) if found else None

    def _strike_upload(self, incoming: Incoming, issued: Issued | None) -> None:
        """End an unfinished upload, if its token's scenario wants that."""
        if issued is None or issued.is_spent or incoming.is_complete:
            return
        name = issued.asked.scenario.name
        if name == "reset-upload":
            self._log(incoming, Caller.of(issued), None)
            self._line().reset()
        elif name == "413-early":
            reply = self.server.sandbox.vendor.refuse(413, None)
            self._log(incoming, Caller.of(issued), reply.status)
            self._send_last(reply)

    def _log(self, incoming: Incoming, caller: Caller, status: int | None) -> None:
        sandbox = self.server.sandbox
        entry = LoggedRequest(
            at=sandbox.clock(),
            path=self.path.partition("?")[0][:LOGGED_PATH_CHARS],
            biz_token_sha256=sha256_of(caller.token),
            biz_no=caller.biz_no,
            bytes_received=incoming.received,
            content_length=incoming.length,
            complete=incoming.is_complete,
            packet_sha256=sha256_of(caller.packet),
            status=status,
            scenario=caller.scenario,
        )
        sandbox.requests.add(entry)
