"""Rules: the more particular wins, the newest holds, nobody changes one, records stay long."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests.factories import NOON, make_attempt, make_evidence
from tests.integration.ledger.lives import seal
from tests.integration.retention.runs import People, entries, rule
from tests.owner import unguarded
from verification.models import RetentionRule
from verification.models.retention import RULE_SET
from verification.selectors.retention import evidence_due, record_due, rules_in_force
from verification.services.errors import BadReasonError, BadRuleError, NotPermittedError
from verification.services.retention import set_rule
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)


def execute(statement: str, *values: Any) -> None:
    """Run one statement, undone if it is refused."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_an_installation_begins_with_ninety_days_and_five_years() -> None:
    rules = rules_in_force()
    assert rules.evidence("image_best", "cn").days == 90
    assert record_due(NOON, "cn") - NOON == timedelta(days=1_826)


def test_the_more_particular_rule_wins_and_of_equal_ones_the_newest(
    people: People, runtime: Runtime
) -> None:
    rule(people, runtime, 50, region="sandbox")
    rule(people, runtime, 40, kind="image_best")
    rule(people, runtime, 31, kind="image_best", region="sandbox")
    rule(people, runtime, 30, kind="image_best", region="sandbox")
    rule(people, runtime, 2_000, what="record", region="sandbox")
    rules = rules_in_force()
    found = {
        (kind, region): rules.evidence(kind, region).days
        for kind in ("image_best", "video_key")
        for region in ("sandbox", "cn")
    }
    assert found == {
        ("image_best", "sandbox"): 30,
        ("image_best", "cn"): 40,
        ("video_key", "sandbox"): 50,
        ("video_key", "cn"): 90,
    }
    assert rules.record("sandbox").days == 2_000
    assert rules.record("cn").days == 1_826
    with connection.cursor() as cursor:
        for (kind, region), days in found.items():
            cursor.execute("SELECT verification_rule_of('evidence', %s, %s)", [kind, region])
            assert RetentionRule.objects.get(pk=cursor.fetchone()[0]).days == days


def test_one_key_is_due_when_its_longest_rule_has_run_out(people: People, runtime: Runtime) -> None:
    rule(people, runtime, 10, kind="image_best")
    rule(people, runtime, 20, kind="raw_answer")
    one, both, none = (make_attempt("verified") for _ in range(3))
    make_evidence(one, "image_best")
    make_evidence(both, "image_best", "raw_answer")
    assert evidence_due(one) == NOON + timedelta(days=10)
    assert evidence_due(both) == NOON + timedelta(days=20)
    assert evidence_due(none) == NOON + timedelta(days=90)


def test_a_rule_is_an_entry_and_log_and_rows_hold(people: People, runtime: Runtime) -> None:
    row = rule(people, runtime, 45, kind="image_best", region="sandbox")
    [entry] = entries(RULE_SET)
    assert (entry["rule"], entry["days"], entry["by"]) == (str(row.pk), 45, "adam")
    assert (entry["what"], entry["evidence_kind"], entry["region"]) == (
        "evidence", "image_best", "sandbox",
    )  # fmt: skip
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


@pytest.mark.parametrize(
    "given",
    [
        {"what": "video"},
        {"what": "record", "days": "1825"},
        {"what": "record", "kind": "image_best", "days": "2000"},
        {"kind": ""},
        {"kind": "two words"},
        {"kind": "x" * 81},
        {"region": "mars"},
        {"days": "0"},
        {"days": "-1"},
        {"days": "1.5"},
        {"days": "\u0661"},
        {"days": "36526"},
        {"days": ""},
    ],
)
def test_what_is_no_rule_is_refused(
    given: dict[str, str], people: People, runtime: Runtime
) -> None:
    values: dict[str, Any] = {"what": "evidence", "kind": None, "region": None, "days": "30"}
    by = people.administrator
    with pytest.raises(BadRuleError):
        set_rule(**values | given, note="as the board decided", by=by, runtime=runtime)
    with pytest.raises(BadReasonError):
        set_rule(**values, note="short", by=by, runtime=runtime)
    for other in (people.officer, people.approver):
        with pytest.raises(NotPermittedError):
            set_rule(**values, note="as the board decided", by=other, runtime=runtime)
    assert RetentionRule.objects.count() == 2


INSERT = (
    "INSERT INTO verification_retention_rule (id, what, days, recorded_by_id, recorded_at, note)"
    " VALUES (%s, %s, %s, %s, now() + %s * interval '1 hour', 'by hand')"
)


def test_the_database_refuses_what_the_service_refuses(people: People, root: User) -> None:
    with pytest.raises(IntegrityError, match="retention_days_in_range"):
        execute(INSERT, uuid4(), "record", 1_825, root.pk, 0)
    with pytest.raises(IntegrityError, match="retention_days_in_range"):
        execute(INSERT, uuid4(), "evidence", 0, root.pk, 0)
    with pytest.raises(DatabaseError, match="must be allowed to"):
        execute(INSERT, uuid4(), "evidence", 1, people.officer.pk, 0)
    with pytest.raises(DatabaseError, match="must be allowed to"):
        execute(INSERT, uuid4(), "evidence", 1, None, 0)
    for hours in (-1, 1):
        with pytest.raises(DatabaseError, match="recorded now"):
            execute(INSERT, uuid4(), "evidence", 1, root.pk, hours)
    for statement in (
        "UPDATE verification_retention_rule SET days = 1 WHERE what = 'evidence'",
        "DELETE FROM verification_retention_rule",
        "TRUNCATE verification_retention_rule CASCADE",
    ):
        with pytest.raises(DatabaseError):
            execute(statement)


def test_a_rule_that_the_owner_changed_or_made_shows(
    people: People, root: User, runtime: Runtime
) -> None:
    row = rule(people, runtime, 45)
    seal(runtime)
    with unguarded("verification_retention_rule"):
        execute("UPDATE verification_retention_rule SET days = 1 WHERE id = %s", row.pk)
        execute("UPDATE verification_retention_rule SET days = 2000 WHERE what = 'record'")
        execute(INSERT, uuid4(), "evidence", 1, root.pk, 0)
    found = " / ".join(str(each) for each in verify(runtime=runtime).faults)
    assert f"rule {row.pk} differs from what was recorded: days" in found
    assert found.count("no entry says that it was set") == 2
