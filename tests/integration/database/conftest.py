"""Fixtures of the tests that attack the database itself."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.utils import Error
from pytest_django.plugin import DjangoDbBlocker

from tests.factories import NOON, make_attempt, make_bearer_key, make_evidence, make_session
from tests.integration.database.roles import Login, Roles, grant_again, granted_roles
from tests.owner import unguarded
from tests.reviewing import open_review, step
from verification.ledger.canonical import canonical
from verification.models import (
    ControlResult,
    ControlRun,
    Erasure,
    Expiry,
    Export,
    ExportJob,
    ExportRequest,
    LedgerCheckpoint,
    LedgerCosignature,
    LedgerVerification,
    LegalHold,
    PastRow,
    Price,
    RecordErasure,
    RetentionRule,
    RetentionRun,
    Reveal,
    RightsChange,
    RightsSeal,
    SpentSign,
    SubjectErasure,
    SubjectErasureItem,
    SubjectReport,
)
from verification.services.privileges import Kind
from verification.services.runtime import Runtime
from verification.services.sequencing import tend_log
from verification.services.staging import stage

RESTRICT_VIOLATION = "23001"
"""What the guards raise, and in these tables nothing else does."""


@pytest.fixture
def furnished(db: None, runtime: Runtime) -> None:
    """Put a row into every guarded table."""
    session = make_session()
    attempt = make_attempt("verified", client=session.client, session=session)
    make_evidence(attempt, "image_best")
    make_bearer_key(session.client)
    asking = User.objects.create_superuser("asks")
    Erasure.objects.create(
        id=uuid4(),
        attempt=attempt,
        legal_basis="subject_request",
        reason="asked by letter",
        requested_by=asking,
        requested_at=NOON,
    )
    Reveal.objects.create(
        id=uuid4(),
        attempt=attempt,
        evidence=attempt.evidence.get(),
        kind="image_best",
        officer=asking,
        officer_name="asks",
        purpose="review",
        reason="second look",
        revealed_at=NOON,
    )
    SpentSign.objects.create(
        key=session.client.keys.get(), digest=b"\x07" * 32, spent_at=NOON + timedelta(hours=1)
    )
    chief = User.objects.create_superuser("chief")
    RightsChange.objects.create(
        id=uuid4(),
        account=asking,
        growth="superuser",
        reason="asked by letter",
        requested_by=chief,
        requested_at=NOON,
    )
    RightsSeal.objects.create(sealed_at=NOON)
    ExportRequest.objects.create(
        id=uuid4(),
        filters={},
        rows=1,
        reason="asked by letter",
        requested_by=chief,
        requested_at=NOON,
    )
    export = Export.objects.create(
        id=uuid4(), by=chief, at=datetime.now(UTC), filters={}, rows=0, is_large=False
    )
    ExportJob.objects.create(
        id=export.pk, by=chief, filters={}, form={}, asked_at=datetime.now(UTC)
    )
    Price.objects.create(
        id=uuid4(),
        kind="verify",
        amount=Decimal("0.085"),
        currency="USD",
        valid_from=NOON.date(),
        recorded_by=chief,
        recorded_at=datetime.now(UTC),
        note="by the contract",
    )
    rule = RetentionRule.objects.get(what="evidence")
    run = RetentionRun.objects.create(
        id=uuid4(),
        state="asked",
        preview={},
        reason="the month is over",
        asked_by=chief,
        asked_at=datetime.now(UTC),
    )
    with unguarded("verification_expiry"):
        Expiry.objects.create(attempt=attempt, run=run, rule=rule, expired_at=NOON)
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    LegalHold.objects.create(
        id=uuid4(),
        attempt=attempt,
        reason="the court has asked",
        placed_by=chief,
        placed_at=datetime.now(UTC),
    )
    SubjectReport.objects.create(
        id=uuid4(),
        subject_digest=bytes(32),
        attempts=1,
        sessions=0,
        by=chief,
        by_name="chief",
        reported_at=datetime.now(UTC),
    )
    request = SubjectErasure.objects.create(
        id=uuid4(),
        subject_digest=bytes(32),
        legal_basis="subject_request",
        reason="by letter",
        requested_by=chief,
        requested_at=datetime.now(UTC),
    )
    SubjectErasureItem.objects.create(erasure=request, attempt=attempt)
    judged = make_attempt("verified", policy_version=1, verdict="review", reasons=["in_doubt"])
    open_review(judged)
    step(judged, "noted", asking, "approved")
    with unguarded("verification_past"):
        PastRow.objects.create(attempt_id=judged.pk, send_no=1, said={})
    with unguarded("verification_record_erasure"):
        record = RetentionRule.objects.get(what="record")
        RecordErasure.objects.create(attempt=judged, request=request, rule=record, erased_at=NOON)
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    tend_log(runtime=runtime)
    LedgerCosignature.objects.create(
        checkpoint=LedgerCheckpoint.objects.get(), witness="w", line="x", cosigned_at=NOON
    )
    LedgerVerification.objects.create(
        id=uuid4(), started_at=NOON, finished_at=NOON, size=1, attempts=1, result="held"
    )
    checked = ControlRun.objects.create(
        id=uuid4(),
        started_at=NOON,
        finished_at=NOON,
        origin="worker",
        by_name="worker",
        digest="0" * 64,
        holds=1,
        fails=0,
        unknown=0,
    )
    ControlResult.objects.create(
        id=uuid4(), run=checked, control="guards", state="holds", sentence="All stand.", evidence={}
    )
    stage([canonical({"kind": "test.staged"})])
    # Deferred checks would make TRUNCATE fail for another reason.
    execute("SET CONSTRAINTS ALL IMMEDIATE")


def execute(statement: str, *values: Any) -> None:
    """Run one statement; without values, percent signs are its own."""
    with connection.cursor() as cursor:
        cursor.execute(statement, list(values) if values else None)


def refusal(attack: Callable[[], object]) -> str:
    """Return the SQLSTATE with which an attack ends, and undo it; empty if it is not refused."""
    try:
        with transaction.atomic():
            attack()
            transaction.set_rollback(True)
    except Error as error:
        return str(getattr(error.__cause__, "sqlstate", ""))
    return ""


@pytest.fixture
def scratch(db: None) -> None:
    """Make a schema that attacks fill, gone with the test's transaction."""
    execute("CREATE SCHEMA scratch")


@pytest.fixture(scope="module")
def roles(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Roles]:
    """Make the roles and grant; the grants are set right after each test that changes them."""
    with django_db_blocker.unblock(), granted_roles() as made:
        yield made


@pytest.fixture(params=tuple(Kind))
def login(roles: Roles, request: pytest.FixtureRequest) -> Login:
    """Return each role in turn."""
    return roles[request.param]


@pytest.fixture
def changed(roles: Roles, transactional_db: None) -> Iterator[Roles]:
    """Return the roles for a test that changes their grants."""
    yield roles
    grant_again(roles)


def waits_for_a_lock() -> bool:
    """Return whether some connection waits for another's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])
