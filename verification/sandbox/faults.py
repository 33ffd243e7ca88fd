"""Faults of the line and of the server: how a reply is spoilt on its way."""

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from typing import Final

from verification.faceid.contract import TOO_LARGE_TEXT
from verification.sandbox.answers import encode
from verification.sandbox.scenarios import Asked
from verification.sandbox.vendor import Reply

HTML_502: Final = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
MAX_SILENCE_S: Final = 120.0
LOOK_S: Final = 0.05
MIB: Final = 1024 * 1024
BUSY: Final = "CONCURRENCY_LIMIT_EXCEEDED"


class HangUp(Exception):  # noqa: N818  no error: the scenario wants it
    """The connection ends here, without another byte."""


class Line:
    """The sending side of one connection, and the ways to misuse it. `is_last`: the connection
    ends after the reply, and the reply says so."""

    def __init__(self, sock: socket.socket, stopping: threading.Event, *, is_last: bool) -> None:
        self._sock = sock
        self._stopping = stopping
        self._is_last = is_last

    def head_of(self, reply: Reply) -> bytes:
        """Return status line and headers of a reply."""
        headers = {
            "Content-Type": reply.content_type,
            "Content-Length": str(len(reply.body)),
            **reply.headers,
            "Connection": "close" if self._is_last else "keep-alive",
        }
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def send(self, reply: Reply) -> None:
        """Send a reply properly."""
        self._sock.sendall(self.head_of(reply) + reply.body)

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self._sock.sendall(data)

    def drip(self, data: bytes, pause_s: float) -> None:
        """Send a byte at a time until all is sent or the peer has had enough."""
        for value in data:
            if self._stopping.wait(pause_s):
                raise HangUp
            self._sock.sendall(bytes([value]))

    def be_silent(self) -> None:
        """Say nothing until the peer hangs up, the server stops or two minutes are over."""
        until = time.monotonic() + MAX_SILENCE_S
        while time.monotonic() < until and not self._peer_left():
            if self._stopping.wait(LOOK_S):
                break
        raise HangUp

    def wait(self, seconds: float) -> None:
        """Let time pass, unless the server stops."""
        if self._stopping.wait(seconds):
            raise HangUp

    def reset(self) -> None:
        """Hang up by RST: with a linger time of zero, closing throws everything away."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise HangUp

    def _peer_left(self) -> bool:
        try:
            return not self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False


def spoil(reply: Reply, fault: Asked) -> Reply:
    """Return what a fault puts in the place of `reply`; the same reply if it spoils the line."""
    change = _INSTEAD.get(fault.scenario.name)
    return reply if change is None else change(reply, fault.argument)


def is_answered(fault: Asked) -> bool:
    """Whether the peer gets to see a status line, if it has patience."""
    return fault.scenario.name not in _UNANSWERED


def deliver(line: Line, reply: Reply, fault: Asked) -> None:
    """Send a spoilt reply under its fault. HangUp when the connection must end."""
    _MISUSE.get(fault.scenario.name, _properly)(line, reply, fault.argument)


def _properly(line: Line, reply: Reply, _argument: float) -> None:
    line.send(reply)


def _slow(line: Line, reply: Reply, seconds: float) -> None:
    line.wait(seconds)
    line.send(reply)


def _drip_headers(line: Line, reply: Reply, pause_s: float) -> None:
    line.drip(line.head_of(reply) + reply.body, pause_s)


def _drip_body(line: Line, reply: Reply, pause_s: float) -> None:
    line.send_bytes(line.head_of(reply))
    line.drip(reply.body, pause_s)


def _silent(line: Line, _reply: Reply, _argument: float) -> None:
    line.be_silent()


def _reset(line: Line, _reply: Reply, _argument: float) -> None:
    line.reset()


def _hang_up(_line: Line, _reply: Reply, _argument: float) -> None:
    raise HangUp


def _truncated(line: Line, reply: Reply, _argument: float) -> None:
    line.send_bytes(line.head_of(reply) + reply.body[: len(reply.body) // 2])
    raise HangUp


def _changed(change: Callable[[bytes], bytes]) -> Callable[[Reply, float], Reply]:
    return lambda reply, _argument: replace(reply, body=change(reply.body))


def _confidence(text: str) -> Callable[[bytes], bytes]:
    """Put a comparison into an answer whose confidence is written as `text`."""

    def change(body: bytes) -> bytes:
        answer = json.loads(body)
        answer["verification"] = {"ref1": {"confidence": "@", "thresholds": {}}}
        return encode(answer).replace(b'"@"', text.encode())

    return change


def _huge(reply: Reply, mib: float) -> Reply:
    padding = b"x" * int(mib * MIB)
    return replace(reply, body=reply.body[:-1] + b', "padding": "' + padding + b'"}')


@cache
def _bomb() -> bytes:
    # Members of a gzip file follow one another freely: 64 times 16 MiB of zeros.
    return gzip.compress(bytes(16 * MIB), compresslevel=9) * 64


def _gzip_bomb(reply: Reply, _argument: float) -> Reply:
    return replace(reply, body=_bomb(), headers={"Content-Encoding": "gzip"})


def _error(reply: Reply, code: str) -> bytes:
    """Write an error as the vendor's sample has it, which lacks `time_used`."""
    return encode({"request_id": json.loads(reply.body)["request_id"], "error": code})


def _busy(reply: Reply, _argument: float) -> Reply:
    return Reply(429, _error(reply, BUSY))


def _unavailable(_reply: Reply, seconds: float) -> Reply:
    return Reply(503, b"", "text/plain", {"Retry-After": f"{seconds:.0f}"})


def _failed(reply: Reply, _argument: float) -> Reply:
    return Reply(500, _error(reply, "INTERNAL_ERROR"))


def _gateway(_reply: Reply, _argument: float) -> Reply:
    return Reply(502, HTML_502, "text/html")


def _too_large(_reply: Reply, _argument: float) -> Reply:
    return Reply(413, TOO_LARGE_TEXT.encode(), "text/plain")


def _redirect(_reply: Reply, _argument: float) -> Reply:
    return Reply(307, b"", "text/plain", {"Location": "http://127.0.0.2:9/faceid/v3/sdk/verify"})


_MISUSE: Final[Mapping[str, Callable[[Line, Reply, float], None]]] = {
    "slow": _slow,
    "token-slow": _slow,
    "drip-headers": _drip_headers,
    "drip-body": _drip_body,
    "timeout-before": _silent,
    "timeout-after": _silent,
    "token-timeout": _silent,
    "reset-upload": _reset,
    "reset-after": _reset,
    "close-after": _hang_up,
    "truncated": _truncated,
}
_UNANSWERED: Final = frozenset(
    name for name, act in _MISUSE.items() if act in {_silent, _reset, _hang_up}
)
_INSTEAD: Final[Mapping[str, Callable[[Reply, float], Reply]]] = {
    "empty": _changed(lambda _body: b""),
    "invalid-json": _changed(lambda body: body[:-1]),
    "token-invalid-json": _changed(lambda body: body[:-1]),
    "wrong-shape": _changed(lambda _body: b'[{"result": "fine"}]'),
    "nan": _changed(_confidence("NaN")),
    "out-of-range": _changed(_confidence("101")),
    "duplicate-keys": _changed(lambda body: body[:-1] + b', "result_code": 1000}'),
    "deep-json": _changed(
        lambda body: body[:-1] + b', "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
    "huge-json": _huge,
    "nul": _changed(lambda body: body[:-1] + b', "text": "a\\u0000b"}'),
    "gzip-bomb": _gzip_bomb,
    "429": _busy,
    "429-once": _busy,
    "token-429-once": _busy,
    "503": _unavailable,
    "503-once": _unavailable,
    "500": _failed,
    "token-500": _failed,
    "502-html": _gateway,
    "token-502-html": _gateway,
    "redirect": _redirect,
    # A request that is small enough has arrived before it could be refused on the way.
    "413-early": _too_large,
}
