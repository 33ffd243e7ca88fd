"""An onboarding backend: submits packets, each with a token of its own."""

import http.client
import re
import secrets
import time
from types import TracebackType
from typing import Self

from bench.site import BenchError

BOUNDARY = "bench-0123456789abcdef0123456789abcdef"
TOKEN_CHARS = 47
_HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="biz_token"\r\n\r\n{"x" * TOKEN_CHARS}'
    f'\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="meglive_data"; filename="p"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()
_TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
_TOKEN = re.search(rb"x{%d}" % TOKEN_CHARS, _HEAD)
PACKET_100_KB = 100_000
PACKET_9_MB = 9_000_000
PACKET_10_MB = 10_000_000


class Caller:
    """One kept connection to a server, for one thread."""

    def __init__(self, port: int, *, key: str, packet_bytes: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        }
        self._body = bytearray(_HEAD + secrets.token_bytes(packet_bytes) + _TAIL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def submit(self) -> float:
        """Submit one packet with a fresh token; return the seconds until the answer was read."""
        assert _TOKEN is not None
        token = f"1700000000,{secrets.token_hex(18)}".encode()
        self._body[_TOKEN.start() : _TOKEN.end()] = token
        began = time.perf_counter()
        self._connection.request("POST", "/api/v1/attempts/", self._body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        took_s = time.perf_counter() - began
        if response.status not in {200, 201} or b"1000" not in answer:
            raise BenchError(f"a submission was answered {response.status}: {answer[:300]!r}")
        return took_s
