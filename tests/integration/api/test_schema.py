"""The OpenAPI description: valid, true of real answers, and fuzzed against the live site."""

import re
import time
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api.conftest import LiveSite
from verification.api.problems import KINDS

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).resolve().parents[3] / "docs" / "reference" / "api.md"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 50


@pytest.fixture(scope="package")
def description(live: LiveSite) -> dict[str, Any]:
    """Return the OpenAPI description that the site serves."""
    answer = live.call("GET", "/api/schema/", key=None)
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def valid(description: dict[str, Any], name: str, instance: object) -> bool:
    """Return whether a value fits a component, OpenAPI 3.0's `nullable` included."""
    schema = {"$ref": f"#/components/schemas/{name}", **_json_schema(description)}
    return jsonschema_rs.is_valid(schema, instance, validate_formats=True)


def _json_schema(node: Any) -> Any:
    """Translate OpenAPI 3.0 into JSON Schema, as far as our components use it."""
    if isinstance(node, list):
        return [_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    plain = {name: _json_schema(each) for name, each in node.items() if name != "nullable"}
    if node.get("nullable") and isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
    return plain


def test_the_description_names_every_endpoint(description: dict[str, Any]) -> None:
    assert set(description["paths"]) == {
        "/api/v1/sessions/",
        "/api/v1/attempts/",
        "/api/v1/attempts/{attempt_id}/",
        "/api/v1/attempts/{attempt_id}/proof/",
        "/api/v1/attempts/export.csv",
        "/api/v1/exports/",
        "/api/v1/exports/{export_id}/",
        "/api/v1/exports/{export_id}/file",
        "/api/v1/ledger/checkpoint/",
        "/api/v1/ledger/consistency/",
        "/api/v1/ledger/entries/",
    }
    assert description["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for methods in description["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"bearer": []}]


@pytest.mark.parametrize(
    "biz_no",
    [
        "",
        "sandbox:different-person",
        "sandbox:attack",
        "sandbox:risk-tags",
        "sandbox:unknown-code",
        "sandbox:unknown-fields",
        "sandbox:hostile-strings",
        "sandbox:bad-packet",
        "sandbox:413-too-large",
        "sandbox:close-after",
        "sandbox:nan",
    ],
)
def test_a_real_attempt_fits_its_schema(
    live: LiveSite, description: dict[str, Any], biz_no: str
) -> None:
    token = live.token(biz_no, verbose="1", device_risk="1", verify_risk_detect="1")
    answer = live.submit(token)
    assert answer.status_code in {201, 202}
    assert valid(description, "Attempt", answer.json()), answer.json()


def test_real_sessions_pages_and_problems_fit_their_schemas(
    live: LiveSite, description: dict[str, Any]
) -> None:
    assert valid(description, "Session", live.open_session("S").json())
    page = live.call("GET", "/api/v1/attempts/?page_size=200").json()
    assert valid(description, "AttemptPage", page)
    log = live.call("GET", "/api/v1/ledger/entries/").json()
    assert valid(description, "LedgerEntries", log)
    consistency = live.call("GET", "/api/v1/ledger/consistency/?old=1").json()
    assert valid(description, "Consistency", consistency)
    problems = [
        live.call("GET", "/api/v1/attempts/?x=1"),
        live.call("GET", "/api/v1/attempts/", key=None),
        live.open_session("sandbox:token-400-no-face-found"),
        live.submit("", b"x"),
        live.submit(live.token("sandbox:429")),
    ]
    for problem in problems:
        assert valid(description, "Problem", problem.json()), problem.json()


def test_a_real_proof_fits_its_schema(live: LiveSite, description: dict[str, Any]) -> None:
    path = live.submit(live.token("PROVED")).headers["Location"] + "proof/"
    early = live.call("GET", path)
    if early.status_code != 200:
        assert (early.status_code, early.json()["code"]) == (409, "not_sealed")
        assert valid(description, "Problem", early.json())
    end = time.monotonic() + 20
    while (proof := live.call("GET", path)).status_code != 200:
        assert time.monotonic() < end
        live.call("GET", "/api/v1/attempts/export.csv?biz_no=nobody")  # seals the log
    assert valid(description, "Proof", proof.json()), proof.json()


def test_a_wrong_answer_would_not_fit(live: LiveSite, description: dict[str, Any]) -> None:
    attempt = live.submit(live.token("WRONG")).json()
    assert not valid(description, "Attempt", {**attempt, "state": "nosuch"})
    assert not valid(description, "Attempt", {**attempt, "extra": 1})
    del attempt["review"]
    assert not valid(description, "Attempt", attempt)


def test_strings_of_the_vendor_arrive_with_their_control_characters_visible(live: LiveSite) -> None:
    answer = live.submit(live.token("sandbox:hostile-strings"))
    assert not re.search(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", answer.text)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/sessions/"),
        ("POST", "/api/v1/attempts/"),
        ("GET", "/api/v1/attempts/"),
        ("GET", "/api/v1/attempts/{attempt_id}/"),
        ("GET", "/api/v1/attempts/{attempt_id}/proof/"),
        ("GET", "/api/v1/attempts/export.csv"),
        ("GET", "/api/v1/ledger/checkpoint/"),
        ("GET", "/api/v1/ledger/consistency/"),
        ("GET", "/api/v1/ledger/entries/"),
    ],
)
def test_generated_requests_get_answers_of_the_description(
    live: LiveSite, description: dict[str, Any], method: str, path: str
) -> None:
    operation = schemathesis.openapi.from_dict(description)[path][method]
    headers = {"Authorization": f"Bearer {live.bearer}"}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(base_url=live.url, headers=headers, checks=CHECKS, timeout=20)

    given(case=operation.as_strategy())(run)()


def test_the_reader_loads_nothing_from_elsewhere_and_nothing_inline(live: LiveSite) -> None:
    page = live.call("GET", "/api/docs/", key=None)
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) >= 5
    for address in loaded:
        assert address.startswith("/")
        assert live.call("GET", address.replace("&amp;", "&"), key=None).status_code == 200
    assert "<style" not in page.text
    assert not re.search(r"<script(?![^>]*src=)", page.text)


def test_every_code_is_documented_with_its_status() -> None:
    documented = dict(
        re.findall(r"^\| `([a-z][a-z0-9_]*)` \| (\d{3}) \|", DOCS.read_text(), re.MULTILINE)
    )
    assert documented == {code: str(kind.status) for code, kind in KINDS.items()}
