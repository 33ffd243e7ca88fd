"""From an answer that is not HTTP 200 to a typed error."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from verification.faceid.contract import ERRORS, Endpoint
from verification.faceid.errors import FaceIdError, Facts, InDoubt, NotProcessed, Rejected
from verification.faceid.strict_json import StrictJsonError, loads
from verification.faceid.transport import Answer

_REFUSALS = frozenset({400, 401, 403, 404, 413})
_TOO_MANY_REQUESTS = 429
_UNAVAILABLE = 503
_BUSY = "CONCURRENCY_LIMIT_EXCEEDED"
_SECONDS = re.compile(r"[0-9]{1,9}")
_REASONS = {3: "redirect", 5: "server_error"}


def refusal(answer: Answer, *, endpoint: Endpoint, now: float) -> FaceIdError:
    """What a whole answer without a result means; `now` is Unix seconds.

    A 503 says that nothing was started only if it says when to come back. A status that is not
    listed proves nothing either way and leaves the call in doubt.
    """
    facts = _facts(answer)
    status = answer.status
    retry_after_s = _retry_after_s(answer.headers.get("Retry-After", ""), now)
    if _is_busy(status, facts["code"], endpoint):
        return NotProcessed("concurrency_limit", retry_after_s=retry_after_s, **facts)
    if status == _UNAVAILABLE and retry_after_s is not None:
        return NotProcessed("unavailable", retry_after_s=retry_after_s, **facts)
    if status in _REFUSALS:
        return Rejected("refused", **facts)
    return InDoubt(_REASONS.get(status // 100, "unexpected_status"), **facts)


def _is_busy(status: int, code: str | None, endpoint: Endpoint) -> bool:
    """429 always; get_biz_token says it with a 403 and the code."""
    return status == _TOO_MANY_REQUESTS or any(
        row.code == code == _BUSY and row.http_status == status and endpoint in row.endpoints
        for row in ERRORS
    )


def _facts(answer: Answer) -> Facts:
    """The vendor's words, where the body is its JSON; the tables write `CODE:argument`, the
    samples `CODE: argument`."""
    facts = Facts(http_status=answer.status, code=None, raw=answer.body)
    try:
        body = loads(answer.body)
    except StrictJsonError:
        return facts
    if not isinstance(body, dict):
        return facts
    error, request_id = body.get("error"), body.get("request_id")
    if isinstance(error, str):
        code, _, argument = error.partition(":")
        facts["code"] = code.strip() or None
        facts["argument"] = argument.strip() or None
    if isinstance(request_id, str):
        facts["request_id"] = request_id
    return facts


def _retry_after_s(value: str, now: float) -> float | None:
    """Seconds to wait, from a number of seconds or a date; None if it is neither."""
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
