"""Granting makes the roles exact, and the system check names whatever is not as it should be."""

import importlib
from dataclasses import replace
from io import StringIO

import pytest
from django.apps import apps
from django.core.checks import CheckMessage
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import Settings

from tests.integration.database.roles import Login, Roles, acting_as, grant_again, owner
from verification.checks import check_guards
from verification.models.attempt import FIXED_COLUMNS
from verification.models.guards import GUARDED, truncate_guard
from verification.services.errors import RoleRefusedError
from verification.services.grants import compare, grant
from verification.services.privileges import OWN, Kind

KINDS = tuple(Kind)


@pytest.mark.django_db
def test_the_grants_are_exact_and_granting_again_changes_nothing(roles: Roles) -> None:
    for _ in range(2):
        for login in roles.values():
            found = compare(kind=login.kind, role=login.user)
            assert (found.missing, found.superfluous) == ((), ())
        grant_again(roles)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given",
    [
        "GRANT ALL ON verification_ledger_entry TO {role}",
        "GRANT UPDATE (region) ON verification_attempt TO {role}",
        "GRANT DELETE ON verification_session TO PUBLIC",
        "GRANT TRUNCATE ON procrastinate_jobs TO {role} WITH GRANT OPTION",
        "GRANT ALL ON SEQUENCE verification_ledger_stage_no_seq TO {role}",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "GRANT CREATE ON SCHEMA public TO {role}",
        "REVOKE SELECT ON verification_client FROM {role}",
        "REVOKE SELECT ON django_migrations FROM {role}",
    ],
)
def test_granting_sets_right_what_was_changed(login: Login, roles: Roles, given: str) -> None:
    owner(given.format(role=login.user))
    found = compare(kind=login.kind, role=login.user)
    assert found.missing or found.superfluous
    grant_again(roles)
    found = compare(kind=login.kind, role=login.user)
    assert (found.missing, found.superfluous) == ((), ())


@pytest.mark.django_db
def test_a_serial_column_takes_its_numbers_from_a_sequence_that_is_granted(roles: Roles) -> None:
    owner("ALTER TABLE auth_group ALTER id DROP IDENTITY")
    owner("CREATE SEQUENCE auth_group_serial OWNED BY auth_group.id START 1000")
    owner("ALTER TABLE auth_group ALTER id SET DEFAULT nextval('auth_group_serial')")
    web = roles[Kind.WEB].user
    assert compare(kind=Kind.WEB, role=web).missing == ("USAGE on auth_group_serial",)
    grant_again(roles)
    assert compare(kind=Kind.WEB, role=web).missing == ()
    owner(f"SET LOCAL ROLE {web}")
    owner("INSERT INTO auth_group (name) VALUES ('numbered')")
    owner("RESET ROLE")


@pytest.mark.django_db
def test_what_cannot_be_held_by_grants_is_refused_and_nothing_is_changed(roles: Roles) -> None:
    web, worker = (roles[kind].user for kind in KINDS)
    me = str(connection.settings_dict["USER"])
    owner(f"GRANT DELETE ON verification_reveal TO {web}")
    for given, sentence in (
        ({"web": web, "worker": "nobody at all"}, "There is no role 'nobody at all'"),
        ({"web": me, "worker": worker}, "superuser or owns"),
        ({"web": web, "worker": web}, "need a role each"),
        ({"web": 'odd"; DROP TABLE auth_user; --', "worker": worker}, "There is no role"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("database_grant", **given, stdout=StringIO())
    assert "DELETE on verification_reveal" in compare(kind=Kind.WEB, role=web).superfluous


@pytest.mark.django_db
def test_names_of_roles_are_taken_as_they_are(roles: Roles) -> None:
    odd = 'odd "name"; %s {x}'
    owner('CREATE ROLE "odd ""name""; %s {x}"')
    grant(web=odd, worker=roles[Kind.WORKER].user)
    assert compare(kind=Kind.WEB, role=odd).missing == ()


@pytest.mark.django_db(transaction=True)
def test_only_the_owner_can_grant(changed: Roles) -> None:
    web, worker = (changed[kind] for kind in KINDS)
    owner(f"CREATE ROLE stranger_{web.user}")
    try:
        with acting_as(web), pytest.raises(RoleRefusedError, match="Only the owner of"):
            grant(web=f"stranger_{web.user}", worker=worker.user)
    finally:
        owner(f"DROP ROLE stranger_{web.user}")


@pytest.mark.django_db
def test_a_role_that_may_become_the_owner_is_refused(roles: Roles) -> None:
    web, worker = (roles[kind].user for kind in KINDS)
    me = str(connection.settings_dict["USER"])
    owner(f'GRANT "{me}" TO {web}')
    with pytest.raises(RoleRefusedError, match="superuser or owns"):
        grant(web=web, worker=worker)


@pytest.mark.django_db
def test_the_command_shows_what_each_may_do_and_says_what_it_cannot_take_away(
    roles: Roles,
) -> None:
    web, worker = (roles[kind].user for kind in KINDS)
    out = StringIO()
    call_command("database_grant", web=web, worker=worker, stdout=out)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines.count("verification_reveal INSERT, SELECT") == 1
    assert lines.count("verification_ledger_stage INSERT (raw, staged_at), SELECT") == 1
    assert f"{web}, for web:" in lines
    owner(f"GRANT pg_read_server_files TO {worker}")
    with pytest.raises(CommandError, match="still has membership in pg_read_server_files"):
        call_command("database_grant", web=web, worker=worker, verbosity=0)


def found_by_check(login: Login, settings: Settings) -> list[CheckMessage]:
    """Return what the system check says to a process of this role."""
    settings.VERIFICATION = {**settings.VERIFICATION, "DATABASE_ROLE": login.kind.value}
    with acting_as(login):
        return check_guards(databases=["default"])


def said(found: list[CheckMessage]) -> list[tuple[str, str]]:
    """Return ids and sentences."""
    return [(str(each.id).removeprefix("verification."), each.msg) for each in found]


@pytest.mark.django_db(transaction=True)
def test_the_check_names_each_privilege_too_many_and_missing(
    changed: Roles, settings: Settings
) -> None:
    for login in changed.values():
        assert found_by_check(login, settings) == []
    login = changed[Kind.WEB]
    owner(f"REVOKE INSERT ON verification_reveal, verification_session FROM {login.user}")
    owner(f"REVOKE SELECT ON django_migrations FROM {login.user}")
    owner(f"GRANT DELETE, UPDATE (kind) ON verification_evidence TO {login.user}")
    owner("GRANT TRUNCATE ON verification_reveal TO PUBLIC")
    assert said(found_by_check(login, settings)) == [
        ("E007", f"{login.user} lacks SELECT on django_migrations."),
        ("E007", f"{login.user} lacks INSERT on verification_reveal."),
        ("E007", f"{login.user} lacks INSERT on verification_session."),
        ("W008", f"{login.user} has DELETE on verification_evidence."),
        ("W008", f"{login.user} has UPDATE (kind) on verification_evidence."),
        ("W008", f"{login.user} has TRUNCATE on verification_reveal."),
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("given", "taken", "sentence"),
    [
        ("ALTER ROLE {role} CREATEROLE", "ALTER ROLE {role} NOCREATEROLE", "CREATEROLE"),
        ("ALTER ROLE {role} CREATEDB", "ALTER ROLE {role} NOCREATEDB", "CREATEDB"),
        ("ALTER ROLE {role} REPLICATION", "ALTER ROLE {role} NOREPLICATION", "REPLICATION"),
        ("ALTER ROLE {role} BYPASSRLS", "ALTER ROLE {role} NOBYPASSRLS", "BYPASSRLS"),
        (
            "GRANT pg_execute_server_program TO {role}",
            "REVOKE pg_execute_server_program FROM {role}",
            "membership in pg_execute_server_program",
        ),
        (
            "GRANT CREATE ON SCHEMA public TO {role}",
            "REVOKE CREATE ON SCHEMA public FROM {role}",
            "CREATE on schema public",
        ),
        (
            "GRANT CREATE ON DATABASE {database} TO {role}",
            "REVOKE CREATE ON DATABASE {database} FROM {role}",
            "CREATE on database {database}",
        ),
    ],
)
def test_the_check_names_powers_that_lead_round_the_grants(
    roles: Roles, settings: Settings, given: str, taken: str, sentence: str
) -> None:
    login = roles[Kind.WORKER]
    names = {"role": login.user, "database": connection.settings_dict["NAME"]}
    owner(given.format(**names))
    try:
        found = said(found_by_check(login, settings))
    finally:
        owner(taken.format(**names))
    assert found == [("W008", f"{login.user} has {sentence.format(**names)}.")]


@pytest.mark.django_db(transaction=True)
def test_the_check_refuses_the_owner_a_superuser_and_who_may_become_one(
    roles: Roles, settings: Settings
) -> None:
    web, me = roles[Kind.WEB], str(connection.settings_dict["USER"])
    as_owner = replace(web, user=me, password=str(connection.settings_dict["PASSWORD"]))
    assert [each.id for each in found_by_check(as_owner, settings)] == ["verification.E006"]
    owner(f'GRANT "{me}" TO {web.user}')
    try:
        assert [each.id for each in found_by_check(web, settings)] == ["verification.E006"]
    finally:
        owner(f'REVOKE "{me}" FROM {web.user}')
    settings.VERIFICATION = {**settings.VERIFICATION, "DATABASE_ROLE": "owner"}
    assert check_guards(databases=["default"]) == []


@pytest.mark.django_db
@pytest.mark.parametrize("table", sorted(GUARDED))
def test_the_check_names_a_trigger_that_is_off_or_gone(table: str) -> None:
    assert check_guards(databases=["default"]) == []
    name = truncate_guard(table)
    for how, sentence in (
        (f"ALTER TABLE {table} DISABLE TRIGGER {name}", "is not ENABLE ALWAYS."),
        (f"ALTER TABLE {table} ENABLE TRIGGER {name}", "is not ENABLE ALWAYS."),
        (f"ALTER TABLE {table} ENABLE REPLICA TRIGGER {name}", "is not ENABLE ALWAYS."),
        (f"DROP TRIGGER {name} ON {table}", "is missing."),
    ):
        owner(how)
        found = said(check_guards(databases=["default"]))
        assert found == [("E009", f"The trigger {name} on {table} {sentence}")]


@pytest.mark.django_db
def test_the_check_waits_for_the_migrations_and_is_quiet_unless_asked() -> None:
    with transaction.atomic():
        owner("DROP TRIGGER verification_reveal_guard_rows ON verification_reveal")
        assert check_guards() == []
        assert check_guards(databases=["other"]) == []
        owner("DELETE FROM django_migrations WHERE app = 'verification' AND name <> '0001_initial'")
        assert check_guards(databases=["default"]) == []
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_the_check_says_when_the_database_does_not_answer(roles: Roles, settings: Settings) -> None:
    wrong = replace(roles[Kind.WEB], password="wrong")
    (found,) = found_by_check(wrong, settings)
    assert found.id == "verification.W010"


def test_the_table_of_privileges_fits_migrations_and_models() -> None:
    migration = importlib.import_module("verification.migrations.0003_guards")
    assert set(migration.ATTEMPT_FIXED) == FIXED_COLUMNS
    tables = {each._meta.db_table for each in apps.get_app_config("verification").get_models()}
    assert {table for kind in Kind for table in OWN[kind]} <= tables
