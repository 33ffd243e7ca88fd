"""Texts from outside are data on every page, and no page lets anything in from elsewhere."""

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from tests.factories import make_attempt, make_bearer_key, make_client, make_evidence, make_session
from verification.admin.middleware import POLICY

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE x; --",
    "javascript:alert(1)",
    "{{ 7|add:7 }}{% load x %}",
    "line\r\nbreak\tand\x1b[31mred",
    "abc\u202egnp.exe\u2066",
    "=cmd|' /C calc'!A0",
    "\u2028\u2029\ufeff\u200b",
    "مرحبا \u2068x\u2069 你好 🙂",
    "%00 %s {0} {x!r}",
)
LONG = "W" * 500


def _fill(text: str) -> list[str]:
    """Store a row of each kind with a text in every place that takes one; return their pages."""
    client = make_client(name=text[:100])
    make_bearer_key(client, public_id=text[:64])
    session = make_session(
        client, biz_no=text[:128], subject=text[:128], request_id=text[:200],
        liveness_type=text[:32], options={text: text}, region=text[:16],
    )  # fmt: skip
    places: dict[str, Any] = {
        "client": client, "session": session, "region": text[:16], "biz_no": text,
        "subject": text[:128], "request_id": text[:200], "idempotency_key": text[:255],
    }  # fmt: skip
    answered = make_attempt(
        "unrecognised", result_message=text, device_level=text[:100], device_tags={text: 1},
        verify_tags={text: [text]}, visual_attributes={text: {text: text}},
        unknown_fields={text: text}, **places,
    )  # fmt: skip
    make_evidence(answered, text[:80])
    places |= {"error_code": text[:200], "error_argument": text}
    places["idempotency_key"] = "x" + text[:254]
    refused = make_attempt(None, state="rejected", **places)
    places["idempotency_key"] = "y" + text[:254]
    closed = make_attempt(None, state="closed", **places, closing_reason=text)
    records = {
        "apiclient": [client.pk],
        "verificationsession": [session.pk],
        "verificationattempt": [answered.pk, refused.pk, closed.pk],
    }
    lists = [f"/admin/verification/{model}/" for model in records]
    return lists + [
        f"{page}{pk}/" for page, pks in zip(lists, records.values(), strict=True) for pk in pks
    ]


@pytest.mark.parametrize("text", [*HOSTILE, LONG], ids=range(len(HOSTILE) + 1))
def test_a_hostile_text_stays_text_on_every_page(officer: Client, text: str) -> None:
    for page in _fill(text):
        answer = officer.get(page)
        assert answer.status_code == HTTPStatus.OK, page
        body = answer.content.decode()
        assert "<script>" not in body
        assert "<img" not in body
        assert 'href="javascript' not in body
        assert not set("\x1b\u202e\u2066\u2068\u2028\ufeff\u200b") & set(body), page
        assert answer.headers["Content-Security-Policy"] == POLICY


def test_what_is_hidden_in_a_text_is_named(officer: Client) -> None:
    make_attempt(biz_no="abc\u202egnp.exe")
    body = officer.get("/admin/verification/verificationattempt/").content.decode()
    assert "<bdi>abc\\u202egnp.exe</bdi>" in body


def test_the_page_title_is_a_text_too(officer: Client) -> None:
    attempt = make_attempt(biz_no="</title><script>alert(1)</script>\u202e")
    body = officer.get(f"/admin/verification/verificationattempt/{attempt.pk}/").content.decode()
    title = body.split("<title>")[1].split("</title>")[0]
    assert title.startswith("&lt;/title&gt;&lt;script&gt;")
    assert "\\u202e" in title


@pytest.mark.parametrize("page", ["/admin/", "/admin/login/", "/nowhere/", "/admin/nowhere/"])
@pytest.mark.parametrize("person", ["anonymous", "stranger", "officer"])
def test_every_answer_carries_the_policy(cast: dict[str, Client], page: str, person: str) -> None:
    assert cast[person].get(page).headers["Content-Security-Policy"] == POLICY


def test_pages_hold_nothing_the_policy_would_block(cast: dict[str, Client]) -> None:
    attempt = make_attempt("liveness_failed")
    pages = ["/admin/", "/admin/verification/verificationattempt/", "/nowhere/"]
    pages += [f"/admin/verification/verificationattempt/{attempt.pk}/", "/admin/password_change/"]
    for page in pages:
        body = cast["superuser"].get(page).content.decode()
        assert " style=" not in body, page
        assert "<style" not in body, page
        assert "<script>" not in body, page
        assert "http://" not in body.replace("http://www.w3.org/", ""), page
        assert "https://" not in body, page


def test_an_error_of_ours_is_a_plain_page_with_the_policy(
    officer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr("verification.admin.attempts.find_attempt", fail)
    answer = officer.get(f"/admin/verification/verificationattempt/{make_attempt().pk}/")
    assert answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "Something went wrong" in answer.content.decode()
    assert "secret" not in answer.content.decode()


def test_refusals_are_pages_of_ours(cast: dict[str, Client]) -> None:
    assert "Not allowed" in cast["stranger"].get("/admin/verification/apiclient/").content.decode()
    assert "Page not found" in cast["officer"].get("/admin/nowhere/").content.decode()
    checked = Client(enforce_csrf_checks=True)
    assert "Form expired" in checked.post("/admin/login/", {"username": "x"}).content.decode()


def test_a_sandbox_cannot_be_taken_for_the_real_thing(officer: Client) -> None:
    body = officer.get("/admin/").content.decode()
    assert 'class="environment"' in body
    assert "Sandbox</span>" in body
