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

from typing import ClassVar, TypedDict, Unpack

from verification.errors import VerificationError


class Facts(TypedDict, total=False):
    """What is known of a call that gave no answer.

    http_status: status line of the answer, if one was read
    code:        what stands before the first colon of the vendor's `error`
    argument:    what stands after it; None if nothing does
    request_id:  the vendor's serial number of the call, if the answer had one
    raw:         the body as far as it was read, at most the transport's cap
    """

    http_status: int | None
    code: str | None
    argument: str | None
    request_id: str | None
    raw: bytes | None


class FaceIdError(VerificationError):
    """A call that gave no answer. `reason` is a short stable word, see the subclasses; `Facts`
    are attributes, None where unknown.

    `byte_left` tells whether a byte of the request was accepted by the socket, `repeat_is_safe`
    whether the same request may be sent again without risking a second processing.
    """

    byte_left: ClassVar[bool] = True
    repeat_is_safe: ClassVar[bool] = False
    sentence: ClassVar[str] = "The call gave no answer"

    def __init__(self, reason: str, **facts: Unpack[Facts]) -> None:
        self.reason = reason
        self.http_status = facts.get("http_status")
        self.code = facts.get("code")
        self.argument = facts.get("argument")
        self.request_id = facts.get("request_id")
        self.raw = facts.get("raw")
        status = "" if self.http_status is None else f", HTTP {self.http_status}"
        super().__init__(f"{self.sentence} ({reason}{status}).")


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
        self, reason: str, *, retry_after_s: float | None = None, **facts: Unpack[Facts]
    ) -> None:
        super().__init__(reason, **facts)
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
