"""A guard that was replaced, weakened or joined by another one is named, to the character."""

from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from tests.integration.ledger.insider import sql
from verification.selectors.guard_state import lifted_guards
from verification.services.faults import FaultCode
from verification.services.runtime import Runtime
from verification.services.verifying import verify

SAFE = "SET search_path = pg_catalog, pg_temp"
GUARD = "verification_review_guard_rows"
FUNCTION = "verification_guard_review()"
OPEN = "RETURNS trigger LANGUAGE plpgsql"
BODY = "AS $$BEGIN RETURN NEW; END$$"
OTHER = "is not the one that was installed."


def instead(clause: str, function: str = FUNCTION) -> str:
    """Return how a guard is dropped and one of the same name made."""
    return f"""
        DROP TRIGGER {GUARD} ON verification_review;
        CREATE TRIGGER {GUARD} BEFORE {clause} EXECUTE FUNCTION {function};
        ALTER TABLE verification_review ENABLE ALWAYS TRIGGER {GUARD}
    """


ROW = "ON verification_review FOR EACH ROW"
ALL = f"INSERT OR UPDATE OR DELETE {ROW}"
PASS = f"CREATE FUNCTION pass() {OPEN} {BODY};"
MAY = "verification_may(person integer, permission varchar)"
BETTER = f"CREATE FUNCTION {MAY} RETURNS boolean LANGUAGE sql {SAFE} AS 'SELECT true'"
FUNCTION_DIFFERS = f"The function verification_guard_review {OTHER}"
TRIGGER_DIFFERS = f"The trigger {GUARD} on verification_review {OTHER}"

ATTACKS = {
    "an open body": (
        f"CREATE OR REPLACE FUNCTION {FUNCTION} {OPEN} {SAFE} {BODY}",
        FUNCTION_DIFFERS,
    ),
    "names looked up elsewhere": (f"ALTER FUNCTION {FUNCTION} RESET search_path", FUNCTION_DIFFERS),
    "the rights of its owner": (f"ALTER FUNCTION {FUNCTION} SECURITY DEFINER", FUNCTION_DIFFERS),
    "a better match for its arguments": (BETTER, f"The function verification_may {OTHER}"),
    "a function more": (
        f"CREATE FUNCTION verification_other() {OPEN} {SAFE} {BODY}",
        f"The function verification_other {OTHER}",
    ),
    "another function behind the trigger": (PASS + instead(ALL, "pass()"), TRIGGER_DIFFERS),
    "a condition that never comes true": (
        instead(f"UPDATE {ROW} WHEN (NEW.round < 0)"),
        TRIGGER_DIFFERS,
    ),
    "one column only": (instead(f"INSERT OR UPDATE OF round OR DELETE {ROW}"), TRIGGER_DIFFERS),
    "no deletions": (instead(f"INSERT OR UPDATE {ROW}"), TRIGGER_DIFFERS),
    "a watcher gone": (
        "DROP TRIGGER auth_user_groups_watch ON auth_user_groups",
        "The trigger auth_user_groups_watch on auth_user_groups is missing.",
    ),
    "a function gone": (
        "DROP FUNCTION verification_stepped CASCADE",
        "The function verification_stepped is missing.",
    ),
}


@pytest.fixture
def undone(transactional_db: None) -> Iterator[None]:
    """Undo everything afterwards, definitions included."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_guard_that_is_another_one_is_named(name: str, undone: None) -> None:
    statement, sentence = ATTACKS[name]
    assert lifted_guards() == []
    sql(statement)
    assert lifted_guards() == [sentence]


@pytest.mark.django_db(transaction=True)
def test_a_verification_names_it(runtime: Runtime) -> None:
    assert verify(runtime=runtime).faults == ()
    statement = "ALTER FUNCTION verification_guard_review() {} SECURITY {}"
    sql(statement.format("", "DEFINER"))
    try:
        (found,) = verify(runtime=runtime).faults
    finally:
        sql(statement.format("", "INVOKER"))
    assert found.code == FaultCode.GUARD
    assert found.sentence == f"The function verification_guard_review {OTHER}"


@pytest.mark.django_db
def test_it_holds_where_the_catalog_comes_first_in_the_search_path() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = pg_catalog, public")
        assert lifted_guards() == []
        cursor.execute("RESET search_path")
