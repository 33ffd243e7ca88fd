"""get_biz_token and verify: signed requests out, frozen values or typed errors back.

Each call makes exactly one request. Nothing is repeated here: what may be repeated, and when, is
told by the error (`errors`), decided by the caller, and signed anew by the next call.
"""

import ipaddress
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from verification.faceid import answers
from verification.faceid.contract import BIZ_TOKEN_PATH, VERIFY_PATH
from verification.faceid.deadline import Deadline
from verification.faceid.errors import InDoubt
from verification.faceid.multipart import encode
from verification.faceid.refusals import refusal
from verification.faceid.signing import SIGN_VERSION, sign
from verification.faceid.transport import Answer, Transport
from verification.faceid.types import (
    BizToken,
    BizTokenRequest,
    Credentials,
    Upload,
    VerifyAnswer,
)

# Long enough for clocks that differ, far shorter than a biz_token lives.
SIGN_LIFE_S = 300

_OK = 200


class FaceIdClient:
    """One account of the vendor in one region. Threads may share it.

    base_url: `contract.REGIONS` or a gateway before it; plain http only for a loopback host
    clock:    Unix seconds, for the signature
    nonce:    unpredictable integers in 0..signing.RANDOM_RANGE-1, for signature and boundary
    Raises ValueError for a base_url that is not one or would send in the clear.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credentials: Credentials,
        transport: Transport,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], int],
    ) -> None:
        self._base_url = _checked(base_url)
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._nonce = nonce

    def verify(self, *, biz_token: str, packet: Upload, deadline: Deadline) -> VerifyAnswer:
        """Spend a token: send the packet as it is and read the result, by `deadline`.

        Raises NotSent, NotProcessed, Rejected or InDoubt. After InDoubt the token may be spent
        and the call billed, and the vendor has no way to ask.
        """
        answer = self._post(
            VERIFY_PATH, {"biz_token": biz_token}, {"meglive_data": packet}, deadline
        )
        if answer.status == _OK:
            return answers.verify_answer(answer.body)
        raise refusal(answer, endpoint="verify", now=self._clock())

    def get_biz_token(self, request: BizTokenRequest, *, deadline: Deadline) -> BizToken:
        """Get a token, by `deadline`. Raises like `verify`; a token in doubt expires unused."""
        answer = self._post(BIZ_TOKEN_PATH, request.texts, request.files, deadline)
        if answer.status == _OK:
            return answers.biz_token(answer.body)
        raise refusal(answer, endpoint="get_biz_token", now=self._clock())

    def _post(
        self, path: str, texts: Mapping[str, str], files: Mapping[str, Upload], deadline: Deadline
    ) -> Answer:
        now = int(self._clock())
        signature = sign(
            self._credentials,
            current_time=now,
            expire_time=now + SIGN_LIFE_S,
            random=self._nonce(),
        )
        body = encode(
            {**texts, "sign": signature, "sign_version": SIGN_VERSION}, files, self._boundary()
        )
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": body.content_type,
            "User-Agent": "verification-faceid",
        }
        answer = self._transport.post(self._base_url + path, headers, body, deadline)
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise InDoubt("encoded", http_status=answer.status, raw=answer.body)
        return answer

    def _boundary(self) -> str:
        """More than 128 bits that whoever made an upload cannot know."""
        return "".join(f"{self._nonce():010d}" for _ in range(4))


def _checked(base_url: str) -> str:
    parts = urlsplit(base_url)
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("The base URL needs a host, and no user, query or fragment.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError("The base URL must use https; http is for a loopback host only.")
    return base_url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
