"""Scheduled exports: each period once, also after an outage, and only as long as somebody may."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError

from tests.integration.database.conftest import RESTRICT_VIOLATION, refusal
from tests.integration.ledger.lives import seal
from tests.owner import unguarded
from verification.models import Export, ExportJob, ExportRequest
from verification.models.export import Repeats
from verification.selectors.record import AttemptFilter
from verification.services.errors import ExportDecidedError, NotPermittedError
from verification.services.export_files import ExportFolder
from verification.services.export_jobs import start_scheduled
from verification.services.export_schedules import (
    SETTLED_AFTER,
    due_periods,
    period_of,
    start_due_exports,
)
from verification.services.export_work import file_name, work_on_exports
from verification.services.runtime import Runtime
from verification.services.staff_exports import (
    Wanted,
    decide_export,
    end_schedule,
    read_filter,
    request_export,
)
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

JAKARTA, UTC_ZONE, BERLIN = ZoneInfo("Asia/Jakarta"), ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
REASON = "the yearly inspection"


@pytest.mark.parametrize(
    ("repeats", "at", "zone", "start", "end"),
    [
        ("daily", "2026-02-28T23:59:59Z", UTC_ZONE, "2026-02-28T00:00Z", "2026-03-01T00:00Z"),
        ("daily", "2026-02-28T17:00:00Z", JAKARTA, "2026-02-28T17:00Z", "2026-03-01T17:00Z"),
        ("daily", "2026-03-29T10:00:00Z", BERLIN, "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("weekly", "2026-11-22T12:00:00Z", UTC_ZONE, "2026-11-16T00:00Z", "2026-11-23T00:00Z"),
        ("weekly", "2026-11-23T00:00:00Z", UTC_ZONE, "2026-11-23T00:00Z", "2026-11-30T00:00Z"),
        ("monthly", "2026-12-31T23:00:00Z", UTC_ZONE, "2026-12-01T00:00Z", "2027-01-01T00:00Z"),
        ("monthly", "2028-02-29T23:00:00Z", UTC_ZONE, "2028-02-01T00:00Z", "2028-03-01T00:00Z"),
    ],
)
def test_the_period_of_a_moment(
    repeats: str, at: str, zone: ZoneInfo, start: str, end: str
) -> None:
    found = period_of(Repeats(repeats), datetime.fromisoformat(at), zone)
    assert (found.start, found.end) == tuple(map(datetime.fromisoformat, (start, end)))


@pytest.fixture
def auditor() -> User:
    person = User.objects.create_user("anna", is_staff=True)
    person.groups.add(Group.objects.get(name="auditor"))
    return person


Schedule = Callable[..., ExportRequest]


@pytest.fixture
def schedule(auditor: User, runtime: Runtime) -> Schedule:
    """Return a function that has a schedule approved now."""
    boss = User.objects.create_superuser("boss")

    def go(repeats: str = "daily") -> ExportRequest:
        wanted = Wanted(AttemptFilter(), REASON, repeats=repeats)
        row = request_export(wanted=wanted, by=auditor, runtime=runtime)
        return decide_export(request_id=row.pk, approve=True, by=boss, runtime=runtime)

    return go


def test_what_is_due_is_each_period_once(schedule: Schedule, runtime: Runtime) -> None:
    row = schedule()
    assert row.decided_at is not None
    assert not list(due_periods(row, now=row.decided_at + SETTLED_AFTER))
    found = list(due_periods(row, now=row.decided_at + timedelta(days=3) + SETTLED_AFTER))
    assert len(found) == 3
    assert found[0].start <= row.decided_at < found[0].end == found[1].start


@pytest.fixture
def behind(schedule: Schedule, runtime: Runtime) -> ExportRequest:
    """Return a daily schedule of which three periods are over and settled, as the record has it."""
    row = schedule()
    assert row.decided_at is not None
    before = row.decided_at - timedelta(days=3) - SETTLED_AFTER
    with unguarded("verification_export_request"):
        ExportRequest.objects.update(decided_at=before)
    seal(runtime)
    row.refresh_from_db()
    return row


def test_an_outage_of_days_is_made_up_for(
    behind: ExportRequest, runtime: Runtime, tmp_path: Path
) -> None:
    assert [start_due_exports(runtime=runtime) for _ in range(4)] == [1, 1, 1, 0]
    starts = list(ExportJob.objects.order_by("period_start").values_list("period_start", flat=True))
    assert len(set(starts)) == 3
    assert Export.objects.filter(request=behind, is_large=True).count() == 3
    folder = ExportFolder(tmp_path / "exports")
    while work_on_exports(runtime=runtime, folder=folder, places={}):
        pass
    done = ExportJob.objects.select_related("request").order_by("period_start")
    assert [each.state for each in done] == ["done"] * 3
    assert file_name(done[0]).startswith(f"attempts-daily-{starts[0]:%Y-%m-%d}-")


def test_two_workers_make_a_period_once(behind: ExportRequest, runtime: Runtime) -> None:
    start_due_exports(runtime=runtime)
    job = ExportJob.objects.get()
    assert job.period_start is not None
    given = {"period_start": job.period_start, "rows": 0, "runtime": runtime}
    which = read_filter(job.filters)
    with pytest.raises(IntegrityError):
        start_scheduled(behind, which, **given)  # type: ignore[arg-type]
    assert Export.objects.count() == 1


def test_a_period_waits_for_the_log_to_be_past_it(schedule: Schedule, runtime: Runtime) -> None:
    schedule()
    seal(runtime)
    tomorrow = replace(runtime, now=lambda: datetime.now(UTC) + timedelta(days=1, minutes=10))
    assert start_due_exports(runtime=tomorrow) == 0
    assert not Export.objects.exists()


def test_nobody_is_served_who_may_not_any_more(
    behind: ExportRequest, runtime: Runtime, auditor: User
) -> None:
    auditor.groups.clear()
    assert start_due_exports(runtime=runtime) == 0
    which, period = AttemptFilter(), next(due_periods(behind, now=runtime.now()))
    with pytest.raises(IntegrityError):
        start_scheduled(behind, which, period_start=period.start, rows=0, runtime=runtime)
    assert not ExportJob.objects.exists()


def test_it_ends_when_it_is_ended(behind: ExportRequest, runtime: Runtime, auditor: User) -> None:
    stranger = User.objects.create_user("x", is_staff=True)
    with pytest.raises(NotPermittedError):
        end_schedule(request_id=behind.pk, by=stranger, runtime=runtime)
    end_schedule(request_id=behind.pk, by=auditor, runtime=runtime)
    with pytest.raises(ExportDecidedError):
        end_schedule(request_id=behind.pk, by=auditor, runtime=runtime)
    assert start_due_exports(runtime=runtime) == 0
    period = next(due_periods(behind, now=runtime.now()))
    with pytest.raises(IntegrityError):
        start_scheduled(behind, AttemptFilter(), period_start=period.start, rows=0, runtime=runtime)


def test_a_schedule_on_record_holds_and_the_guard_holds_it(
    schedule: Schedule, runtime: Runtime, auditor: User
) -> None:
    row = schedule("monthly")
    rows = ExportRequest.objects.filter(pk=row.pk)
    assert row.expires_at is not None
    too_late = row.expires_at + timedelta(days=1)
    tries: dict[str, Callable[[], object]] = {
        "for longer": lambda: rows.update(expires_at=too_late),
        "more often": lambda: rows.update(repeats="daily"),
        "elsewhere": lambda: rows.update(place="other"),
        "unmasked": lambda: rows.update(form={"is_masked": False}, purpose="audit"),
        "ended by a stranger": lambda: rows.update(
            ended_at=datetime.now(UTC), ended_by=User.objects.create_user("x")
        ),
        "ended and longer": lambda: rows.update(
            ended_at=datetime.now(UTC), ended_by=auditor, expires_at=too_late,
        ),
    }  # fmt: skip
    assert {name: refusal(act) for name, act in tries.items()} == dict.fromkeys(
        tries, RESTRICT_VIOLATION
    )
    end_schedule(request_id=row.pk, by=auditor, runtime=runtime)
    again = {"begun again": lambda: rows.update(ended_at=None, ended_by=None)}
    assert {name: refusal(act) for name, act in again.items()} == dict.fromkeys(
        again, RESTRICT_VIOLATION
    )
    seal(runtime)
    assert verify(runtime=runtime).faults == ()
    with unguarded("verification_export_request"):
        rows.update(repeats="weekly")
    assert any("repeats" in each.sentence for each in verify(runtime=runtime).faults)
