"""Problem details (RFC 9457): every error of the API as one JSON shape with a stable code.

    {"type": "urn:verification:problem:not_found", "title": "Not found", "status": 404,
     "detail": "...", "code": "not_found", "request_id": "<uuid>"}

`docs/reference/api.md` lists the codes. No text of an exception and no value that came in is ever
in a problem or in the log line about it.
"""

import json
import logging
import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
)
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError
from rest_framework import exceptions as rest

from verification.faceid.errors import FaceIdError, InDoubt, NotProcessed, NotSent, Rejected
from verification.faceid.multipart import MultipartError
from verification.ledger.errors import TreeError
from verification.services.errors import (
    AttemptInFlightError,
    AttemptNotSentError,
    ForeignTokenError,
    IdempotencyKeyReusedError,
    InvalidKeyError,
    LedgerRefusalError,
    PacketMismatchError,
)
from verification.services.settlement import visible

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:verification:problem:"
CHALLENGE = 'Bearer realm="verification"'
BUSY_RETRY_AFTER_S = 1.0
UPSTREAM_RETRY_AFTER_S = 2.0
MAX_FRAMES = 12


@dataclass(frozen=True, slots=True)
class Kind:
    """What a code always means: HTTP status and title."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "malformed_request": Kind(400, "The request is malformed"),
        "invalid_parameter": Kind(400, "A query parameter is not valid"),
        "unknown_parameter": Kind(400, "A query parameter is not known"),
        "invalid_range": Kind(400, "The range is not one of the log"),
        "invalid_cursor": Kind(400, "The cursor is not one of ours"),
        "invalid_idempotency_key": Kind(400, "The Idempotency-Key is not valid"),
        "incomplete_body": Kind(400, "The body ended early"),
        "malformed_body": Kind(400, "The form is malformed"),
        "header_too_large": Kind(400, "The headers of a part are too large"),
        "too_many_parts": Kind(400, "The form has too many parts"),
        "too_many_files": Kind(400, "The form has too many files"),
        "unsupported_encoding": Kind(400, "A part has a transfer encoding"),
        "unknown_field": Kind(400, "A field is not known"),
        "duplicate_field": Kind(400, "A field came twice"),
        "missing_field": Kind(400, "A field is missing"),
        "invalid_field": Kind(400, "A field is not valid"),
        "not_utf8": Kind(400, "A text is not UTF-8"),
        "text_expected": Kind(400, "A field must not be a file"),
        "file_expected": Kind(400, "A field must be a file"),
        "unauthenticated": Kind(401, "An API key is needed"),
        "invalid_key": Kind(401, "The API key is not valid"),
        "missing_scope": Kind(403, "The API key may not do this"),
        "forbidden": Kind(403, "Not allowed"),
        "foreign_token": Kind(403, "The biz_token is another client's"),
        "not_found": Kind(404, "Not found"),
        "method_not_allowed": Kind(405, "The method is not allowed here"),
        "request_timeout": Kind(408, "The request came too slowly"),
        "attempt_in_flight": Kind(409, "The attempt is being sent"),
        "not_sealed": Kind(409, "The log is not sealed over it yet"),
        "export_not_ready": Kind(409, "The export is not ready, or has expired"),
        "export_not_open": Kind(409, "The export has ended"),
        "conflict": Kind(409, "The request conflicts with a record"),
        "length_required": Kind(411, "A Content-Length is needed"),
        "body_too_large": Kind(413, "The body is too large"),
        "uri_too_long": Kind(414, "The address is too long"),
        "unsupported_media_type": Kind(415, "The content type is not supported"),
        "unsupported_content_encoding": Kind(415, "The body is encoded"),
        "expectation_failed": Kind(417, "The expectation cannot be met"),
        "idempotency_key_reused": Kind(422, "The Idempotency-Key stands for another request"),
        "packet_mismatch": Kind(422, "The packet is another one"),
        "rejected_by_upstream": Kind(422, "The verification service refused the parameters"),
        "unstorable": Kind(422, "The request holds what cannot be recorded"),
        "too_many_exports": Kind(429, "Too many exports are being made"),
        "headers_too_large": Kind(431, "The headers are too large"),
        "internal_error": Kind(500, "Something went wrong here"),
        "log_damaged": Kind(500, "The log does not hold"),
        "overloaded": Kind(503, "Too much is being received"),
        "database_unavailable": Kind(503, "The database is not available"),
        "not_ready": Kind(503, "Not ready"),
        "upstream_unreachable": Kind(503, "The verification service was not reached"),
        "upstream_busy": Kind(503, "The verification service is busy"),
        "upstream_refused": Kind(503, "The verification service refused us"),
        "upstream_no_answer": Kind(504, "The verification service gave no usable answer"),
    }
)

BY_STATUS: Mapping[int, str] = MappingProxyType(
    {
        400: "malformed_request",
        401: "unauthenticated",
        403: "forbidden",
        404: "not_found",
        405: "method_not_allowed",
        413: "body_too_large",
        415: "unsupported_media_type",
    }
)
"""The code of an error that comes from the framework with nothing but its status."""


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """An error as the caller will see it.

    code:          a key of KINDS
    detail:        one sentence for the caller; may name fields and limits, never values
    retry_after_s: seconds to wait before the same request makes sense, None if waiting is useless
    headers:       further response headers
    extra:         further members of the JSON object
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    @property
    def kind(self) -> Kind:
        """Return the status and the title of the code."""
        return KINDS[self.code]


def problem_document(problem: Problem, request_id: str) -> dict[str, object]:
    """Return the JSON object of a problem."""
    return {
        "type": TYPE_PREFIX + problem.code,
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
        **problem.extra,
    }


def problem_headers(problem: Problem) -> dict[str, str]:
    """Return the headers that go with a problem; a wait is rounded up to whole seconds."""
    headers = dict(problem.headers)
    if problem.kind.status == Kind(401, "").status:
        headers.setdefault("WWW-Authenticate", CHALLENGE)
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after_s)))
    return headers


def problem_response(problem: Problem, request_id: str) -> HttpResponse:
    """Return the response for a problem."""
    return HttpResponse(
        json.dumps(problem_document(problem, request_id)),
        status=problem.kind.status,
        content_type=CONTENT_TYPE,
        headers={**problem_headers(problem), "Cache-Control": "no-store"},
    )


def problem_of(error: Exception, request_id: str) -> Problem:
    """Return the problem an exception becomes; what nobody foresaw is logged and opaque."""
    match error:
        case Problem():
            return error
        case MultipartError():
            return _of_multipart(error)
        case FaceIdError():
            return _of_upstream(error)
        case rest.APIException() | Http404() | PermissionDenied() | SuspiciousOperation():
            return _of_framework(error)
        case UnreadablePostError():
            return Problem("incomplete_body", "The connection ended before the body did.")
        case OperationalError() | InterfaceError() | DataError() | IntegrityError():
            return _of_database(error, request_id)
        case _:
            return _of_service(error) or _of_unforeseen(error, request_id)


def _of_service(error: Exception) -> Problem | None:
    match error:
        case InvalidKeyError():
            return Problem("invalid_key", "The API key is unknown, expired or revoked.")
        case AttemptInFlightError():
            return Problem(
                error.code,
                "Another request is sending this biz_token now; ask again for its answer.",
                retry_after_s=BUSY_RETRY_AFTER_S,
                extra={"attempt_id": str(error.attempt_id)},
            )
        case IdempotencyKeyReusedError() | PacketMismatchError():
            extra = {"attempt_id": str(error.attempt_id)}
            return Problem(error.code, str(error), extra=extra)
        case ForeignTokenError():
            return Problem(error.code, str(error))
        case AttemptNotSentError():
            return Problem(
                error.reason,
                "Nothing was processed or spent; the same request may be sent again.",
                retry_after_s=error.retry_after_s,
                extra={"attempt_id": str(error.attempt.pk)},
            )
        case LedgerRefusalError() | TreeError():
            # Neither text quotes a value: it is what the operator looks for first.
            logger.error("the log proves nothing: %s", error)
            detail = "What is stored of the log does not fit: the operator has to verify it."
            return Problem("log_damaged", detail)
        case _:
            return None


def _of_multipart(error: MultipartError) -> Problem:
    extra = {"field": error.field} if error.field else {}
    if error.code == "not_multipart":
        return Problem("unsupported_media_type", "The body must be multipart/form-data.")
    code = "malformed_body" if error.code == "malformed" else error.code
    return Problem(code, str(error), extra=extra)


def _of_upstream(error: FaceIdError) -> Problem:
    """Translate a failed get_biz_token; an attempt never fails this way."""
    match error:
        case NotProcessed():
            pause_s = error.retry_after_s or UPSTREAM_RETRY_AFTER_S
            detail = "The verification service is at its limit; ask again later."
            return Problem("upstream_busy", detail, retry_after_s=pause_s)
        case NotSent():
            detail = "No session was opened; the same request may be sent again."
            return Problem("upstream_unreachable", detail, retry_after_s=UPSTREAM_RETRY_AFTER_S)
        case Rejected(http_status=400 | 413):
            argument = visible(error.argument, 200)
            extra = {"error": {"code": visible(error.code, 200), "argument": argument}}
            detail = "See `error` for its code and the argument it names."
            return Problem("rejected_by_upstream", detail, extra=extra)
        case InDoubt():
            detail = "No token was received; the same request may be sent again."
            return Problem("upstream_no_answer", detail, retry_after_s=UPSTREAM_RETRY_AFTER_S)
        case _:
            logger.error("the vendor refused us: %s", visible(error.code, 100))
            return Problem("upstream_refused", "The operator of this service has to look at it.")


def _of_framework(error: Exception) -> Problem:
    match error:
        case Http404() | rest.NotFound():
            return Problem("not_found", "Nothing is here for you.")
        case rest.MethodNotAllowed():
            return Problem("method_not_allowed", "See the header Allow for what is.")
        case rest.UnsupportedMediaType():
            return Problem("unsupported_media_type", "The body must be multipart/form-data.")
        case TooManyFieldsSent():
            return Problem("malformed_request", "There are too many parameters.")
        case RequestDataTooBig():
            return Problem("body_too_large", "The body is larger than this address takes.")
        case rest.APIException():
            return problem_of_status(error.status_code)
        case PermissionDenied():
            return problem_of_status(403)
        case _:
            return problem_of_status(400)


def _of_database(error: Exception, request_id: str) -> Problem:
    match error:
        case DataError():
            _alarm(error, request_id)
            return Problem("unstorable", "A value of the request cannot be recorded.")
        case IntegrityError():
            _alarm(error, request_id)
            return Problem("conflict", "A record stands against it.")
        case _:
            logger.warning("request %s: database: %s", request_id, type(error).__name__)
            return Problem(
                "database_unavailable",
                "Nothing is lost; the same request may be sent again.",
                retry_after_s=BUSY_RETRY_AFTER_S,
            )


def _of_unforeseen(error: Exception, request_id: str) -> Problem:
    _alarm(error, request_id)
    return Problem("internal_error", "Tell the operator the request_id; it stands in the log.")


def problem_of_status(status: int) -> Problem:
    """Return the problem for a framework's response that says nothing but its status."""
    code = BY_STATUS.get(status)
    if code is None:
        code = "malformed_request" if status < Kind(500, "").status else "internal_error"
    return Problem(code, KINDS[code].title + ".")


def _alarm(error: Exception, request_id: str) -> None:
    """Log where it happened, never what it said: exceptions quote values."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    logger.error("request %s: %s at %s", request_id, type(error).__name__, places)
