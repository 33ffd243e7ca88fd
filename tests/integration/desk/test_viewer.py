"""A revealed image inside a page: the same reveal, the same limits, and no second address."""

import base64
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_attempt
from tests.integration.desk.waiting import signed_in
from verification.conf import get_conf
from verification.models import Evidence, Reveal, VerificationAttempt
from verification.services.sealing import add_evidence

pytestmark = pytest.mark.django_db(transaction=True)

FORM = {"purpose": "dispute", "reason": "the customer disputes the decision", "viewer": "1"}
JPEG = b"\xff\xd8\xff\xd9 an image"
OTHER = b"\x89PNG\r\n\x1a\n another image"
SCRIPT = b"<script>alert(1)</script>"


@pytest.fixture
def attempt(db: None) -> VerificationAttempt:
    """Return an attempt with two images and something that only says that it is one."""
    found = make_attempt("verified", biz_no="<b>LOAN-1</b>")
    add_evidence(
        attempt_id=found.pk,
        items={"image_best": JPEG, "image_ref": OTHER, "image_evil": SCRIPT, "video_key": b"key"},
        keyring=get_conf().keyring,
        at=datetime.now(UTC),
    )
    return found


def _reveal(browser: Client, attempt: VerificationAttempt, kind: str, **form: str) -> Any:
    item = Evidence.objects.get(attempt=attempt, kind=kind)
    return browser.post(f"/admin/verification/evidence/{item.pk}/reveal/", {**FORM, **form})


def test_the_page_holds_the_image_and_nothing_may_keep_it(
    officer: User, attempt: VerificationAttempt
) -> None:
    answer = _reveal(signed_in(officer), attempt, "image_best")
    assert answer.status_code == HTTPStatus.OK
    assert "no-store" in answer.headers["Cache-Control"]
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert "default-src 'self'" in policy
    assert "img-src 'self' data:" in policy
    assert "unsafe" not in " ".join(policy)
    assert base64.b64encode(JPEG) in answer.content
    assert base64.b64encode(OTHER) not in answer.content
    assert b"<b>LOAN-1</b>" not in answer.content
    assert Reveal.objects.get().kind == "image_best"


def test_each_image_is_a_reveal_of_its_own(officer: User, attempt: VerificationAttempt) -> None:
    browser = signed_in(officer)
    for number, kind in enumerate(("image_best", "image_ref", "image_best"), start=1):
        assert _reveal(browser, attempt, kind).status_code == HTTPStatus.OK
        assert Reveal.objects.count() == number


@pytest.mark.parametrize("method", ["get", "head"])
def test_there_is_no_address_to_see_it_again(
    officer: User, attempt: VerificationAttempt, method: str
) -> None:
    browser = signed_in(officer)
    page = _reveal(browser, attempt, "image_best")
    again = getattr(browser, method)(page.wsgi_request.path)
    assert again.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert Reveal.objects.count() == 1


@pytest.mark.parametrize("kind", ["image_evil", "video_key"])
def test_what_is_no_image_never_comes_inside_a_page(
    officer: User, attempt: VerificationAttempt, kind: str
) -> None:
    answer = _reveal(signed_in(officer), attempt, kind)
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert not answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("form", [{"reason": "short"}, {"purpose": ""}])
def test_without_a_whole_form_nothing_is_shown(
    officer: User, attempt: VerificationAttempt, form: dict[str, str]
) -> None:
    answer = _reveal(signed_in(officer), attempt, "image_best", **form)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert base64.b64encode(JPEG) not in answer.content
    assert b'name="viewer"' in answer.content
    assert not Reveal.objects.exists()
