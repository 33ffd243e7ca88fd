"""Every change of who may do what is one canonical entry, whoever makes it and however."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import authenticate, user_logged_in
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import NOON, make_bearer_key, make_client
from tests.integration.database.conftest import RESTRICT_VIOLATION, execute, refusal
from verification.conf import get_conf
from verification.ledger.canonical import canonical, parse
from verification.models import ApiClient, ApiKey, StagedEntry
from verification.models.client import Scope
from verification.services.clients import issue_bearer_key, issue_key_pair, revoke_key
from verification.services.entries import read_labels
from verification.services.register_audit import register_faults

pytestmark = pytest.mark.django_db

# All but what PostgreSQL cannot store: NUL and lone surrogates.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=100)
NASTY = "\"'\\\x01\x1f\x7f\x80\u2028\ufeff/\t\n\r\b\f\u202e\U0001f600\ufffe$body$%s{}é"

Act = Callable[[], object]


def staged_by(act: Act) -> list[dict[str, Any]]:
    """Return what an act stages, parsed; each must be canonical and readable."""
    last = StagedEntry.objects.order_by("-no").first()
    act()
    rows = StagedEntry.objects.filter(no__gt=last.no if last else 0).order_by("no")
    entries = []
    for row in rows:
        raw = bytes(row.raw)
        entry = parse(raw)
        assert canonical(entry) == raw
        assert json.loads(raw) == entry
        kind, attempt = read_labels(raw)
        assert kind in {"role.changed", "client.changed", "client.key_changed"}
        assert attempt is None
        entries.append(entry)
    return entries


def one(act: Act, **expected: object) -> dict[str, Any]:
    """Hold that an act stages exactly one entry, with these members."""
    (entry,) = staged_by(act)
    assert {name: entry.get(name) for name in expected} == expected
    return entry


@pytest.fixture
def user() -> User:
    """Return an account."""
    return User.objects.create_user("someone", password="a password")


@pytest.fixture
def group() -> Group:
    """Return the only group."""
    Group.objects.all().delete()
    return Group.objects.create(name="reviewers")


@pytest.fixture
def permission() -> Permission:
    """Return the permission to reveal."""
    return Permission.objects.get(codename="reveal_evidence")


@pytest.fixture(autouse=True)
def holds_together(db: None) -> Iterator[None]:
    """Hold the tables against their entries after each test."""
    yield
    assert list(register_faults(connection.connection)) == []


def row_of(user: User) -> Any:
    """Return the row, to be updated without save()."""
    return User.objects.filter(pk=user.pk)


FLAGS = ("is_active", "is_staff", "is_superuser")


def test_an_account_comes_changes_and_goes() -> None:
    facts = {"kind": "role.changed", "what": "account", "change": "set", "name": NASTY}
    entry = one(partial(User.objects.create, username=NASTY), **facts)
    assert entry["db_role"] == connection.settings_dict["USER"]
    assert entry["by"] is None
    assert entry["at"].endswith("Z")
    user = User.objects.get()
    for flag in FLAGS:
        value = not getattr(user, flag)
        one(partial(row_of(user).update, **{flag: value}), **facts, **{flag: value})
        user.refresh_from_db()
        setattr(user, flag, not value)
        one(user.save, **facts, **{flag: not value})
        sql = f"UPDATE auth_user SET {flag} = NOT {flag}"
        one(partial(execute, sql), **facts, **{flag: value})
    one(row_of(user).delete, **facts | {"change": "removed"})


def test_raw_sql_is_seen_as_well() -> None:
    columns = "username, password, first_name, last_name, email, is_superuser, is_staff, is_active"
    insert = f"INSERT INTO auth_user ({columns}, date_joined)"
    values = "'', '', '', '', true, true, true, now())"
    one(partial(execute, f"{insert} VALUES ('sql', {values}"), name="sql", is_superuser=True)
    upsert = f"{insert} VALUES ('sql', {values} ON CONFLICT (username) DO UPDATE SET is_staff=false"
    one(partial(execute, upsert), name="sql", is_staff=False)
    merge = (
        "MERGE INTO auth_user USING (VALUES (1)) AS s (a) ON username = 'sql'"
        " WHEN MATCHED THEN UPDATE SET is_active = false"
    )
    one(partial(execute, merge), is_active=False)
    with connection.cursor() as cursor:

        def copy() -> None:
            with cursor.copy(f"COPY auth_user ({columns}, date_joined) FROM STDIN") as stream:
                stream.write("copied\t\t\t\t\tt\tt\tt\t2026-01-01\n")

        one(copy, name="copied", is_superuser=True)
    one(partial(execute, "UPDATE auth_user SET username = 'x' WHERE username = 'copied'"), name="x")
    execute("SET LOCAL session_replication_role = replica")
    one(partial(execute, "DELETE FROM auth_user WHERE username = 'x'"), change="removed")
    execute("SET LOCAL session_replication_role = origin")


def test_many_rows_are_many_entries() -> None:
    people = [User(username=f"user-{number}") for number in range(20)]
    entries = staged_by(partial(User.objects.bulk_create, people))
    assert [each["name"] for each in entries] == [each.username for each in people]
    assert len(staged_by(partial(User.objects.update, is_staff=True))) == 20
    assert len(staged_by(partial(User.objects.update, is_staff=True))) == 0


def test_logging_in_and_a_new_password_are_no_change_of_a_role(user: User) -> None:
    def log_in() -> None:
        found = authenticate(username="someone", password="a password")
        user_logged_in.send(User, request=None, user=found)

    def new_password() -> None:
        user.set_password("another")
        user.save()

    assert staged_by(log_in) == []
    assert row_of(user).get().last_login is not None
    assert staged_by(new_password) == []
    assert staged_by(partial(row_of(user).update, email="a@example.org", first_name="A")) == []


def test_a_group_comes_changes_and_goes() -> None:
    Group.objects.all().delete()
    facts = {"kind": "role.changed", "what": "group", "change": "set"}
    one(partial(Group.objects.create, name=NASTY), **facts, name=NASTY)
    one(partial(Group.objects.update, name="renamed"), **facts, name="renamed")
    one(partial(execute, "UPDATE auth_group SET name = 'again'"), **facts, name="again")
    one(Group.objects.all().delete, **facts | {"change": "removed"}, name="again")


def test_memberships_and_permissions_come_and_go(
    user: User, group: Group, permission: Permission
) -> None:
    one(partial(user.groups.add, group), what="member", change="set", name="reviewers")
    assert staged_by(partial(user.groups.add, group)) == []
    one(partial(user.groups.remove, group), what="member", change="removed", name="reviewers")
    for what, holder in (
        ("user_permission", user.user_permissions),
        ("group_permission", group.permissions),
    ):
        facts = {"what": what, "name": "reveal_evidence", "permission": str(permission.pk)}
        one(partial(holder.add, permission), change="set", **facts)
        one(partial(holder.remove, permission), change="removed", **facts)


def test_raw_memberships_and_permissions_are_seen(
    user: User, group: Group, permission: Permission
) -> None:
    tables = {
        "auth_user_groups": ("user_id", user.pk, "group_id", group.pk),
        "auth_user_user_permissions": ("user_id", user.pk, "permission_id", permission.pk),
        "auth_group_permissions": ("group_id", group.pk, "permission_id", permission.pk),
    }
    for table, (holder, holder_id, held, held_id) in tables.items():
        insert = f"INSERT INTO {table} ({holder}, {held}) VALUES (%s, %s)"
        one(partial(execute, insert, holder_id, held_id), change="set")
        one(partial(execute, f"DELETE FROM {table}"), change="removed")
        execute(insert, holder_id, held_id)
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        one(partial(execute, f"TRUNCATE {table}"), change="removed")


def test_a_membership_that_moves_leaves_one_place_and_enters_another(
    user: User, group: Group
) -> None:
    user.groups.add(group)
    other = Group.objects.create(name="approvers")
    move = partial(execute, "UPDATE auth_user_groups SET group_id = %s", other.pk)
    moved = [(each["change"], each["group"]) for each in staged_by(move)]
    assert moved == [("removed", str(group.pk)), ("set", str(other.pk))]


def test_an_account_that_changes_its_number_does_so_in_two_entries(user: User) -> None:
    entries = staged_by(partial(execute, "UPDATE auth_user SET id = id + 1000"))
    assert [each["change"] for each in entries] == ["removed", "set"]


def test_a_permission_that_becomes_another_is_seen(permission: Permission) -> None:
    rows = Permission.objects.filter(codename="view_evidence")
    facts = {"what": "permission", "change": "set", "permission": str(rows.get().pk)}
    one(partial(rows.update, codename="view_all"), **facts, name="view_all")
    assert staged_by(partial(rows.update, name="Another label")) == []


def test_memberships_that_are_truncated_leave_their_traces(user: User, group: Group) -> None:
    user.groups.add(group)
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    entries = staged_by(partial(execute, "TRUNCATE auth_user_groups"))
    assert [each["what"] for each in entries] == ["member"]


def test_groups_cannot_be_truncated_for_requests_name_them(group: Group) -> None:
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert refusal(partial(execute, "TRUNCATE auth_group CASCADE")) == RESTRICT_VIOLATION
    assert Group.objects.filter(pk=group.pk).exists()


def test_a_client_comes_and_changes() -> None:
    facts = {"kind": "client.changed"}
    one(partial(make_client, NASTY), **facts, name=NASTY, is_active=True)
    rows = ApiClient.objects.all()
    one(partial(rows.update, is_active=False), **facts, is_active=False)
    one(partial(rows.update, scopes=["ledger:read"]), **facts, scopes="ledger:read")
    one(partial(execute, "UPDATE verification_client SET name = 'n'"), **facts, name="n")
    assert staged_by(partial(rows.update, name="n")) == []


def test_a_key_is_issued_and_revoked_and_its_secret_is_not_told() -> None:
    client = make_client()
    now = datetime.now(UTC)
    pair = partial(issue_key_pair, client=client, keyring=get_conf().keyring, now=now)
    for issue in (partial(issue_bearer_key, client=client, now=now), pair):
        issued: list[Any] = []

        def act(issue: Act = issue, issued: list[Any] = issued) -> None:
            issued.append(issue())

        entry = one(act, kind="client.key_changed")
        assert entry["public_id"] == issued[0].key.public_id
        assert issued[0].secret not in json.dumps(entry)
        assert entry["revoked"] is None
        revoked = one(partial(revoke_key, key=issued[0].key, now=now), key=entry["key"])
        assert revoked["revoked"] is not None
        assert revoked["secret_digest"] == entry["secret_digest"]
    key = make_bearer_key(client)
    sql = "UPDATE verification_api_key SET revoked_at = now() WHERE public_id = %s"
    one(partial(execute, sql, key.public_id), public_id=key.public_id)
    assert ApiKey.objects.count() == 3


def test_what_does_not_fit_into_an_entry_is_refused() -> None:
    client = make_client()
    rows = ApiClient.objects.filter(pk=client.pk)
    many = partial(rows.update, scopes=[Scope.LEDGER_READ] * 10_000)
    assert refusal(many) == RESTRICT_VIOLATION


def test_the_actor_stands_in_the_entry_and_cannot_crowd_it_out() -> None:
    for actor, expected in ((NASTY, NASTY), ("x" * 100_000, "x" * 200), ("", None)):
        execute("SELECT set_config('verification.actor', %s, true)", actor)
        one(partial(make_client), by=expected)


NO_DEADLINE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@NO_DEADLINE
@given(name=TEXTS, actor=TEXTS)
def test_any_text_makes_a_canonical_entry(name: str, actor: str) -> None:
    execute("SELECT set_config('verification.actor', %s, true)", actor)
    with undone():
        one(partial(User.objects.create, username=name), name=name, by=actor or None)
        one(partial(User.objects.update, is_staff=True), name=name, by=actor or None)
        one(partial(Group.objects.create, name=name), name=name, by=actor or None)
        values = {"id": uuid4(), "name": name, "scopes": [], "created_at": NOON}
        one(partial(ApiClient.objects.create, **values), name=name, by=actor or None)


@contextmanager
def undone() -> Iterator[None]:
    """Undo what the block does, so that the next example finds the names free."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
