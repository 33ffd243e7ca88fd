"""get_biz_token and verify: signed requests out, frozen values or typed errors back.

Each call makes exactly one request. Nothing is repeated here: what may be repeated, and when, is
told by the error (`errors`), decided by the caller, and signed anew by the next call.
"""

import email.utils
import ipaddress
import re
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from verification.faceid import answers
from verification.faceid.contract import BIZ_TOKEN_PATH, VERIFY_PATH
from verification.faceid.deadline import Deadline
from verification.faceid.errors import FaceIdError, InDoubt, NotProcessed, Rejected
from verification.faceid.multipart import encode
from verification.faceid.signing import SIGN_VERSION, sign
from verification.faceid.strict_json import StrictJsonError, loads
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
_REDIRECTS = range(300, 400)
_REFUSALS = frozenset({400, 401, 403, 404, 413})
_FORBIDDEN = 403
_TOO_MANY = 429
_UNAVAILABLE = 503
_SERVER_ERRORS = range(500, 600)
_BUSY = "CONCURRENCY_LIMIT_EXCEEDED"
_SECONDS = re.compile(r"[0-9]{1,9}")


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
        raise self._error(answer, busy_statuses={_TOO_MANY})

    def get_biz_token(self, request: BizTokenRequest, *, deadline: Deadline) -> BizToken:
        """Get a token, by `deadline`. Raises like `verify`; a token in doubt expires unused."""
        answer = self._post(BIZ_TOKEN_PATH, request.texts, request.files, deadline)
        if answer.status == _OK:
            return answers.biz_token(answer.body)
        raise self._error(answer, busy_statuses={_TOO_MANY, _FORBIDDEN})

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
            {"sign": signature, "sign_version": SIGN_VERSION, **texts}, files, self._boundary()
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

    def _error(self, answer: Answer, *, busy_statuses: set[int]) -> FaceIdError:
        status, raw = answer.status, answer.body
        code, argument, request_id = _refusal(raw)
        retry_after_s = _retry_after_s(answer.headers.get("Retry-After"), self._clock())
        if status == _TOO_MANY or (status in busy_statuses and code == _BUSY):
            return NotProcessed(
                "concurrency_limit",
                http_status=status,
                code=code,
                argument=argument,
                request_id=request_id,
                raw=raw,
                retry_after_s=retry_after_s,
            )
        if status == _UNAVAILABLE and retry_after_s is not None:
            return NotProcessed("unavailable", http_status=status, raw=raw, retry_after_s=retry_after_s)
        return InDoubt(_doubt(status))
