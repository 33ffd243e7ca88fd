"""Changes of clients, keys and rights are entries that say who made them."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.test import Client

from verification.ledger.canonical import parse
from verification.models import StagedEntry
from verification.selectors.guard_state import lifted_guards
from verification.services.acting import acting_as

pytestmark = pytest.mark.django_db(transaction=True)


def staged() -> list[dict[str, Any]]:
    """Return what is staged, in its order."""
    return [parse(bytes(each.raw)) for each in StagedEntry.objects.order_by("no")]


def test_a_command_names_the_account_that_ran_it() -> None:
    before = len(staged())
    call_command("client_create", "onboarding", stdout=StringIO())
    new = staged()[before:]
    assert [each["kind"] for each in new] == ["client.changed", "client.key_changed"]
    assert all(str(each["by"]).startswith("command:") for each in new)


def test_a_form_of_the_admin_names_the_member_of_staff(client: Client) -> None:
    User.objects.create_superuser("root", password="a-long-password")
    officer = User.objects.create_user("officer", password="another-password", is_staff=True)
    group = Group.objects.get_or_create(name="auditor")[0]
    client.login(username="root", password="a-long-password")
    before = len(staged())
    form = {
        "username": "officer",
        "is_active": "on",
        "is_staff": "on",
        "groups": [str(group.pk)],
    }
    answer = client.post(f"/admin/auth/user/{officer.pk}/change/", form)
    assert answer.status_code == 302
    [joined] = staged()[before:]
    assert (joined["kind"], joined["what"], joined["change"]) == ("role.changed", "member", "set")
    assert (joined["by"], joined["user"], joined["name"]) == ("root", str(officer.pk), "auditor")


def test_nobody_is_named_after_the_work_is_done() -> None:
    with acting_as("somebody"):
        User.objects.create_user("one")
    User.objects.create_user("two")
    *_, one, two = staged()
    assert (one["by"], two["by"]) == ("somebody", None)


def test_raw_sql_is_recorded_too_with_the_role_that_was_connected() -> None:
    user = User.objects.create_user("mallory")
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    entry = staged()[-1]
    assert (entry["what"], entry["is_superuser"], entry["by"]) == ("account", True, None)
    assert entry["db_role"]


def test_a_watcher_that_is_off_is_reported() -> None:
    assert lifted_guards() == []
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE auth_user_groups DISABLE TRIGGER auth_user_groups_watch")
        try:
            [said] = lifted_guards()
        finally:
            cursor.execute(
                "ALTER TABLE auth_user_groups ENABLE ALWAYS TRIGGER auth_user_groups_watch"
            )
    assert "auth_user_groups_watch" in said
