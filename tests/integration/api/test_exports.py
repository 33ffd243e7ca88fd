"""Exports as files over HTTP: asked for, watched, taken, cancelled; and what is refused."""

import gzip
import hashlib
import io
import time
import zipfile
from typing import Any

import pytest

from tests.integration.api.conftest import LiveSite
from tests.integration.api.test_schema import description, valid

__all__ = ["description"]

pytestmark = pytest.mark.django_db

LIST = "/api/v1/exports/"
DONE_WITHIN_S = 20.0


def made(live: LiveSite, query: str) -> dict[str, Any]:
    """Ask for a file, and wait for it."""
    answer = live.call("POST", f"{LIST}?{query}")
    assert answer.status_code == 202, answer.text
    end = time.monotonic() + DONE_WITHIN_S
    standing: dict[str, Any] = answer.json()
    while standing["state"] in ("waiting", "running"):
        assert time.monotonic() < end
        time.sleep(0.05)
        standing = live.call("GET", answer.headers["Location"]).json()
    return standing


def code(answer: Any) -> tuple[int, str]:
    """Return status and code of a problem."""
    return answer.status_code, answer.json()["code"]


def test_a_file_is_made_taken_and_as_the_stream(live: LiveSite) -> None:
    live.submit(live.token("FILE-1"))
    live.call("GET", "/api/v1/attempts/export.csv?subject=nobody")  # seals the log
    found = made(live, "columns=id,biz_no,state&gzip=true")
    assert (found["state"], found["problem"]) == ("done", None)
    answer = live.call("GET", found["file"])
    assert answer.headers["Content-Type"] == "application/gzip"
    assert answer.headers["Verification-SHA256"] == found["sha256"]
    assert hashlib.sha256(answer.content).hexdigest() == found["sha256"]
    assert len(answer.content) == found["size_bytes"]
    stream = live.call(
        "GET", f"/api/v1/attempts/export.csv?columns=id,biz_no,state&as_of={found['as_of']}"
    )
    assert gzip.decompress(answer.content) == stream.content
    assert b"FILE-1" in stream.content
    [newest, *_] = live.call("GET", LIST).json()["results"]
    assert newest == found


def test_a_bundle_is_made(live: LiveSite) -> None:
    live.submit(live.token("FILE-2"))
    live.call("GET", "/api/v1/attempts/export.csv?subject=nobody")
    found = made(live, "layout=bundle&state=answered")
    answer = live.call("GET", found["file"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert "attempts.csv" in archive.namelist()


def test_what_it_answers_fits_its_schema(live: LiveSite, description: dict[str, Any]) -> None:
    assert valid(description, "Export", made(live, "layout=jsonl"))
    assert valid(description, "ExportList", live.call("GET", LIST).json())


def test_nobody_finds_anothers_file(live: LiveSite) -> None:
    found = made(live, "")
    path = f"{LIST}{found['id']}/"
    for method, each in (("GET", path), ("DELETE", path), ("GET", f"{path}file")):
        assert code(live.call(method, each, key=live.stranger)) == (404, "not_found")
        assert code(live.call(method, each, key=live.reader)) == (403, "missing_scope")
    assert live.call("GET", LIST, key=live.stranger).json() == {"results": []}
    assert code(live.call("DELETE", path)) == (409, "export_not_open")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("layout=xlsx", "invalid_parameter"),
        ("columns=id,face", "invalid_parameter"),
        ("gzip=yes", "invalid_parameter"),
        ("layout=bundle&verdict=review", "invalid_parameter"),
        ("layout=bundle&columns=state", "invalid_parameter"),
        ("biz_no=FILE-1", "unknown_parameter"),
        ("subject=me", "unknown_parameter"),
        ("as_of=latest", "unknown_parameter"),
        ("created_from=yesterday", "invalid_parameter"),
    ],
)
def test_what_cannot_be_made_is_refused(live: LiveSite, query: str, expected: str) -> None:
    before = live.call("GET", LIST).json()
    assert code(live.call("POST", f"{LIST}?{query}")) == (400, expected)
    assert live.call("GET", LIST).json() == before
