"""People read their own language; machines and other parties read English, whoever asks."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.conftest import OpenToken
from tests.integration.languages.world import WHY, person
from tests.integration.ledger.lives import Lives, seal
from verification.admin.preferences import CHOSEN
from verification.models import ApiClient
from verification.models.erasure import LegalBasis
from verification.services.erasing import decide_erasure, request_erasure
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)


@pytest.fixture
def chinese(db: None) -> Client:
    """Return the browser of somebody who reads Chinese."""
    browser = Client()
    browser.force_login(person("r1"))
    session = browser.session
    session[CHOSEN] = ("", "zh-hans")
    session.save()
    return browser


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/attempts/",
        "/api/v1/attempts/?limit=x",
        "/api/v1/attempts/00000000-0000-0000-0000-000000000000/",
        "/api/v1/nothing/",
        "/api/schema/",
        "/readyz",
    ],
)
def test_machines_are_told_the_same_in_every_language(
    chinese: Client, bearer: str, path: str
) -> None:
    key = {"Authorization": f"Bearer {bearer}"}
    ours, plain = chinese.get(path, headers=key), Client().get(path, headers=key)
    assert ours.status_code == plain.status_code
    assert _without_ids(ours.json()) == _without_ids(plain.json())


def _without_ids(answer: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in answer.items() if name != "request_id"}


def test_a_site_of_another_language_changes_nothing_for_machines(
    bearer: str, settings: object
) -> None:
    key = {"Authorization": f"Bearer {bearer}"}
    plain = Client().get("/api/v1/attempts/?limit=x", headers=key).json()
    settings.LANGUAGE_CODE = "id"  # type: ignore[attr-defined]
    ours = Client().get("/api/v1/attempts/?limit=x", headers=key).json()
    assert _without_ids(ours) == _without_ids(plain)


def test_a_certificate_is_english_whoever_saves_it(lives: Lives, chinese: Client) -> None:
    attempt_id = lives.settled()
    asked = request_erasure(
        attempt_id=attempt_id, legal_basis=LegalBasis.UNLAWFUL, reason=WHY, by=person("r3"),
        runtime=lives.runtime,
    )  # fmt: skip
    decide_erasure(erasure_id=asked.pk, approve=True, by=person("r4"), runtime=lives.runtime)
    seal(lives.runtime)
    path = f"/admin/verification/erasure/{asked.pk}/"
    assert "无法律依据而收集" in chinese.get(path).content.decode()
    assert "Collected without a legal basis" in chinese.get(f"{path}certificate/").content.decode()


@pytest.mark.parametrize(
    ("accepted", "language", "says"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-hans", "核验审计"),
        ("id-ID,id;q=0.9", "id", "Audit verifikasi"),
        ("fr", "en", "Verification audit"),
        ("", "en", "Verification audit"),
    ],
)
def test_the_login_page_speaks_the_language_of_the_browser(
    db: None, accepted: str, language: str, says: str
) -> None:
    page = Client().get("/admin/login/", headers={"Accept-Language": accepted}).content.decode()
    assert f'<html lang="{language}"' in page
    assert says in page


def test_who_chose_a_language_reads_it_whatever_the_browser_says(chinese: Client) -> None:
    page = chinese.get("/admin/", headers={"Accept-Language": "id"}).content.decode()
    assert '<html lang="zh-hans"' in page


def test_what_a_role_includes_is_said_in_the_readers_language(db: None) -> None:
    browser, reader = Client(), User.objects.create_user("r2", is_staff=True)
    reader.groups.set([Group.objects.get(name="administrator")])
    browser.force_login(reader)
    session = browser.session
    session[CHOSEN] = ("", "zh-hans")
    session.save()
    role = Group.objects.get(name="officer")
    page = browser.get(f"/admin/auth/group/{role.pk}/change/").content.decode()
    assert "可调阅证据" in page
    assert "Can " not in page
