"""Small exports leave at once and on record; large ones only as a second person has agreed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection, transaction

from tests.factories import make_attempt
from tests.integration.database.conftest import RESTRICT_VIOLATION, refusal
from tests.integration.ledger.lives import seal
from tests.owner import unguarded, watched
from verification.ledger.canonical import parse
from verification.lifecycle import State
from verification.models import Export, ExportRequest, StagedEntry
from verification.models.export import LARGE_EXPORT
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Verdict
from verification.selectors.record import AttemptFilter
from verification.services.errors import (
    BadReasonError,
    ExportDecidedError,
    ExportPendingError,
    FourEyesError,
    LargeExportError,
    NotPermittedError,
    UnknownExportError,
)
from verification.services.faults import FaultCode
from verification.services.runtime import Runtime
from verification.services.staff_exports import (
    Wanted,
    decide_export,
    exported_alone,
    read_filter,
    record_large_export,
    record_small_export,
    request_export,
    withdraw_export,
    write_filter,
)
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

REASON = "the yearly inspection"


@pytest.fixture
def people() -> dict[str, User]:
    """Return an auditor, an approver, another auditor, an officer and a superuser."""
    roles = {"audits": "auditor", "decides": "approver", "other": "auditor", "works": "officer"}
    made = {}
    for name, role in roles.items():
        made[name] = User.objects.create_user(name, is_staff=True)
        made[name].groups.add(Group.objects.get(name=role))
    made["root"] = User.objects.create_superuser("root")
    return made


@pytest.fixture
def ask(people: dict[str, User], runtime: Runtime) -> Callable[..., ExportRequest]:
    """Return a function that asks for all attempts."""

    def go(**given: Any) -> ExportRequest:
        by = given.pop("by", people["audits"])
        wanted = Wanted(**{"which": AttemptFilter(), "reason": REASON, **given})
        return request_export(wanted=wanted, by=by, runtime=runtime)

    return go


def entries(kind: str) -> list[dict[str, Any]]:
    """Return the staged entries of a kind."""
    said = [parse(bytes(each.raw)) for each in StagedEntry.objects.order_by("no")]
    return [each for each in said if each["kind"] == kind]


def test_a_filter_comes_back_as_it_was_stored() -> None:
    whole = AttemptFilter(
        identifier="ONB-1",
        state=State.ANSWERED,
        outcome=Outcome.VERIFIED,
        verdict=Verdict.REVIEW,
        decision=Decision.APPROVED,
        is_attack=False,
        error_code="read_timeout",
        client_id=uuid4(),
        region="sgp",
        created_from=datetime(2026, 1, 1, tzinfo=UTC),
        created_before=datetime(2026, 2, 1, 1, 2, 3, 4, tzinfo=UTC),
    )
    assert None not in astuple(whole)
    assert read_filter(write_filter(whole)) == whole
    assert read_filter(write_filter(AttemptFilter())) == AttemptFilter()
    with pytest.raises(KeyError):
        read_filter({"subject__startswith": "a"})


def test_a_small_one_is_on_record_and_ends_now(people: dict[str, User], runtime: Runtime) -> None:
    make_attempt("verified")
    record, which = record_small_export(
        which=AttemptFilter(identifier="ONB-1"), by=people["audits"], runtime=runtime
    )
    assert which.created_before is not None
    assert which.created_before <= datetime.now(UTC)
    (entry,) = entries("export.created")
    assert (entry["export"], entry["by"], entry["interface"], entry["request"]) == (
        *(str(record.id), "audits", "admin"),
        None,
    )
    assert entry["filters"]["identifier"] is None
    assert Export.objects.get().by == people["audits"]


def test_who_may_not(people: dict[str, User], runtime: Runtime, ask: Callable[..., Any]) -> None:
    with pytest.raises(NotPermittedError):
        record_small_export(which=AttemptFilter(), by=people["works"], runtime=runtime)
    with pytest.raises(NotPermittedError):
        ask(by=people["works"])
    with pytest.raises(BadReasonError):
        ask(reason="x")
    row = ask()
    for name, error in (("audits", NotPermittedError), ("works", NotPermittedError)):
        with pytest.raises(error):
            decide_export(request_id=row.pk, approve=True, by=people[name], runtime=runtime)
    mine = ask(by=people["root"])
    with pytest.raises(FourEyesError):
        decide_export(request_id=mine.pk, approve=True, by=people["root"], runtime=runtime)
    with pytest.raises(UnknownExportError):
        decide_export(request_id=uuid4(), approve=True, by=people["decides"], runtime=runtime)
    with pytest.raises(ExportPendingError):
        ask()
    withdraw_export(request_id=row.pk, by=people["audits"], runtime=runtime)
    ask()


def test_a_large_one_takes_two_people_and_is_good_for_a_day(
    people: dict[str, User], runtime: Runtime, ask: Callable[..., ExportRequest]
) -> None:
    for _ in range(2):
        make_attempt("verified")
    with pytest.raises(LargeExportError):
        record_small_export(which=AttemptFilter(), by=people["audits"], runtime=runtime, most=1)
    row = ask()
    take = {"request_id": row.pk, "runtime": runtime}
    with pytest.raises(ExportDecidedError):
        record_large_export(by=people["audits"], **take)  # type: ignore[arg-type]
    decide_export(approve=True, by=people["decides"], **take)  # type: ignore[arg-type]
    with pytest.raises(ExportDecidedError):
        decide_export(approve=False, by=people["root"], **take)  # type: ignore[arg-type]
    with pytest.raises(NotPermittedError):
        record_large_export(by=people["other"], **take)  # type: ignore[arg-type]
    for _ in range(2):
        record_large_export(by=people["audits"], **take)  # type: ignore[arg-type]
    assert [each["request"] for each in entries("export.created")] == [str(row.pk)] * 2
    later = Runtime(runtime.conf, runtime.upstream, lambda: datetime.now(UTC) + timedelta(hours=25))
    with pytest.raises(ExportDecidedError, match="expired"):
        record_large_export(request_id=row.pk, by=people["audits"], runtime=later)


@pytest.fixture
def approved(
    people: dict[str, User], runtime: Runtime, ask: Callable[..., ExportRequest]
) -> ExportRequest:
    """Return a request that was approved, by which an export was taken."""
    row = ask()
    decide_export(request_id=row.pk, approve=True, by=people["decides"], runtime=runtime)
    record_large_export(request_id=row.pk, by=people["audits"], runtime=runtime)
    row.refresh_from_db()
    return row


def put(row: ExportRequest, **other: Any) -> Callable[[], object]:
    """Return how an export is put on record behind the services' back."""
    given = {
        "id": uuid4(), "by": row.requested_by, "at": datetime.now(UTC), "filters": row.filters,
        "is_large": True, "request": row, "rows": row.rows, "form": row.form, **other,
    }  # fmt: skip
    return lambda: Export.objects.create(**given)


def test_the_database_refuses_what_nobody_agreed_to(
    approved: ExportRequest, people: dict[str, User], ask: Callable[..., ExportRequest]
) -> None:
    waiting = ask(which=AttemptFilter(region="sgp"))
    assert approved.decided_at is not None
    tries = {
        "another person": put(approved, by=people["other"]),
        "another filter": put(approved, filters={}),
        "an open request": put(waiting),
        "before it was agreed": put(approved, at=approved.decided_at - timedelta(seconds=1)),
        "after a day": put(approved, at=datetime.now(UTC) + timedelta(hours=25)),
        "no right at all": put(approved, by=people["works"], is_large=False, request=None),
        "edited": lambda: Export.objects.update(is_large=False),
        "deleted": lambda: Export.objects.all().delete(),
        "another question": lambda: ExportRequest.objects.update(filters={}),
        "decided again": lambda: ExportRequest.objects.filter(pk=approved.pk).update(rows=1),
        "a longer day": lambda: ExportRequest.objects.filter(pk=approved.pk).update(
            expires_at=datetime.now(UTC) + timedelta(days=9)
        ),
        "request deleted": lambda: ExportRequest.objects.filter(pk=waiting.pk).delete(),
        "decided by who may not": lambda: ExportRequest.objects.filter(pk=waiting.pk).update(
            decision="approved",
            decided_by=people["works"],
            decided_at=datetime.now(UTC),
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        ),
        "for two days": lambda: ExportRequest.objects.filter(pk=waiting.pk).update(
            decision="approved",
            decided_by=people["decides"],
            decided_at=datetime.now(UTC),
            expires_at=datetime.now(UTC) + timedelta(hours=48),
        ),
        "from tomorrow on": lambda: ExportRequest.objects.filter(pk=waiting.pk).update(
            decision="approved",
            decided_by=people["decides"],
            decided_at=datetime.now(UTC) + timedelta(hours=24),
            expires_at=datetime.now(UTC) + timedelta(hours=48),
        ),
        "decided by oneself": lambda: ExportRequest.objects.filter(pk=waiting.pk).update(
            decision="approved",
            decided_by=people["audits"],
            decided_at=datetime.now(UTC),
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        ),
    }
    assert {name: refusal(act) for name, act in tries.items()} == dict.fromkeys(
        tries, RESTRICT_VIOLATION
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        put(approved, request=None, is_large=True)()
    put(approved)()


def test_many_small_ones_in_a_day_are_a_large_one(
    people: dict[str, User], runtime: Runtime, approved: ExportRequest
) -> None:
    for _ in range(3):
        make_attempt("verified")
    take = {"which": AttemptFilter(), "runtime": runtime, "most": 7}
    for _ in range(2):
        record_small_export(by=people["audits"], **take)  # type: ignore[arg-type]
    with pytest.raises(LargeExportError):
        record_small_export(by=people["audits"], **take)  # type: ignore[arg-type]
    record_small_export(by=people["other"], **take)  # type: ignore[arg-type]
    # The large one was agreed to, and is not held against who took it.
    assert exported_alone(people["audits"], at=datetime.now(UTC)) == 6
    assert len(entries("export.created")) == 4
    tomorrow = datetime.now(UTC) + timedelta(hours=24, seconds=1)
    assert exported_alone(people["audits"], at=tomorrow) == 0

    alone = {"is_large": False, "request": None}
    tries = {
        "too many together": put(approved, **alone, rows=LARGE_EXPORT - 5),
        "of yesterday": put(approved, **alone, rows=1, at=tomorrow - timedelta(days=2)),
        "of tomorrow": put(approved, **alone, rows=1, at=tomorrow),
    }
    assert {name: refusal(act) for name, act in tries.items()} == dict.fromkeys(
        tries, RESTRICT_VIOLATION
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        put(approved, **alone, rows=LARGE_EXPORT + 1, by=people["root"])()
    put(approved, **alone, rows=LARGE_EXPORT - 6)()


def test_two_at_the_same_moment_count_each_other(people: dict[str, User], runtime: Runtime) -> None:
    for _ in range(3):
        make_attempt("verified")

    def take(_: int) -> bool:
        try:
            record_small_export(which=AttemptFilter(), by=people["audits"], runtime=runtime, most=7)
        except LargeExportError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(take, range(6))) == 2
    assert Export.objects.count() == len(entries("export.created")) == 2


EDITS = {
    "another filter": ("UPDATE verification_export_request SET filters = '{{}}'", "filters"),
    "another reason": ("UPDATE verification_export_request SET reason = 'x'", "reason"),
    "a later end": (
        "UPDATE verification_export_request SET expires_at = expires_at + interval '1 d'",
        "expires",
    ),
    "another who decided": (
        "UPDATE verification_export_request SET decided_by_id = {root}",
        "decided_by",
    ),
    "an export gone": ("DELETE FROM verification_export", "is gone"),
    "an export slipped in": (
        (
            "INSERT INTO verification_export"
            " (id, at, filters, form, rows, is_large, by_id, request_id)"
            " SELECT gen_random_uuid(), at, filters, form, rows, is_large, by_id, request_id"
            " FROM verification_export"
        ),
        "in no entry",
    ),
    "an export of another time": (
        "UPDATE verification_export SET at = at - interval '1 s'",
        "differs",
    ),
    "an export of fewer": ("UPDATE verification_export SET rows = rows + 1", "differs"),
    "a request gone": (
        "DELETE FROM verification_export; DELETE FROM verification_export_request",
        "is gone",
    ),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_record_is_named(
    what: str, approved: ExportRequest, people: dict[str, User], runtime: Runtime
) -> None:
    seal(runtime)
    assert verify(runtime=runtime).faults == ()
    statement, word = EDITS[what]
    with unguarded(), unguarded(*watched()), connection.cursor() as cursor:
        cursor.execute(statement.format(root=people["root"].pk))
    found = verify(runtime=runtime).faults
    assert {each.code for each in found} == {FaultCode.REGISTER}
    assert word in found[0].sentence
