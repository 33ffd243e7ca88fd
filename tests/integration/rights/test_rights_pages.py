"""Rights in the admin: asked for, decided and taken as people do it, with forged fields too."""

from collections.abc import Callable, Iterator
from http import HTTPStatus

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from tests.integration.rights.test_rights import REASON, member, role
from tests.owner import unguarded
from verification.models import RightsChange, RightsSeal
from verification.services.rights import seal_rights
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long pass phrase"
LIST = "/admin/verification/rightschange/"
TWO_PEOPLE = "Rights grow by two people"

Enter = Callable[[str], Client]


@pytest.fixture
def staff(runtime: Runtime) -> Iterator[dict[str, User]]:
    """Return staff of a sealed installation."""
    made = {
        "asks": member("asks", "administrator"),
        "decides": member("decides", "approver"),
        "works": member("works", "officer"),
        "root": User.objects.create_superuser("root"),
        "new": User.objects.create_user("new"),
    }
    for each in made.values():
        each.set_password(PASSWORD)
        each.save()
    seal_rights(runtime=runtime)
    yield made
    with unguarded("verification_rights_seal"):
        RightsSeal.objects.all().delete()


@pytest.fixture
def enter(staff: dict[str, User]) -> Enter:
    """Return a function that logs somebody in by the form."""

    def go(name: str) -> Client:
        browser = Client()
        browser.post("/admin/login/", {"username": name, "password": PASSWORD})
        return browser

    return go


def asked(staff: dict[str, User], browser: Client, **more: str) -> RightsChange:
    """Ask for the role of an officer for the newcomer."""
    path = f"{LIST}request/{staff['new'].pk}/"
    form = {"what": f"role:{role('officer').pk}", "reason": REASON, **more}
    answer = browser.post(path, form, follow=True)
    assert answer.status_code == HTTPStatus.OK
    return RightsChange.objects.get()


def test_one_asks_and_another_gives(staff: dict[str, User], enter: Enter) -> None:
    asks, decides = enter("asks"), enter("decides")
    account = f"/admin/auth/user/{staff['new'].pk}/change/"
    assert "More rights…" in asks.get(account).content.decode()
    change = asked(staff, asks)
    page = asks.get(f"{LIST}{change.pk}/").content.decode()
    assert "somebody else must decide" in page
    assert "Approve and give" not in page
    assert "new" in decides.get(LIST).content.decode()
    answer = decides.post(f"{LIST}{change.pk}/decide/", {"decision": "approve"}, follow=True)
    assert "The rights are given." in answer.content.decode()
    assert staff["new"].groups.get().name == "officer"
    assert "Decided lately" in decides.get(LIST).content.decode()


def test_who_asked_cannot_decide_by_a_forged_post(staff: dict[str, User], enter: Enter) -> None:
    asks = enter("asks")
    change = asked(staff, asks)
    answer = asks.post(f"{LIST}{change.pk}/decide/", {"decision": "approve"})
    assert answer.status_code == HTTPStatus.CONFLICT
    assert not staff["new"].groups.exists()
    answer = asks.post(f"{LIST}{change.pk}/withdraw/", follow=True)
    assert "taken the request back" in answer.content.decode()


def test_broken_glass_is_shown_until_somebody_has_looked(
    staff: dict[str, User], enter: Enter
) -> None:
    asks, decides = enter("asks"), enter("decides")
    change = asked(staff, asks, glass="1")
    assert staff["new"].groups.get().name == "officer"
    assert "not looked at yet" in decides.get(LIST).content.decode()
    path = f"{LIST}{change.pk}/look/"
    assert asks.post(path).status_code == HTTPStatus.CONFLICT
    assert "on record" in decides.post(path, follow=True).content.decode()
    assert "not looked at yet" not in decides.get(LIST).content.decode()


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"what": "", "reason": REASON}, 400),
        ({"what": "role:x", "reason": REASON}, 400),
        ({"what": "role:99999999999999999999", "reason": REASON}, 409),
        ({"what": "role:0", "reason": REASON}, 409),
        ({"what": "superuser", "reason": REASON}, 403),
        ({"what": "return", "reason": REASON}, 409),
        ({"what": "role", "reason": REASON}, 409),
        ({"what": "{officer}", "reason": "x"}, 400),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_the_form(
    form: dict[str, str], status: int, staff: dict[str, User], enter: Enter
) -> None:
    what = form["what"].format(officer=f"role:{role('officer').pk}")
    answer = enter("asks").post(f"{LIST}request/{staff['new'].pk}/", {**form, "what": what})
    assert answer.status_code == status
    assert 'role="alert"' in answer.content.decode()
    assert form["reason"] in answer.content.decode()


def test_unknown_accounts_have_no_form(enter: Enter) -> None:
    browser = enter("asks")
    for unknown in ("0", "x", "9" * 40):
        assert browser.get(f"{LIST}request/{unknown}/").status_code == HTTPStatus.NOT_FOUND


def account_form(person: User, **more: object) -> dict[str, object]:
    """Return what the form of an account posts, with changes."""
    kept = {"username": person.username, "groups": [each.pk for each in person.groups.all()]}
    ticks = {name: "on" for name in ("is_active", "is_staff") if getattr(person, name)}
    return {**kept, **ticks, **more}


def test_the_stock_form_gives_nothing_and_takes_at_once(
    staff: dict[str, User], enter: Enter
) -> None:
    root, works = enter("root"), staff["works"]
    path = f"/admin/auth/user/{works.pk}/change/"
    permission = Permission.objects.get(codename="decide_erasure").pk
    for more in (
        {"groups": [role("officer").pk, role("approver").pk]},
        {"is_superuser": "on"},
        {"user_permissions": [permission]},
    ):
        answer = root.post(path, account_form(works, **more))
        assert answer.status_code == HTTPStatus.OK
        assert TWO_PEOPLE in answer.content.decode()
    assert root.post(path, account_form(works, groups=[])).status_code == HTTPStatus.FOUND
    assert not works.groups.exists()


def test_the_stock_form_lets_nobody_back(staff: dict[str, User], enter: Enter) -> None:
    root, works = enter("root"), staff["works"]
    path = f"/admin/auth/user/{works.pk}/change/"
    off = {**account_form(works)}
    off.pop("is_active")
    assert root.post(path, off).status_code == HTTPStatus.FOUND
    works.refresh_from_db()
    assert not works.is_active
    answer = root.post(path, account_form(works, is_active="on"))
    assert TWO_PEOPLE in answer.content.decode()


def test_roles_are_read_only(staff: dict[str, User], enter: Enter) -> None:
    root = enter("root")
    path = f"/admin/auth/group/{role('officer').pk}/change/"
    assert root.get(path).status_code == HTTPStatus.OK
    assert root.post(path, {"name": "x"}).status_code == HTTPStatus.FORBIDDEN
    assert root.get("/admin/auth/group/add/").status_code == HTTPStatus.FORBIDDEN
    assert Group.objects.filter(name="officer").exists()
