"""The HTTP server of the sandbox: threads, keep-alive, faults down to the socket."""

import io
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from verification.faceid.contract import MAX_REQUEST_BYTES
from verification.sandbox import pages
from verification.sandbox.faults import HangUp, Line, deliver
from verification.sandbox.request_log import LoggedRequest, RequestLog
from verification.sandbox.tokens import Issued, Memory
from verification.sandbox.vendor import Reply, Vendor, Verdict, sha256_of

DEMO_KEY = "demo_key_0123456789abcdef"
DEMO_SECRET = "demo_secret_fedcba9876543210"  # noqa: S105  the contract's invented pair

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
FIRST_BYTES = 64 * 1024
READ_BYTES = 1024 * 1024
TOKEN = re.compile(rb"[0-9]{10,13},[0-9a-f-]{36}")
LINGER_S = 1.0


@dataclass(slots=True)
class Incoming:
    """A body as far as it came."""

    length: int
    received: int = 0


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
        known = {DEMO_KEY: DEMO_SECRET} if credentials is None else credentials
        self.requests = RequestLog()
        self.clock = clock
        self.stopping = threading.Event()
        self.vendor = Vendor(credentials=known, memory=Memory(clock), clock=clock)
        self._tcp = _Tcp((host, port), self)
        self._thread = threading.Thread(target=self.serve, name="faceid-sandbox", daemon=True)

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return int(self._tcp.server_address[1])

    @property
    def base_url(self) -> str:
        """Return the base URL to put in the vendor's place."""
        return f"http://{self._tcp.server_address[0]!s}:{self.port}"

    def serve(self) -> None:
        """Serve in this thread until `stop` is called from another."""
        self._tcp.serve_forever(poll_interval=0.05)

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End all connections and close the port."""
        self.stopping.set()
        self._tcp.shutdown()
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
            self._open.discard(request)  # type: ignore[arg-type]  # likewise
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

    def finish(self) -> None:
        """Close what the library opened; a connection that is gone needs no flush."""
        try:
            super().finish()
        except OSError:
            self.rfile.close()

    def log_message(self, *_: object) -> None:
        """Keep quiet: the request log is there to be read."""

    def do_GET(self) -> None:
        """Serve the sandbox's own pages."""
        log, address = self.server.sandbox.requests, urlsplit(self.path)
        if address.path == "/":
            self._answer(Reply(200, pages.index(), "text/html; charset=utf-8"))
        elif address.path == "/style.css":
            self._answer(Reply(200, pages.STYLE.encode(), "text/css"))
        elif address.path == "/healthz":
            self._answer(Reply(200, b"ok", "text/plain"))
        elif address.path == "/_sandbox/requests":
            wanted = parse_qs(address.query).get("biz_no")
            entries = log.for_biz_no(wanted[0]) if wanted else log.entries()
            self._answer(Reply(200, pages.request_log(entries), "application/json"))
        else:
            self._answer(self.server.sandbox.vendor.refuse(404, "API_NOT_FOUND"))

    def do_DELETE(self) -> None:
        """Empty the request log."""
        if self.path != "/_sandbox/requests":
            return self._answer(self.server.sandbox.vendor.refuse(404, "API_NOT_FOUND"))
        self.server.sandbox.requests.clear()
        return self._answer(Reply(200, b"{}", "application/json"))

    def do_POST(self) -> None:
        """Receive a form, let the vendor decide, send what it says in the way it wants."""
        sandbox = self.server.sandbox
        length = self._length()
        if length is None or length > MAX_REQUEST_BYTES:
            self._refuse_size(length)
            return
        incoming, body = Incoming(length), bytearray(length)
        issued = self._receive(incoming, memoryview(body))
        if incoming.received < length:
            self._log(incoming, Verdict(Reply(0, b""), None, issued), None)
            raise HangUp
        verdict = sandbox.vendor.decide(
            self.path, self.headers.get("Content-Type", ""), memoryview(body)
        )
        if self._is_over(verdict):
            verdict = Verdict(verdict.reply, None, verdict.issued, verdict.packet)
        self._log(incoming, verdict, verdict.reply.status)
        self._deliver(verdict)

    def _is_over(self, verdict: Verdict) -> bool:
        """Whether a fault that strikes get_biz_token once has struck already."""
        fault = verdict.fault
        if fault is None or fault.scenario.name != "token-429-once" or verdict.issued is None:
            return False
        return not self.server.sandbox.vendor.memory.first_time(verdict.issued.biz_no)

    def _deliver(self, verdict: Verdict) -> None:
        line = Line(self.connection, self.server.sandbox.stopping)
        if verdict.fault is None:
            line.send(verdict.reply)
        else:
            deliver(line, verdict.reply, verdict.fault)

    def _answer(self, reply: Reply) -> None:
        Line(self.connection, self.server.sandbox.stopping).send(reply)

    def _length(self) -> int | None:
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None  # noqa: PLR2004  digits of 2**64

    def _refuse_size(self, length: int | None) -> None:
        """Answer 413 as a gateway does: at once, then hang up."""
        reply = self.server.sandbox.vendor.refuse(413, None)
        self._log(Incoming(length or 0), Verdict(reply), reply.status)
        self._send_last(reply)

    def _send_last(self, reply: Reply) -> None:
        """Send a reply and linger, so that the peer can read it while it still uploads."""
        self._answer_closing(reply)
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGER_S)
        until = time.monotonic() + LINGER_S
        try:
            while time.monotonic() < until and self.connection.recv(READ_BYTES):
                continue
        except OSError:
            pass
        raise HangUp

    def _answer_closing(self, reply: Reply) -> None:
        Line(self.connection, self.server.sandbox.stopping).send(reply, close=True)

    def _receive(self, incoming: Incoming, body: memoryview) -> Issued | None:
        """Read the body into one buffer; a scenario may end it on the way."""
        assert isinstance(self.rfile, io.BufferedReader)  # noqa: S101  narrows the library's type
        incoming.received = self.rfile.readinto(body[:FIRST_BYTES])
        issued = self._token_in(body[: incoming.received])
        if incoming.received == len(body):
            return issued
        self._strike_upload(incoming, issued)
        while incoming.received < len(body):
            end = incoming.received + READ_BYTES
            try:
                got = self.rfile.readinto(body[incoming.received : end])
            except OSError:
                break
            if not got:
                break
            incoming.received += got
        return issued

    def _token_in(self, first: memoryview) -> Issued | None:
        found = TOKEN.search(first)
        return self.server.sandbox.vendor.memory.find(found[0].decode()) if found else None

    def _strike_upload(self, incoming: Incoming, issued: Issued | None) -> None:
        if issued is None or issued.is_spent:
            return
        name = issued.asked.scenario.name
        if name == "reset-upload":
            self._log(incoming, Verdict(Reply(0, b""), None, issued), None)
            Line(self.connection, self.server.sandbox.stopping).reset()
        elif name == "413-early":
            reply = self.server.sandbox.vendor.refuse(413, None)
            self._log(incoming, Verdict(reply, None, issued), reply.status)
            self._send_last(reply)

    def _log(self, incoming: Incoming, verdict: Verdict, status: int | None) -> None:
        sandbox, issued = self.server.sandbox, verdict.issued
        entry = LoggedRequest(
            at=sandbox.clock(),
            path=self.path,
            biz_token_sha256=sha256_of(issued.token) if issued else None,
            biz_no=issued.biz_no if issued else None,
            bytes_received=incoming.received,
            content_length=incoming.length,
            complete=incoming.received == incoming.length,
            packet_sha256=sha256_of(verdict.packet),
            status=status,
            scenario=issued.asked.scenario.name if issued else None,
        )
        sandbox.requests.add(entry)
