"""What the tests put on the wire by hand: forms byte by byte, and raw HTTP."""

import json
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

BOUNDARY = "boundary-of-tests"


@dataclass(frozen=True, slots=True)
class Heard:
    """A raw answer: status 0 if the peer closed without one."""

    status: int
    headers: dict[str, str]
    body: bytes
    took_s: float

    @property
    def problem(self) -> dict[str, Any]:
        """Return the body as JSON."""
        document: dict[str, Any] = json.loads(self.body)
        return document


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def part(name: str, data: bytes, *, file: str | None = None, headers: str = "") -> bytes:
    """Return one part of a form, up to and with its line break."""
    filename = "" if file is None else f'; filename="{file}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n{headers}'
    return head.encode() + b"\r\n" + data + b"\r\n"


def form(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    """Return a whole form."""
    return b"".join(parts) + b"--" + BOUNDARY.encode() + end


def content_type(boundary: str = BOUNDARY) -> str:
    """Return the content type of a form."""
    return f"multipart/form-data; boundary={boundary}"


def head(method: str, path: str, *lines: str, host: str = "127.0.0.1") -> bytes:
    """Return a request's head."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode(
        "latin-1"
    )


def talk(port: int, *pieces: bytes, pause_s: float = 0.0, wait_s: float = 8.0) -> Heard:
    """Send pieces over one connection and return the first final answer, or status 0."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.settimeout(wait_s)
        _send(peer, pieces, pause_s)
        answer = hear(peer)
    return _parse(answer, time.monotonic() - started)


def _send(peer: socket.socket, pieces: Iterable[bytes], pause_s: float) -> None:
    try:
        for piece in pieces:
            peer.sendall(piece)
            time.sleep(pause_s)
    except (BrokenPipeError, ConnectionResetError):
        return


def hear(peer: socket.socket) -> bytes:
    """Return one whole answer, or what came of it before the peer closed."""
    answer = b""
    try:
        while not _is_whole(answer) and (more := peer.recv(65536)):
            answer += more
    except ConnectionResetError:
        return answer
    return answer


def _is_whole(answer: bytes) -> bool:
    answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    top, end, body = answer.partition(b"\r\n\r\n")
    lengths = [
        int(line.partition(b":")[2])
        for line in top.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    return bool(end) and bool(lengths) and len(body) >= lengths[0]


def _parse(answer: bytes, took_s: float) -> Heard:
    if not answer:
        return Heard(0, {}, b"", took_s)
    answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    top, _, body = answer.partition(b"\r\n\r\n")
    status_line, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (s.partition(":") for s in lines)}
    length = int(headers.get("content-length", len(body)))
    return Heard(int(status_line.split(" ")[1]), headers, body[:length], took_s)
