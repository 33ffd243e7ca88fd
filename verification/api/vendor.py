"""Errors in the vendor's shape, for clients that were written for the vendor.

`{"error": "CODE:argument", "request_id": "<unix seconds>,<uuid>", "time_used": <ms>}`; only the
413 is plain text. Source of statuses and codes: `verification.faceid.contract.ERRORS`.
"""

import json
import time
from collections.abc import Mapping
from types import MappingProxyType

from django.http import HttpResponse

from verification.api.problems import Problem, problem_headers
from verification.faceid.contract import TOO_LARGE_TEXT

JSON_TYPE = "application/json"
BAD_REQUEST = 400
SERVER_ERROR = 500

ERRORS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "not_found": (404, "API_NOT_FOUND"),
        "method_not_allowed": (405, "API_NOT_FOUND"),
        "overloaded": (429, "CONCURRENCY_LIMIT_EXCEEDED"),
        "attempt_in_flight": (429, "CONCURRENCY_LIMIT_EXCEEDED"),
        "upstream_busy": (429, "CONCURRENCY_LIMIT_EXCEEDED"),
        # No document names these; the statuses are HTTP's own.
        "request_timeout": (408, "REQUEST_TIMEOUT"),
        "length_required": (411, "MISSING_ARGUMENTS:sign"),
    }
)
"""Our problem codes as the vendor says them; the rest goes by the class of its status."""


def vendor_error(
    status: int,
    error: str,
    request_id: str,
    *,
    headers: Mapping[str, str] | None = None,
    time_used_ms: int = 0,
) -> HttpResponse:
    """Return an error as the vendor words it; `error` is `CODE` or `CODE:argument`."""
    body = {
        "request_id": f"{int(time.time())},{request_id}",
        "time_used": time_used_ms,
        "error": error,
    }
    return HttpResponse(
        json.dumps(body), status=status, content_type=JSON_TYPE, headers=dict(headers or {})
    )


def too_large() -> HttpResponse:
    """Return the vendor's one error in plain text."""
    return HttpResponse(TOO_LARGE_TEXT, status=413, content_type="text/plain")


def vendor_problem_response(problem: Problem, request_id: str) -> HttpResponse:
    """Return one of our problems in the vendor's shape."""
    if problem.code == "body_too_large":
        return too_large()
    status, error = ERRORS.get(problem.code, _by_class(problem))
    return vendor_error(status, error, request_id, headers=problem_headers(problem))


def _by_class(problem: Problem) -> tuple[int, str]:
    if problem.kind.status >= SERVER_ERROR:
        return SERVER_ERROR, "INTERNAL_ERROR"
    field = problem.extra.get("field", "body")
    if problem.code in {"file_expected", "not_utf8"} and field == "meglive_data":
        return BAD_REQUEST, "MEGLIVE_DATA_ERROR"
    return BAD_REQUEST, f"BAD_ARGUMENTS:{field}"
