"""The form on an attempt's page, and everyone who tries it."""

import base64
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client, override_settings
from django.utils.html import escape

from project.settings import VERIFICATION
from tests.factories import make_attempt, make_evidence
from tests.integration.ledger.lives import Lives
from tests.integration.reveals.conftest import make_person
from verification.models import Evidence, Reveal, VerificationAttempt
from verification.models.evidence import RAW_ANSWER
from verification.selectors.access import access_csv, access_events
from verification.services.runtime import Runtime
from verification.services.sealing import add_evidence

pytestmark = pytest.mark.django_db(transaction=True)

FORM = {"purpose": "dispute", "reason": "the customer disputes the decision"}
JPEG = b"\xff\xd8\xff\xd9"


def _browser(user: User, **more: Any) -> Client:
    browser = Client(raise_request_exception=False, **more)
    browser.force_login(user)
    return browser


def _address(evidence: Evidence) -> str:
    return f"/admin/verification/evidence/{evidence.pk}/reveal/"


def test_the_answer_is_the_bytes_and_nothing_may_keep_or_run_them(
    image: Evidence, officer: User
) -> None:
    answer = _browser(officer).post(_address(image), FORM)
    assert (answer.status_code, answer.content) == (HTTPStatus.OK, JPEG)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    name = f"image_best-{image.pk}.jpg"
    assert answer.headers["Content-Disposition"] == f'inline; filename="{name}"'
    assert Reveal.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "content", "content_type", "place"),
    [
        ("image_png", b"\x89PNG\r\n\x1a\n....", "image/png", "inline"),
        ("image_svg", b"<svg onload='alert(1)'/>", "application/octet-stream", "attachment"),
        ("image_html", b"<script>alert(1)</script>", "application/octet-stream", "attachment"),
        ("image_empty", b"", "application/octet-stream", "attachment"),
        ("video_key", b"<script>alert(1)</script>", "text/plain; charset=utf-8", "inline"),
        (
            'a"b\u202e/../c.html',
            b"\xff\xd8\xff....",
            "image/jpeg",
            'inline; filename="a_b_____c_html-',
        ),
    ],
)
def test_only_what_a_browser_cannot_run_is_shown_in_it(
    kind: str, content: bytes, content_type: str, place: str,
    lives: Lives, officer: User, runtime: Runtime,
) -> None:  # fmt: skip
    attempt_id = lives.settled()
    add_evidence(
        attempt_id=attempt_id,
        items={kind: content},
        keyring=runtime.conf.keyring,
        at=runtime.now(),
    )
    answer = _browser(officer).post(_address(Evidence.objects.get(kind=kind)), FORM)
    assert answer.content == content
    assert answer.headers["Content-Type"] == content_type
    if not content_type.startswith("image/"):
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Content-Disposition"].startswith(place)


def test_the_raw_answer_is_shown_as_text(lives: Lives, officer: User) -> None:
    raw = Evidence.objects.get(attempt_id=lives.settled(), kind=RAW_ANSWER)
    answer = _browser(officer).post(_address(raw), FORM)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert b"SUCCESS" in answer.content


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_no_other_method_reveals(method: str, image: Evidence, officer: User) -> None:
    answer = getattr(_browser(officer), method)(_address(image), FORM)
    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert not Reveal.objects.exists()


def test_who_comes_back_to_the_form_from_the_login_is_told_what_to_do(
    image: Evidence, officer: User
) -> None:
    """The session ended in between: the way back from the login is a GET."""
    sent = Client().post(_address(image), FORM)
    back = parse_qs(urlsplit(sent.headers["Location"]).query)["next"][0]
    answer = _browser(officer).get(back)
    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert answer.headers["Allow"] == "POST"
    assert "fill it in again" in answer.content.decode()
    assert not Reveal.objects.exists()


@pytest.mark.parametrize("roles", [(), ("auditor",)])
def test_without_the_permission_there_is_no_form_and_no_reveal(
    roles: tuple[str, ...], image: Evidence
) -> None:
    person = make_person("otto", *roles)
    person.user_permissions.add(Permission.objects.get(codename="view_verificationattempt"))
    browser = _browser(person)
    page = browser.get(f"/admin/verification/verificationattempt/{image.attempt_id}/")
    assert page.status_code == HTTPStatus.OK
    assert _address(image) not in page.content.decode()
    assert browser.post(_address(image), FORM).status_code == HTTPStatus.FORBIDDEN
    assert browser.get(_address(image)).status_code == HTTPStatus.FORBIDDEN
    assert not Reveal.objects.exists()


def test_who_is_not_signed_in_or_not_staff_is_sent_to_the_login(image: Evidence) -> None:
    outsider = User.objects.create_superuser("outsider")
    User.objects.update(is_staff=False)
    for browser in (Client(), _browser(outsider)):
        answer = browser.post(_address(image), FORM)
        assert answer.status_code == HTTPStatus.FOUND
        assert "/admin/login/" in answer.headers["Location"]
    assert not Reveal.objects.exists()


def test_without_the_token_of_the_form_nothing_is_revealed(image: Evidence, officer: User) -> None:
    answer = _browser(officer, enforce_csrf_checks=True).post(_address(image), FORM)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert not Reveal.objects.exists()


@pytest.mark.parametrize(
    "form",
    [
        {},
        {**FORM, "reason": "short"},
        {**FORM, "reason": "with a NUL \0 in it"},
        {**FORM, "reason": "x" * 501},
        {**FORM, "reason": "\u3164" * 10},
        {**FORM, "reason": "\u2800" * 10},
        {**FORM, "reason": "\u034f" * 10},
        {**FORM, "reason": "review\ufe0f of it \u115f here"},
        {**FORM, "reason": "\ue000" * 10},
        {**FORM, "reason": "\ufe0f" * 10},
        {**FORM, "purpose": "curiosity"},
        {**FORM, "purpose": ""},
    ],
)
def test_a_form_that_is_not_complete_is_shown_again(
    form: dict[str, str], image: Evidence, officer: User
) -> None:
    answer = _browser(officer).post(_address(image), form)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    page = answer.content.decode()
    assert "Evidence is not shown" in page
    assert _address(image) in page
    assert not Reveal.objects.exists()


def test_what_was_typed_comes_back_escaped(image: Evidence, officer: User) -> None:
    typed = "</textarea><script>alert(1)</script>"
    answer = _browser(officer).post(_address(image), {"purpose": "x", "reason": typed})
    assert escape(typed) in answer.content.decode()
    assert typed not in answer.content.decode()


def test_over_the_limit_the_page_says_so(image: Evidence, officer: User) -> None:
    with override_settings(VERIFICATION={**VERIFICATION, "REVEALS_PER_HOUR": 1}):
        browser = _browser(officer)
        assert browser.post(_address(image), FORM).status_code == HTTPStatus.OK
        answer = browser.post(_address(image), FORM)
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert "limit" in answer.content.decode()
    assert JPEG not in answer.content


def test_what_is_erased_has_no_form_and_says_so_when_asked_all_the_same(
    officer: User, image: Evidence
) -> None:
    attempt = make_attempt()
    make_evidence(attempt, "image_best", erased=True)
    address = _address(Evidence.objects.get(attempt=attempt))
    browser = _browser(officer)
    page = browser.get(f"/admin/verification/verificationattempt/{attempt.pk}/").content.decode()
    assert address not in page
    assert "destroyed on" in page
    answer = browser.post(address, FORM)
    assert answer.status_code == HTTPStatus.GONE
    assert "erased on" in answer.content.decode()


def test_an_unknown_item_is_not_found(officer: User, image: Evidence) -> None:
    answer = _browser(officer).post(f"/admin/verification/evidence/{uuid4()}/reveal/", FORM)
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert _browser(officer).get("/admin/verification/evidence/").status_code == 404


def test_pages_and_api_show_no_byte_of_the_evidence(
    lives: Lives, officer: User, bearer: str, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes travel in Base64 and hexadecimal as well: none stands anywhere but in a reveal."""
    attempt_id = lives.settled()
    secrets = {
        "image_canary": b"\xff\xd8\xff canary of an image",
        "video_key": b"canary-of-a-video",
    }
    add_evidence(
        attempt_id=attempt_id, items=secrets, keyring=runtime.conf.keyring, at=runtime.now()
    )
    attempt = VerificationAttempt.objects.get(pk=attempt_id)
    api = Client(headers={"Authorization": f"Bearer {bearer}"})
    browser = _browser(officer)
    with caplog.at_level("DEBUG"):
        for item in attempt.evidence.filter(kind__in=secrets):
            assert browser.post(_address(item), FORM).content == secrets[item.kind]
        pages = [
            browser.get(f"/admin/verification/verificationattempt/{attempt_id}/").content,
            browser.get("/admin/verification/verificationattempt/").content,
            browser.get(f"/admin/verification/reveal/?attempt={attempt_id}").content,
            api.get(f"/api/v1/attempts/{attempt_id}/").content,
            api.get("/api/v1/attempts/export.csv").getvalue(),
            access_csv(access_events(attempt_id=attempt_id)),
            str([*attempt.evidence.all(), attempt, attempt.evidence_key]).encode(),
        ]
    for page in (*pages, caplog.text.encode()):
        for secret in secrets.values():
            for form in (secret, base64.b64encode(secret), secret.hex().encode()):
                assert form not in page
