"""What one person did where two are due is counted in every table that knows two."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from tests.factories import NOON, make_attempt
from tests.integration.controls.breaking import House, alone, ask_for_erasure
from tests.integration.database.conftest import execute
from tests.reviewing import open_review, propose
from verification.models import ExportRequest, LegalHold, RetentionRun, ReviewPolicy, RightsChange
from verification.selectors.controls import ALONE
from verification.services.controls import run_checks

pytestmark = pytest.mark.django_db

OWN = "decided_by_id = {who}, decided_at = now()"


def drop_checks(table: str) -> None:
    """Take away every CHECK of a table, as its owner can."""
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute(
        "DO $$ DECLARE c name; BEGIN FOR c IN SELECT conname FROM pg_constraint "
        f"WHERE conrelid = '{table}'::regclass AND contype = 'c' "
        f"LOOP EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', c); END LOOP; END $$"
    )


def review() -> str:
    attempt = make_attempt("verified", policy_version=1, verdict="review", reasons=["in_doubt"])
    open_review(attempt, needs_second=True)
    propose(attempt, "approved")
    return f"UPDATE verification_review SET state = 'decided', {OWN.format(who='proposed_by_id')}"


def erasure() -> str:
    ask_for_erasure(None)  # type: ignore[arg-type] # it needs none
    who = OWN.format(who="requested_by_id")
    return f"UPDATE verification_erasure SET decision = 'refused', {who}"


def export() -> str:
    by = User.objects.create_superuser("chief")
    ExportRequest.objects.create(
        id=uuid4(), filters={}, rows=1, reason="asked", requested_by=by, requested_at=NOON
    )
    who = OWN.format(who="requested_by_id")
    return f"UPDATE verification_export_request SET decision = 'refused', {who}"


def policy() -> str:
    by = User.objects.create_superuser("chief")
    first = ReviewPolicy.objects.get()
    ReviewPolicy.objects.create(
        version=2,
        document=first.document,
        note="the same",
        state="proposed",
        proposed_by=by,
        proposed_at=NOON,
    )
    who = OWN.format(who="proposed_by_id")
    return f"UPDATE verification_review_policy SET state = 'refused', {who} WHERE version = 2"


def rights() -> str:
    by = User.objects.create_superuser("chief")
    RightsChange.objects.create(
        id=uuid4(),
        account=User.objects.create_user("ines"),
        growth="superuser",
        reason="asked",
        requested_by=by,
        requested_at=NOON,
    )
    who = OWN.format(who="requested_by_id")
    return f"UPDATE verification_rights_change SET decision = 'refused', {who}"


def run() -> str:
    RetentionRun.objects.create(
        id=uuid4(),
        state="asked",
        preview={},
        reason="asked",
        asked_by=User.objects.create_superuser("asks"),
        asked_at=datetime.now(UTC),
    )
    who = OWN.format(who="asked_by_id")
    return f"UPDATE verification_retention_run SET state = 'approved', {who}"


def hold() -> str:
    LegalHold.objects.create(
        id=uuid4(),
        attempt=make_attempt("verified"),
        reason="asked",
        placed_by=User.objects.create_superuser("holds"),
        placed_at=datetime.now(UTC),
    )
    return (
        "UPDATE verification_legal_hold SET lifted_by_id = placed_by_id, lifted_at = now(),"
        " lift_reason = 'asked'"
    )


DEEDS: dict[str, Callable[[], str]] = {
    "reviews": review,
    "erasures": erasure,
    "exports": export,
    "policies": policy,
    "rights": rights,
    "runs": run,
    "holds": hold,
}


@pytest.mark.parametrize("what", ALONE)
def test_one_person_alone_is_counted(house: House, what: str) -> None:
    deed = DEEDS[what]()
    assert run_checks(runtime=house.runtime, only=["four_eyes"])["four_eyes"].state == "holds"
    drop_checks(ALONE[what].split()[0])
    alone(deed)
    found = run_checks(runtime=house.runtime, only=["four_eyes"])["four_eyes"]
    assert found.state == "fails"
    assert f"{what}: 1" in found.sentence
