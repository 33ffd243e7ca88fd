"""Speaking to a sandbox as a vendor's client does, byte by byte where that matters."""

import http.client
import itertools
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from verification.faceid.client import FaceIdClient
from verification.faceid.contract import BIZ_TOKEN_PATH, VERIFY_PATH
from verification.faceid.deadline import Deadline
from verification.faceid.multipart import encode
from verification.faceid.signing import sign
from verification.faceid.transport import Transport
from verification.faceid.types import BizTokenRequest, Credentials, Upload, VerifyAnswer
from verification.sandbox.server import DEMO_KEY, DEMO_SECRET, SandboxServer

CREDENTIALS = Credentials(DEMO_KEY, DEMO_SECRET)
PHOTO = b"\xff\xd8\xff\xe0 not a real face \xff\xd9"
PACKET = b"a packet of the phone's SDK"
NONCES = itertools.count(1)
TEXTS: Mapping[str, str] = {"liveness_type": "meglive", "comparison_type": "0", "uuid": "person-1"}


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Said:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The status and the error, as in `400 BAD_ARGUMENTS: uuid`."""
        return f"{self.status} {self.json['error']}"


@dataclass(frozen=True)
class Speaker:
    """One client of one sandbox; requests are signed for the sandbox's clock."""

    server: SandboxServer
    transport: Transport

    def sign(self, *, life_s: int = 60) -> str:
        now = int(self.server.clock())
        return sign(CREDENTIALS, current_time=now, expire_time=now + life_s, random=next(NONCES))

    def signed(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {"sign": self.sign(), "sign_version": "hmac_sha1", **texts}

    def send(
        self, path: str, content_type: str, body: bytes, method: str = "POST", **headers: str
    ) -> Said:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": content_type, **headers})
            answer = connection.getresponse()
            return Said(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> Said:
        return self.send(path, "", b"", "GET")

    def form(
        self, path: str, texts: Mapping[str, str], files: Mapping[str, bytes] | None = None
    ) -> Said:
        """Send exactly these fields."""
        uploads = {name: Upload(data) for name, data in (files or {}).items()}
        body = encode(texts, uploads, f"----b{next(NONCES)}")
        return self.send(path, body.content_type, b"".join(bytes(each) for each in body))

    def ask_token(self, biz_no: str | None = None, **texts: str) -> Said:
        given = {**TEXTS, **({} if biz_no is None else {"biz_no": biz_no}), **texts}
        return self.form(BIZ_TOKEN_PATH, self.signed(given), {"image_ref1": PHOTO})

    def token(self, biz_no: str | None = None, **texts: str) -> str:
        answer = self.ask_token(biz_no, **texts)
        assert answer.status == 200, answer.body
        return str(answer.json["biz_token"])

    def verify(self, token: str, packet: bytes = PACKET) -> Said:
        return self.form(VERIFY_PATH, self.signed({"biz_token": token}), {"meglive_data": packet})

    def read(self, token: str, packet: bytes = PACKET, timeout_s: float = 5) -> VerifyAnswer:
        """Verify through the project's own client. Raises its errors."""
        return self._client().verify(
            biz_token=token, packet=Upload(packet), deadline=Deadline.after(timeout_s)
        )

    def read_token(self, biz_no: str, timeout_s: float = 5) -> str:
        """Get a token through the project's own client. Raises its errors."""
        request = BizTokenRequest({**TEXTS, "biz_no": biz_no}, {"image_ref1": Upload(PHOTO)})
        return self._client().get_biz_token(request, deadline=Deadline.after(timeout_s)).biz_token

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=10)

    def head(self, path: str, length: int, content_type: str) -> bytes:
        return (
            f"POST {path} HTTP/1.1\r\nHost: sandbox\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()

    def whole(self, token: str, packet: bytes = PACKET) -> bytes:
        """Every byte of a verify request."""
        texts = self.signed({"biz_token": token})
        body = encode(texts, {"meglive_data": Upload(packet)}, f"----b{next(NONCES)}")
        return self.head(VERIFY_PATH, len(body), body.content_type) + b"".join(map(bytes, body))

    def _client(self) -> FaceIdClient:
        return FaceIdClient(
            base_url=self.server.base_url,
            credentials=CREDENTIALS,
            transport=self.transport,
            clock=self.server.clock,
            nonce=lambda: next(NONCES),
        )


def read_all(sock: socket.socket) -> bytes:
    """What comes until the peer ends. Raises ConnectionResetError where it ends by a reset."""
    received = b""
    while data := sock.recv(1 << 20):
        received += data
    return received
