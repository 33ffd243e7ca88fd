"""Peers on real sockets: each connection is handled by a script, in a thread of its own."""

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SUCCESS = {"result_code": 1000, "result_message": "SUCCESS"}


class Talk:
    """One accepted connection, as a script sees it."""

    def __init__(self, peer: "Peer", sock: socket.socket) -> None:
        self._peer = peer
        self._sock = sock

    def read_some(self, size: int = 1024) -> bytes:
        return self._sock.recv(size)

    def read_request(self) -> bytes:
        """The whole next request, kept in the peer's list; b"" when the other side hung up."""
        received = b""
        while b"\r\n\r\n" not in received:
            data = self._sock.recv(65536)
            if not data:
                return b""
            received += data
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        parts = [body]
        missing = length - len(body)
        while missing:
            parts.append(self._sock.recv(min(missing, 1 << 20)))
            missing -= len(parts[-1])
        request = head + b"\r\n\r\n" + b"".join(parts)
        self._peer.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def drip(self, data: bytes, pause_s: float = 0.05) -> None:
        for byte in data:
            self.send(bytes([byte]))
            self.wait(pause_s)

    def answer(self, status: int, body: bytes = b"", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers, "", ""]
        self.send("\r\n".join(lines).encode() + body)

    def answer_json(self, status: int, value: Any, *headers: str) -> None:
        self.answer(status, json.dumps(value).encode(), *headers)

    def wait(self, seconds: float = 30) -> None:
        """Do nothing, until the peer is stopped at the latest."""
        if self._peer.stopped.wait(seconds):
            raise ConnectionAbortedError

    def reset(self) -> None:
        """Hang up with a reset instead of an orderly end."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


Script = Callable[[Talk], None]


@dataclass
class Peer:
    """A listening socket; `connections` counts what it accepted."""

    script: Script
    tls: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._start(self._accept)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for sock in tuple(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(self._talk, sock)

    def _talk(self, sock: socket.socket) -> None:
        # Hanging up in the middle is what many scripts are about.
        with contextlib.suppress(OSError), self._secured(sock) as connection:
            self._open.add(connection)
            self.script(Talk(self, connection))
            self._open.discard(connection)

    def _secured(self, sock: socket.socket) -> socket.socket:
        sock.settimeout(10)
        # Else an answer may wait for an acknowledgement until a reset destroys it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(sock, server_side=True) if self.tls else sock


def answering(status: int, value: Any, *headers: str) -> Script:
    """A script that answers every request of a connection with the same JSON."""

    def script(talk: Talk) -> None:
        while talk.read_request():
            talk.answer_json(status, value, *headers)

    return script


def sending(data: bytes) -> Script:
    """A script that answers one request with these very bytes and hangs up."""

    def script(talk: Talk) -> None:
        talk.read_request()
        talk.send(data)

    return script
