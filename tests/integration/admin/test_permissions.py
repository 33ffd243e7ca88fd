"""Everyone tries every page, by reading and by writing."""

import re
from http import HTTPStatus

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponseBase
from django.test import Client

from tests.factories import make_attempt
from verification.models import ApiClient, VerificationAttempt, VerificationSession
from verification.services.roles import ROLES, ensure_roles, permissions_of

Records = tuple[ApiClient, VerificationSession, VerificationAttempt]

READERS = ("officer", "approver", "auditor", "superuser")
LOCKED_OUT = ("anonymous", "outsider")
MODELS = ("verificationattempt", "verificationsession", "apiclient")


def _pages(records: Records) -> list[str]:
    client, session, attempt = records
    lists = [f"/admin/verification/{model}/" for model in MODELS]
    ids = {
        "apiclient": client.pk,
        "verificationsession": session.pk,
        "verificationattempt": attempt.pk,
    }
    return lists + [f"/admin/verification/{model}/{ids[model]}/" for model in MODELS]


def _is_login(response: HttpResponseBase) -> bool:
    return (
        response.status_code == HTTPStatus.FOUND and "/admin/login/" in response.headers["Location"]
    )


@pytest.mark.parametrize("person", READERS)
def test_each_role_reads_every_page(cast: dict[str, Client], records: Records, person: str) -> None:
    answers = {page: cast[person].get(page).status_code for page in _pages(records)}
    assert answers == dict.fromkeys(answers, HTTPStatus.OK)


@pytest.mark.parametrize("person", LOCKED_OUT)
def test_who_is_not_staff_is_sent_to_the_login(
    cast: dict[str, Client], records: Records, person: str
) -> None:
    for page in _pages(records):
        assert _is_login(cast[person].get(page)), page


def test_staff_without_a_role_are_refused_every_page(
    cast: dict[str, Client], records: Records
) -> None:
    for page in _pages(records):
        assert cast["stranger"].get(page).status_code == HTTPStatus.FORBIDDEN, page


@pytest.mark.parametrize("person", READERS)
def test_nobody_can_post_to_a_record_or_a_list(
    cast: dict[str, Client], records: Records, person: str
) -> None:
    forged = {"action": "delete_selected", "_selected_action": str(records[2].pk), "post": "yes"}
    for page in _pages(records):
        for method in (cast[person].post, cast[person].put, cast[person].delete):
            assert method(page, forged).status_code == HTTPStatus.METHOD_NOT_ALLOWED, page
    assert VerificationAttempt.objects.filter(pk=records[2].pk).exists()


@pytest.mark.parametrize("person", ["stranger", *LOCKED_OUT])
def test_who_may_not_read_learns_nothing_by_writing(
    cast: dict[str, Client], records: Records, person: str
) -> None:
    for page in _pages(records):
        answer = cast[person].post(page, {"q": "x"})
        assert _is_login(answer) or answer.status_code == HTTPStatus.FORBIDDEN, page


@pytest.mark.parametrize("person", READERS)
def test_there_is_no_page_to_add_change_or_delete(
    cast: dict[str, Client], records: Records, person: str
) -> None:
    attempt = records[2].pk
    for tail in ("add/", f"{attempt}/change/", f"{attempt}/delete/", f"{attempt}/history/"):
        for model in MODELS:
            page = f"/admin/verification/{model}/{tail}"
            assert cast[person].get(page).status_code == HTTPStatus.NOT_FOUND, page
            assert cast[person].post(page, {}).status_code == HTTPStatus.NOT_FOUND, page


def test_a_superuser_sees_no_way_to_change_anything(
    cast: dict[str, Client], records: Records
) -> None:
    items = records[2].evidence.all()
    for page in _pages(records):
        text = cast["superuser"].get(page).content.decode()
        assert "addlink" not in text
        assert "deletelink" not in text
        assert 'name="_save"' not in text
        posts = set(re.findall(r'method="post" action="([^"]+)"', text))
        assert text.count('method="post"') == len(posts)
        about = str(records[2].pk)  # what goes on record beside a record changes none
        deeds = {f"/admin/verification/erasure/request/{about}/"}
        deeds |= {f"/admin/verification/legalhold/place/{about}/"}
        deeds |= {f"/admin/verification/evidence/{each.pk}/reveal/" for each in items}
        assert posts <= {"/admin/logout/", f"{page}verify/", *deeds}


def test_other_tables_of_ours_are_not_in_the_admin(cast: dict[str, Client]) -> None:
    for model in ("evidence", "evidencekey", "spentsign", "apikey"):
        answer = cast["superuser"].get(f"/admin/verification/{model}/")
        assert answer.status_code == HTTPStatus.NOT_FOUND, model


def test_the_index_offers_records_to_roles_and_explains_itself_to_strangers(
    cast: dict[str, Client],
) -> None:
    assert "Attempts in doubt" in cast["officer"].get("/admin/").content.decode()
    stranger = cast["stranger"].get("/admin/").content.decode()
    assert "has no role yet" in stranger
    links = set(re.findall(r"/admin/verification/[a-z/]+", stranger))
    assert links == {"/admin/verification/preference/"}


def test_roles_are_made_by_migrating(db: None) -> None:
    for role in ROLES:
        permissions = Group.objects.get(name=role).permissions.values_list("codename", flat=True)
        assert set(permissions) == set(permissions_of(role))


def test_only_officers_and_approvers_see_evidence_and_only_approvers_decide(db: None) -> None:
    may = {
        role: {
            each
            for each in ("reveal_evidence", "request_erasure", "decide_erasure", "hold_evidence")
            if Group.objects.get(name=role).permissions.filter(codename=each).exists()
        }
        for role in ROLES
    }
    assert may == {
        "officer": {"reveal_evidence", "request_erasure", "hold_evidence"},
        "approver": {"reveal_evidence", "request_erasure", "decide_erasure", "hold_evidence"},
        "auditor": set(),
        "engineer": set(),
        "administrator": set(),
    }


def test_making_roles_again_keeps_what_an_operator_added(db: None) -> None:
    officers = Group.objects.get(name="officer")
    extra = Group.objects.get(name="auditor").permissions.first()
    assert extra is not None
    officers.permissions.set([])
    ensure_roles()
    ensure_roles()
    assert officers.permissions.count() == len(permissions_of("officer"))
    assert Group.objects.filter(name="officer").count() == 1


def test_an_unknown_id_is_not_found_and_a_malformed_one_too(officer: Client) -> None:
    for tail in ("019a0000-0000-7000-8000-000000000000", "not-a-uuid", "%00", "-1", "9" * 30):
        answer = officer.get(f"/admin/verification/verificationattempt/{tail}/")
        assert answer.status_code == HTTPStatus.NOT_FOUND, tail


def test_one_view_permission_opens_one_kind_of_page(db: None) -> None:
    user = User.objects.create_user("narrow", is_staff=True)
    permission = Group.objects.get(name="auditor").permissions.get(
        codename="view_verificationattempt"
    )
    user.user_permissions.add(permission)
    attempt = make_attempt()
    browser = Client()
    browser.force_login(user)
    page = browser.get(f"/admin/verification/verificationattempt/{attempt.pk}/")
    assert page.status_code == HTTPStatus.OK
    assert browser.get("/admin/verification/apiclient/").status_code == HTTPStatus.FORBIDDEN
