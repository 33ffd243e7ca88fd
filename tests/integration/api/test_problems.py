"""Whatever goes wrong inside, a machine gets JSON with an id, and no log line holds a value."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import requests
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse, HttpResponseNotAllowed
from django.test import RequestFactory

from tests.integration.api.conftest import start_web
from tests.integration.api.wire import free_port
from verification.api.middleware import ProblemMiddleware
from verification.api.problems import KINDS, Problem, problem_of, problem_response
from verification.faceid.signing import sign
from verification.faceid.types import Credentials

CANARY = "canary-4b1d"
ERRORS: dict[str, tuple[Exception, int, str]] = {
    "database away": (OperationalError(CANARY), 503, "database_unavailable"),
    "connection gone": (InterfaceError(CANARY), 503, "database_unavailable"),
    "bad data": (DataError(CANARY), 422, "unstorable"),
    "constraint": (IntegrityError(CANARY), 409, "conflict"),
    "recursion": (RecursionError(CANARY), 500, "internal_error"),
    "anything": (ValueError(CANARY), 500, "internal_error"),
    "memory": (MemoryError(CANARY), 500, "internal_error"),
    "not found": (Http404(CANARY), 404, "not_found"),
    "suspicious": (SuspiciousOperation(CANARY), 400, "malformed_request"),
    "denied": (PermissionDenied(CANARY), 403, "forbidden"),
}
PATHS = ["/api/v1/x/", "/faceid/v3/sdk/x", "/healthz", "/readyz"]


@pytest.fixture
def request_factory() -> RequestFactory:
    return RequestFactory()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("error", "status", "code"), ERRORS.values(), ids=ERRORS)
def test_an_exception_outside_the_views_becomes_json_without_its_text(
    request_factory: RequestFactory,
    caplog: pytest.LogCaptureFixture,
    path: str,
    error: Exception,
    status: int,
    code: str,
) -> None:
    middleware = ProblemMiddleware(lambda _: HttpResponse())
    with caplog.at_level(logging.DEBUG):
        response = middleware.process_exception(request_factory.get(path), error)
    assert response is not None
    assert response["Content-Type"] in {"application/problem+json", "application/json"}
    assert CANARY not in response.content.decode()
    assert CANARY not in caplog.text
    body = json.loads(response.content)
    if path.startswith("/faceid"):
        assert set(body) == {"error", "request_id", "time_used"}
    else:
        assert (response.status_code, body["code"]) == (status, code)


def test_an_unforeseen_error_is_logged_with_the_id_that_the_caller_gets(
    request_factory: RequestFactory, caplog: pytest.LogCaptureFixture
) -> None:
    middleware = ProblemMiddleware(lambda _: HttpResponse())
    response = middleware.process_exception(request_factory.get("/api/"), KeyError(CANARY))
    assert response is not None
    assert json.loads(response.content)["request_id"] in caplog.text
    assert "KeyError" in caplog.text


def test_a_page_for_people_keeps_its_own_errors(request_factory: RequestFactory) -> None:
    middleware = ProblemMiddleware(lambda _: HttpResponse("<h1>gone</h1>", status=404))
    request = request_factory.get("/admin/nothing/")
    response = middleware(request)
    assert isinstance(response, HttpResponse)
    assert response.content == b"<h1>gone</h1>"
    assert middleware.process_exception(request, ValueError()) is None


@dataclass
class Html:
    """An inner answer of the framework."""

    make: Callable[[], HttpResponse]
    status: int
    code: str


FRAMEWORK = [
    Html(lambda: HttpResponse("<h1>Bad</h1>", status=400), 400, "malformed_request"),
    Html(lambda: HttpResponse("<h1>Bad</h1>", status=403), 403, "forbidden"),
    Html(lambda: HttpResponse("<h1>Bad</h1>", status=413), 413, "body_too_large"),
    Html(lambda: HttpResponse("<h1>Bad</h1>", status=418), 418, "malformed_request"),
    Html(lambda: HttpResponse("<h1>Bad</h1>", status=500), 500, "internal_error"),
    Html(lambda: HttpResponse("<h1>Bad</h1>", status=502), 502, "internal_error"),
]


@pytest.mark.parametrize("html", FRAMEWORK, ids=lambda html: str(html.status))
def test_the_frameworks_html_becomes_a_problem(request_factory: RequestFactory, html: Html) -> None:
    response = ProblemMiddleware(lambda _: html.make())(request_factory.get("/api/v1/x/"))
    assert isinstance(response, HttpResponse)
    body = json.loads(response.content)
    assert body["code"] == html.code
    assert body["status"] == response.status_code == KINDS[html.code].status
    assert response["X-Request-Id"] == body["request_id"]
    assert response["Content-Length"] == str(len(response.content))


def test_the_methods_that_are_allowed_survive(request_factory: RequestFactory) -> None:
    middleware = ProblemMiddleware(lambda _: HttpResponseNotAllowed(["GET", "HEAD"]))
    assert middleware(request_factory.put("/healthz"))["Allow"] == "GET, HEAD"


def test_every_kind_is_an_error_with_a_title() -> None:
    for code, kind in KINDS.items():
        response = problem_response(Problem(code, "Detail."), "id")
        assert 400 <= response.status_code < 600
        assert kind.title
        assert code == code.lower()


def test_a_wait_is_rounded_up_to_whole_seconds() -> None:
    for wait_s, header in ((0.0, "1"), (0.2, "1"), (1.0, "1"), (1.5, "2")):
        problem = Problem("overloaded", "Wait.", retry_after_s=wait_s)
        assert problem_response(problem, "id")["Retry-After"] == header


def test_a_problem_passes_as_it_is() -> None:
    problem = Problem("not_found", "Detail.")
    assert problem_of(problem, "id") is problem


@pytest.fixture(scope="module")
def site_without_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the site with a database that nobody runs; return its address."""
    port = free_port()
    nobody = f"postgres://nobody:{CANARY}@127.0.0.1:{free_port()}/nothing"
    log = tmp_path_factory.mktemp("away") / "web.log"
    web = start_web(port, "http://127.0.0.1:1", log, database_url=nobody)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_alive(url)
        yield url
    finally:
        web.terminate()
        web.wait(timeout=60)
    assert CANARY not in log.read_text()


def wait_until_alive(url: str) -> None:
    """Wait for the process, which needs no database for that."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            assert requests.get(f"{url}/healthz", timeout=5).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the web process did not start")


@pytest.mark.parametrize("path", ["/api/v1/attempts/", "/api/v1/attempts/export.csv", "/readyz"])
def test_a_database_that_is_away_is_503_with_a_wait(site_without_database: str, path: str) -> None:
    key = {"Authorization": "Bearer vk_000000000000_" + "A" * 43}
    answer = requests.get(site_without_database + path, headers=key, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert answer.elapsed.total_seconds() < 4


def test_a_database_that_is_away_is_the_vendors_internal_error(site_without_database: str) -> None:
    made = sign(Credentials("key", "secret"), current_time=1, expire_time=0, random=1)
    answer = requests.post(
        site_without_database + "/faceid/v3/sdk/verify",
        data={"sign": made, "sign_version": "hmac_sha1", "biz_token": "1,x"},
        files={"meglive_data": ("m", b"packet")},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["error"]) == (500, "INTERNAL_ERROR")
