"""Sessions over HTTP."""

import pytest

from tests.integration.api.conftest import FACE, LiveSite

pytestmark = pytest.mark.django_db

WHOLE = {"liveness_type": "meglive", "comparison_type": "0", "uuid": "person-7", "biz_no": "S-1"}


def test_a_session_answers_201_with_its_token(live: LiveSite) -> None:
    answer = live.open_session("S-1", uuid="person-7")
    session = answer.json()
    assert answer.status_code == 201
    assert set(session) == {
        "id", "biz_token", "biz_no", "subject", "liveness_type", "request_id", "created_at",
        "expires_at",
    }  # fmt: skip
    assert (session["biz_no"], session["subject"]) == ("S-1", "person-7")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"liveness_type": None}, "missing_field", "liveness_type"),
        ({"uuid": None}, "missing_field", "uuid"),
        ({"uuid": ""}, "invalid_field", "uuid"),
        ({"uuid": "x" * 129}, "invalid_field", "uuid"),
        ({"uuid": "é" * 65}, "invalid_field", "uuid"),
        ({"biz_no": "a\nb"}, "invalid_field", "biz_no"),
        ({"liveness_type": "blink"}, "invalid_field", "liveness_type"),
        ({"comparison_type": "1"}, "invalid_field", "comparison_type"),
        ({"liveness_timeout": "4"}, "invalid_field", "liveness_timeout"),
        ({"liveness_timeout": "61"}, "invalid_field", "liveness_timeout"),
        ({"liveness_timeout": "٣٠"}, "invalid_field", "liveness_timeout"),
        ({"liveness_timeout": "9" * 5000}, "invalid_field", "liveness_timeout"),
        ({"security_level": "NaN"}, "invalid_field", "security_level"),
        ({"verbose": "true"}, "invalid_field", "verbose"),
        ({"surprise": "1"}, "unknown_field", None),
        ({"sign": "1"}, "unknown_field", None),
    ],
)
def test_a_parameter_that_breaks_the_contract_is_named(
    live: LiveSite, change: dict[str, str | None], code: str, field: str | None
) -> None:
    texts = {name: text for name, text in {**WHOLE, **change}.items() if text is not None}
    files = {"image_ref1": ("face.jpg", FACE)}
    answer = live.call("POST", "/api/v1/sessions/", data=texts, files=files)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json().get("field") == field


def test_a_reference_image_is_needed(live: LiveSite) -> None:
    files = {"image_ref2": ("face.jpg", FACE)}
    answer = live.call("POST", "/api/v1/sessions/", data=WHOLE, files=files)
    assert (answer.json()["code"], answer.json()["field"]) == ("missing_field", "image_ref1")


def test_what_the_vendor_refuses_is_422_with_its_words(live: LiveSite) -> None:
    answer = live.open_session("sandbox:token-400-no-face-found")
    assert (answer.status_code, answer.json()["code"]) == (422, "rejected_by_upstream")
    assert answer.json()["error"] == {"code": "NO_FACE_FOUND", "argument": "image_ref1"}


@pytest.mark.parametrize(
    ("biz_no", "status", "code"),
    [
        ("sandbox:token-403-authorization-error-invalid-sign", 503, "upstream_refused"),
        ("sandbox:token-500", 504, "upstream_no_answer"),
        ("sandbox:token-invalid-json", 504, "upstream_no_answer"),
        ("sandbox:token-timeout", 504, "upstream_no_answer"),
    ],
)
def test_a_failing_vendor_is_told_apart(
    live: LiveSite, biz_no: str, status: int, code: str
) -> None:
    answer = live.open_session(biz_no)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
