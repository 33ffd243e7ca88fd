"""The outermost middleware: a request id for every request, JSON for every error of a machine."""

import re
from collections.abc import Callable
from uuid import uuid4

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation

from verification.api.problems import Problem, problem_of, problem_of_status, problem_response
from verification.api.vendor import vendor_problem_response

REQUEST_ID = "verification.request_id"
MACHINE_PATHS = re.compile(r"/(?:api|faceid)(?:/|$)|/(?:healthz|readyz|metrics)/?$")
FIRST_ERROR = 400

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def request_id(request: HttpRequest) -> str:
    """Return our id of a request: a UUID, also sent as the header X-Request-Id."""
    given: str | None = request.META.get(REQUEST_ID)
    if given is None:
        given = request.META[REQUEST_ID] = str(uuid4())
    return given


def error_response(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Return a problem in the shape that the callers of this path understand."""
    is_vendors = request.path_info.startswith("/faceid")
    make = vendor_problem_response if is_vendors else problem_response
    response = make(problem, request_id(request))
    response.headers["Content-Length"] = str(len(response.content))
    return response


class ProblemMiddleware:
    """Replaces the framework's HTML errors under the paths of machines."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer; errors of inner middlewares arrive here as HTML and leave as JSON."""
        response = _refused_host(request) or self._answer(request)
        if response.status_code >= FIRST_ERROR and _is_html_for_machine(request, response):
            response = _as_problem(request, response)
        response.headers["X-Request-Id"] = request_id(request)
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        if not MACHINE_PATHS.match(request.path_info):
            return self._get_response(request)
        with translation.override("en"):  # whatever language the site has
            return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer what a view let through, before the framework logs its text."""
        if not MACHINE_PATHS.match(request.path_info):
            return None
        return error_response(request, problem_of(error, request_id(request)))


def _refused_host(request: HttpRequest) -> HttpResponse | None:
    """Refuse a host that is not ours, before the framework does and logs what was sent."""
    if not MACHINE_PATHS.match(request.path_info):
        return None
    try:
        request.get_host()
    except DisallowedHost:
        return error_response(request, Problem("malformed_request", "The Host is not served here."))
    return None


def _as_problem(request: HttpRequest, html: HttpResponseBase) -> HttpResponse:
    """Return a problem of the same status, with the other headers that were set on the way."""
    response = error_response(request, problem_of_status(html.status_code))
    for name, value in html.headers.items():
        if not name.startswith("Content-") or name == "Content-Security-Policy":
            response.headers.setdefault(name, value)
    return response


def _is_html_for_machine(request: HttpRequest, response: HttpResponseBase) -> bool:
    is_html = response.headers.get("Content-Type", "text/html").startswith("text/html")
    return is_html and MACHINE_PATHS.match(request.path_info) is not None
