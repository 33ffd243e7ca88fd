"""The sample backend says what is wrong with an answer, instead of failing on it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
from pytest_httpserver import HTTPServer

from project.up.backend import Backend
from project.up.errors import UpError
from project.up.flows import send_all
from project.up.samples import SAMPLES

KEY = "vk_0123456789ab_secret"


@pytest.fixture
def backend(httpserver: HTTPServer) -> Iterator[Backend]:
    with requests.Session() as http:
        yield Backend(httpserver.url_for("").rstrip("/"), KEY, http)


def test_an_answer_that_is_not_json_is_named(backend: Backend, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/attempts/").respond_with_data("<h1>Bad gateway</h1>", 502)
    with pytest.raises(UpError, match="POST /api/v1/attempts/ answered 502"):
        backend.submit(biz_token="token", packet=b"packet")


def test_an_export_that_fails_is_named(backend: Backend, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/attempts/export.csv").respond_with_json({}, 503)
    with pytest.raises(UpError, match="The CSV export answered 503"):
        list(backend.export({}))


def test_a_session_that_is_refused_ends_the_samples(
    backend: Backend, httpserver: HTTPServer
) -> None:
    problem = {"code": "upstream_unreachable", "detail": "The service cannot be reached."}
    httpserver.expect_request("/api/v1/sessions/").respond_with_json(problem, 503)
    samples = send_all(
        SAMPLES, backend, started_at=datetime.now(UTC), reference=b"jpeg", packet=bytes
    )
    with pytest.raises(UpError, match="503 upstream_unreachable: The service cannot be reached"):
        next(samples)


def test_the_key_is_sent_and_never_shown(backend: Backend, httpserver: HTTPServer) -> None:
    expected = {"Authorization": f"Bearer {KEY}"}
    httpserver.expect_request("/api/v1/attempts/1/", headers=expected).respond_with_json({"id": 1})
    assert backend.attempt("1").status == 200
    assert KEY not in repr(backend)
