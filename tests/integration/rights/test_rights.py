"""Rights grow by two people only, whoever writes; taking them away stays easy."""

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests.integration.database.conftest import RESTRICT_VIOLATION, refusal
from tests.integration.ledger.lives import seal
from tests.owner import unguarded, watched
from verification.ledger.canonical import parse
from verification.models import RightsChange, RightsSeal, StagedEntry
from verification.models.rights import Growth
from verification.services.errors import (
    BadReasonError,
    ChangeDecidedError,
    ChangePendingError,
    FourEyesError,
    NothingToGrowError,
    NotPermittedError,
    SealError,
    UnknownChangeError,
)
from verification.services.faults import FaultCode
from verification.services.rights import (
    break_glass_for_rights,
    decide_rights,
    request_rights,
    review_rights_glass,
    seal_rights,
    withdraw_rights,
)
from verification.services.roles import ROLES, ensure_roles, permissions_of
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

REASON = "joins the evening shift"
MEMBERS = User.groups.through
PERSONAL = User.user_permissions.through


def role(name: str) -> Group:
    """Return a role."""
    return Group.objects.get(name=name)


def member(name: str, *roles: str, **more: Any) -> User:
    """Return an account of the staff with its roles."""
    person = User.objects.create_user(name, **{"is_staff": True, **more})
    person.groups.set(Group.objects.filter(name__in=roles))
    return person


@pytest.fixture
def people(runtime: Runtime) -> Iterator[dict[str, User]]:
    """Return staff of a sealed installation; the seal goes with its row's guard."""
    made = {
        "asks": member("asks", "administrator"),
        "decides": member("decides", "approver"),
        "works": member("works", "officer"),
        "root": User.objects.create_superuser("root"),
        "new": User.objects.create_user("new"),
    }
    seal_rights(runtime=runtime)
    yield made
    with unguarded("verification_rights_seal"):
        RightsSeal.objects.all().delete()


@pytest.fixture
def ask(people: dict[str, User], runtime: Runtime) -> Callable[..., RightsChange]:
    """Return a function that asks for a role for the newcomer, unless told otherwise."""

    def go(name: str = "officer", **given: Any) -> RightsChange:
        return request_rights(**{
            "account_id": str(people["new"].pk), "growth": Growth.ROLE,
            "role_id": role(name).pk, "reason": REASON, "by": people["asks"],
            "runtime": runtime, **given,
        })  # fmt: skip

    return go


def sql(statement: str, *values: int) -> None:
    """Run raw SQL as the owner of the tables."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def said(kind: str) -> list[dict[str, Any]]:
    """Return the staged entries of a kind."""
    entries = [parse(bytes(each.raw)) for each in StagedEntry.objects.order_by("no")]
    return [each for each in entries if each["kind"] == kind]


def test_two_people_give_a_role_and_a_newcomer_can_work(
    people: dict[str, User], ask: Callable[..., RightsChange], runtime: Runtime
) -> None:
    change = ask()
    assert not people["new"].groups.exists()
    decide_rights(change_id=change.pk, approve=True, by=people["decides"], runtime=runtime)
    newcomer = User.objects.get(pk=people["new"].pk)
    assert newcomer.is_staff
    assert newcomer.has_perm("verification.work_review")
    assert RightsChange.objects.get().applied_at is not None
    (entry,) = said("rights.approved")
    assert (entry["by"], entry["growth"], entry["account"]) == ("decides", "role", str(newcomer.pk))
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


GROWTHS: dict[str, Callable[[dict[str, User]], object]] = {
    "add": lambda people: people["new"].groups.add(role("approver")),
    "set": lambda people: people["works"].groups.set([role("officer"), role("approver")]),
    "reverse": lambda people: role("approver").user_set.add(people["works"]),
    "row": lambda people: MEMBERS.objects.create(user=people["works"], group=role("approver")),
    "bulk": lambda people: MEMBERS.objects.bulk_create(
        [MEMBERS(user=people["works"], group=role("approver"))], ignore_conflicts=True
    ),
    "moved membership": lambda people: MEMBERS.objects.filter(user=people["works"]).update(
        group=role("approver")
    ),
    "another's membership": lambda people: MEMBERS.objects.filter(user=people["decides"]).update(
        user=people["works"]
    ),
    "personal permission": lambda people: people["works"].user_permissions.add(
        Permission.objects.get(codename="decide_erasure")
    ),
    "moved permission": lambda _: sql(
        "UPDATE auth_group_permissions SET permission_id ="
        " (SELECT id FROM auth_permission WHERE codename = 'decide_erasure')"
        " WHERE permission_id ="
        " (SELECT id FROM auth_permission WHERE codename = 'work_review')"
        " AND group_id = (SELECT id FROM auth_group WHERE name = 'officer')"
    ),
    "wider role": lambda _: role("officer").permissions.add(
        Permission.objects.get(codename="decide_erasure")
    ),
    "a role of one's own": lambda _: Group.objects.create(name="night").permissions.add(
        Permission.objects.get(codename="decide_erasure")
    ),
    "a role of another name": lambda _: Group.objects.filter(name="officer").update(name="x"),
    "a superuser": lambda _: User.objects.create_superuser("second"),
    "made a superuser": lambda people: User.objects.filter(pk=people["works"].pk).update(
        is_superuser=True
    ),
    "inserted": lambda people: sql(
        "INSERT INTO auth_user_groups (user_id, group_id) VALUES (%s, %s)",
        people["works"].pk,
        role("approver").pk,
    ),
    "replica": lambda people: sql(
        "SET LOCAL session_replication_role = replica;"
        f" INSERT INTO auth_user_groups (user_id, group_id) VALUES ({people['works'].pk},"
        f" {role('approver').pk})"
    ),
    "the seal gone": lambda _: RightsSeal.objects.all().delete(),
    "the seal emptied": lambda _: sql("TRUNCATE verification_rights_seal"),
}


@pytest.mark.parametrize("way", GROWTHS)
def test_one_person_cannot_however_it_is_written(way: str, people: dict[str, User]) -> None:
    assert refusal(lambda: GROWTHS[way](people)) == RESTRICT_VIOLATION


def test_an_account_that_was_switched_off_comes_back_by_two_people(
    people: dict[str, User], ask: Callable[..., RightsChange], runtime: Runtime
) -> None:
    works = people["works"]
    for off in ({"is_active": False}, {"is_staff": False}):
        User.objects.filter(pk=works.pk).update(**off)
        on = dict.fromkeys(off, True)
        assert (
            refusal(lambda on=on: User.objects.filter(pk=works.pk).update(**on))  # type: ignore[misc]
            == RESTRICT_VIOLATION
        )
        change = ask(account_id=str(works.pk), growth=Growth.RETURN, role_id=None)
        decide_rights(change_id=change.pk, approve=True, by=people["decides"], runtime=runtime)
        works.refresh_from_db()
        assert works.is_active
        assert works.is_staff
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


def test_rights_are_taken_at_once_and_what_is_held_may_be_written_again(
    people: dict[str, User],
) -> None:
    works = people["works"]
    works.groups.add(role("officer"))
    works.groups.set([role("officer")])
    User.objects.filter(pk=works.pk).update(first_name="W", last_login=None)
    ensure_roles()
    works.groups.clear()
    User.objects.filter(pk=people["root"].pk).update(is_superuser=False, is_active=False)
    assert not User.objects.get(pk=works.pk).groups.exists()


def test_a_change_is_used_once(
    people: dict[str, User], ask: Callable[..., RightsChange], runtime: Runtime
) -> None:
    change = ask()
    decide_rights(change_id=change.pk, approve=True, by=people["decides"], runtime=runtime)
    people["new"].groups.clear()
    assert refusal(lambda: people["new"].groups.add(role("officer"))) == RESTRICT_VIOLATION
    again = {"applied_at": None}
    update = RightsChange.objects.filter(pk=change.pk).update
    assert refusal(lambda: update(**again)) == RESTRICT_VIOLATION


def test_who_may_not_decide(
    people: dict[str, User], ask: Callable[..., RightsChange], runtime: Runtime
) -> None:
    change = ask()
    own = ask("engineer", account_id=str(people["decides"].pk))
    tries = [
        (change, "asks", FourEyesError),
        (own, "decides", FourEyesError),
        (change, "works", NotPermittedError),
    ]
    for row, name, error in tries:
        with pytest.raises(error):
            decide_rights(change_id=row.pk, approve=True, by=people[name], runtime=runtime)
        for glass in (False, name != "asks"):
            values = {"decision": "approved", "decided_at": runtime.now(), "glass_broken": glass}
            with pytest.raises(IntegrityError), transaction.atomic():
                RightsChange.objects.filter(pk=row.pk).update(decided_by=people[name], **values)
    decide_rights(change_id=change.pk, approve=False, by=people["decides"], runtime=runtime)
    with pytest.raises(ChangeDecidedError):
        decide_rights(change_id=change.pk, approve=True, by=people["root"], runtime=runtime)
    assert not people["new"].groups.exists()


def test_what_is_asked_for_is_fixed_and_asked_by_who_may(
    people: dict[str, User], ask: Callable[..., RightsChange], runtime: Runtime
) -> None:
    change = ask()
    for other in (
        {"account": people["works"]},
        {"role": role("approver")},
        {"reason": "another"},
        {"requested_by": people["root"]},
    ):
        update = RightsChange.objects.filter(pk=change.pk).update
        assert refusal(lambda o=other, u=update: u(**o)) == RESTRICT_VIOLATION  # type: ignore[misc]
    assert refusal(lambda: RightsChange.objects.all().delete()) == RESTRICT_VIOLATION
    with pytest.raises(NotPermittedError):
        ask(by=people["works"])
    with pytest.raises(NotPermittedError):
        ask(growth=Growth.SUPERUSER, role_id=None)
    with pytest.raises(ChangePendingError):
        ask()
    with pytest.raises(NothingToGrowError):
        ask(account_id=str(people["works"].pk))
    with pytest.raises(NothingToGrowError):
        ask(role_id=0)
    with pytest.raises(UnknownChangeError):
        ask(account_id="nobody")
    with pytest.raises(BadReasonError):
        ask("engineer", reason="x")
    withdraw_rights(change_id=change.pk, by=people["asks"], runtime=runtime)
    ask()


def test_a_superuser_is_made_by_a_superuser_and_another_person(
    people: dict[str, User], ask: Callable[..., RightsChange], runtime: Runtime
) -> None:
    change = ask(growth=Growth.SUPERUSER, role_id=None, by=people["root"])
    with pytest.raises(FourEyesError):
        decide_rights(change_id=change.pk, approve=True, by=people["root"], runtime=runtime)
    decide_rights(change_id=change.pk, approve=True, by=people["decides"], runtime=runtime)
    assert User.objects.get(pk=people["new"].pk).is_superuser
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


def test_broken_glass_is_loud_and_waits_for_somebody_else(
    people: dict[str, User], runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    given = {
        "account_id": str(people["new"].pk), "growth": Growth.ROLE,
        "role_id": role("officer").pk, "reason": REASON, "runtime": runtime,
    }  # fmt: skip
    with pytest.raises(NotPermittedError):
        break_glass_for_rights(by=people["decides"], **given)  # type: ignore[arg-type]
    change = break_glass_for_rights(by=people["asks"], **given)  # type: ignore[arg-type]
    assert people["new"].groups.get().name == "officer"
    assert [each.levelname for each in caplog.records if "glass" in each.message] == ["CRITICAL"]
    with pytest.raises(FourEyesError):
        review_rights_glass(change_id=change.pk, by=people["asks"], runtime=runtime)
    review_rights_glass(change_id=change.pk, by=people["decides"], runtime=runtime)
    with pytest.raises(ChangeDecidedError):
        review_rights_glass(change_id=change.pk, by=people["root"], runtime=runtime)
    assert [each["by"] for each in said("rights.glass_broken")] == ["asks"]
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


LIFTED: dict[str, tuple[str, str]] = {
    "a role": (
        (
            "INSERT INTO auth_user_groups (user_id, group_id)"
            " SELECT {works}, id FROM auth_group WHERE name = 'approver'"
        ),
        "got more rights without two people: role",
    ),
    "a superuser": (
        "UPDATE auth_user SET is_superuser = true WHERE id = {works}",
        "got more rights without two people: superuser",
    ),
    "a permission of one's own": (
        (
            "INSERT INTO auth_user_user_permissions (user_id, permission_id)"
            " SELECT {works}, id FROM auth_permission WHERE codename = 'decide_erasure'"
        ),
        "got more rights without two people: permission decide_erasure",
    ),
    "a wider role": (
        (
            "INSERT INTO auth_group_permissions (group_id, permission_id)"
            " SELECT g.id, p.id FROM auth_group AS g, auth_permission AS p"
            " WHERE g.name = 'officer' AND p.codename = 'decide_erasure'"
        ),
        "got more rights without two people: permission decide_erasure",
    ),
}


@pytest.mark.parametrize("what", LIFTED)
def test_what_was_given_while_the_guards_were_lifted_is_named(
    what: str, people: dict[str, User], runtime: Runtime
) -> None:
    statement, sentence = LIFTED[what]
    tables = ("auth_user", "auth_user_groups", "auth_user_user_permissions",
              "auth_group_permissions")  # fmt: skip
    for table in tables:
        sql(f"ALTER TABLE {table} DISABLE TRIGGER {table}_guard_rows")
    try:
        sql(statement.format(works=people["works"].pk))
    finally:
        for table in tables:
            sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_guard_rows")
    seal(runtime)
    (found,) = verify(runtime=runtime).faults
    assert found.code == FaultCode.FOUR_EYES
    assert sentence in found.sentence


EDITS = {
    "another account": "UPDATE verification_rights_change SET account_id = {works}",
    "another reason": "UPDATE verification_rights_change SET reason = 'another one'",
    "another who asked": "UPDATE verification_rights_change SET requested_by_id = {works}",
    "another time": "UPDATE verification_rights_change"
    " SET decided_at = decided_at + interval '1 us'",
    "glass mended": "UPDATE verification_rights_change SET glass_reviewed_by_id = {decides},"
    " glass_reviewed_at = now(), glass_broken = true, decided_by_id = requested_by_id",
    "gone": "DELETE FROM verification_rights_change",
    "sealed earlier": "UPDATE verification_rights_seal SET sealed_at = sealed_at - interval '1 d'",
    "slipped in": "INSERT INTO verification_rights_change (id, account_id, growth, role_id, reason,"
    " requested_by_id, requested_at, glass_broken) SELECT gen_random_uuid(), account_id, growth,"
    " role_id, reason, requested_by_id, requested_at, false FROM verification_rights_change",
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_request_is_named(
    what: str, people: dict[str, User], ask: Callable[..., RightsChange], runtime: Runtime
) -> None:
    change = ask()
    decide_rights(change_id=change.pk, approve=True, by=people["decides"], runtime=runtime)
    seal(runtime)
    ids = {name: person.pk for name, person in people.items()}
    with unguarded(), unguarded(*watched()):
        sql(EDITS[what].format(**ids))
    found = verify(runtime=runtime).faults
    assert [each.code for each in found] == [FaultCode.REGISTER], found


def test_sealing_takes_two_people_and_is_done_once(runtime: Runtime) -> None:
    alone = member("alone", "administrator")
    with pytest.raises(CommandError, match="another one to decide"):
        call_command("rights_seal")
    alone.groups.add(role("approver"))
    with pytest.raises(SealError):
        seal_rights(runtime=runtime)
    second = member("second", "approver")
    out = StringIO()
    try:
        call_command("rights_seal", stdout=out)
        assert "May decide: alone, second" in out.getvalue()
        with pytest.raises(CommandError, match="already"):
            call_command("rights_seal")
        with pytest.raises(DatabaseError):
            second.groups.add(role("administrator"))
    finally:
        with unguarded("verification_rights_seal"):
            RightsSeal.objects.all().delete()


def test_before_the_seal_an_installation_is_free_to_begin(runtime: Runtime) -> None:
    somebody = member("somebody", "officer")
    somebody.user_permissions.add(Permission.objects.get(codename="view_reveal"))
    User.objects.create_superuser("root")
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


def test_the_guard_lets_roles_include_what_this_version_gives_them() -> None:
    from importlib import import_module  # noqa: PLC0415 - its name is no identifier

    included = import_module("verification.migrations.0033_subject_guards").INCLUDED
    assert {name: sorted(held) for name, held in included.items()} == {
        name: sorted(permissions_of(name)) for name in ROLES
    }
