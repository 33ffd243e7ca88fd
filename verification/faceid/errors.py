"""What can become of a call to the vendor, other than an answer.

    FaceIdError
    |-- NotSent        no byte of the request left this machine        repeat: safe
    |-- NotProcessed   the vendor said it did not start                repeat: safe, later
    |-- Rejected       the vendor said no, definitely                  repeat: useless
    `-- InDoubt        a byte left and no usable answer came back      repeat: never blindly

An error's text, `args` and `repr` carry the reason and the HTTP status only. The vendor's own
words (`code`, `argument`) and the body (`raw`, which may hold biometric data) are attributes, so
that no log line contains them by accident.
"""

from typing import ClassVar

from verification.errors import VerificationError


class FaceIdError(VerificationError):
    """A call that gave no answer. `repeat_is_safe` tells whether the same token may be sent again
    without risking a second processing.

    reason:      a short stable word, see the subclasses
    http_status: status line of the answer, if one was read
    code:        what stands before the first colon of the vendor's `error`
    argument:    what stands after it; None if nothing does
    request_id:  the vendor's serial number of the call, if the answer had one
    byte_left:   whether any byte of the request was accepted by the socket
    raw:         the body as far as it was read, at most the transport's cap; None if none
    """

    repeat_is_safe: ClassVar[bool] = False
    byte_left: ClassVar[bool] = True
    sentence: ClassVar[str] = "The call gave no answer"

    def __init__(
        self,
        reason: str,
        *,
        http_status: int | None = None,
        code: str | None = None,
        argument: str | None = None,
        request_id: str | None = None,
        raw: bytes | None = None,
    ) -> None:
        status = "" if http_status is None else f", HTTP {http_status}"
        super().__init__(f"{self.sentence} ({reason}{status}).")
        self.reason = reason
        self.http_status = http_status
        self.code = code
        self.argument = argument
        self.request_id = request_id
        self.raw = raw


class NotSent(FaceIdError):  # noqa: N818  names what became of the call
    """No byte of the request left. reason: `dns`, `refused`, `unreachable`, `connect_timeout`,
    `tls`, `deadline` (nothing was tried, the time was over)."""

    repeat_is_safe = True
    byte_left = False
    sentence = "The vendor was not reached"


class NotProcessed(FaceIdError):  # noqa: N818  names what became of the call
    """The vendor was busy and did not start. reason: `concurrency_limit`, `unavailable`.

    retry_after_s: seconds to wait as the vendor asked, not negative; None if it did not say.
    """

    repeat_is_safe = True
    sentence = "The vendor was too busy to start"

    def __init__(
        self,
        reason: str,
        *,
        http_status: int | None = None,
        code: str | None = None,
        argument: str | None = None,
        request_id: str | None = None,
        raw: bytes | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(
            reason,
            http_status=http_status,
            code=code,
            argument=argument,
            request_id=request_id,
            raw=raw,
        )
        self.retry_after_s = retry_after_s


class Rejected(FaceIdError):  # noqa: N818  names what became of the call
    """HTTP 400, 401, 403, 404 or 413, read to its end. reason: `refused`. `code` is None when the
    body was plain text or of no known shape."""

    sentence = "The vendor refused the request"


class InDoubt(FaceIdError):  # noqa: N818  names what became of the call
    """The vendor may have processed, and billed, the request. reason:

    `read_timeout` the deadline passed while sending or reading; `reset` the connection broke;
    `closed` the peer hung up without an answer; `truncated` the answer was cut; `too_large` it
    exceeded the cap; `not_http` it was not HTTP; `encoded` it was compressed, unasked;
    `redirect` 3xx; `server_error` 5xx; `unexpected_status` any other; `invalid_json` and
    `unexpected_shape` a body that does not fit the contract.
    """

    sentence = "The outcome is in doubt"
