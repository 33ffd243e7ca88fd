"""Exports that staff take: small ones at once, large ones after a second person has agreed.

The database checks again who may and who has agreed (migration 0018). It cannot know how many
attempts a file holds, nor stop who reads the tables themselves.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.db.models import Sum
from django.utils.translation import gettext_noop as _

from verification.identifiers import uuid7
from verification.lifecycle import State
from verification.models import Export, ExportRequest
from verification.models.export import LARGE_EXPORT, ExportDecision
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Verdict
from verification.selectors.listing import Count, count_up_to
from verification.selectors.record import AttemptFilter, whole_attempts
from verification.services.errors import (
    ExportDecidedError,
    ExportPendingError,
    FourEyesError,
    LargeExportError,
    NotPermittedError,
    UnknownExportError,
)
from verification.services.export_entries import decided_entry, requested_entry
from verification.services.exporting import ExportRecord, Keep, record_export
from verification.services.reasons import check_permission, read_reason
from verification.services.runtime import Runtime
from verification.services.staging import stage

COUNTED = 100_000
"""So far attempts are counted for who decides."""

GOOD_FOR = timedelta(hours=24)
ALONE_IN = timedelta(hours=24)

DECIDED: Mapping[ExportDecision, str] = {
    ExportDecision.APPROVED: _("The request was approved before."),
    ExportDecision.REFUSED: _("The request was refused before."),
    ExportDecision.WITHDRAWN: _("The request was taken back before."),
}

READERS: Mapping[str, object] = {
    "identifier": str,
    "state": State,
    "outcome": Outcome,
    "verdict": Verdict,
    "decision": Decision,
    "is_attack": bool,
    "error_code": str,
    "client_id": UUID,
    "region": str,
    "created_from": datetime.fromisoformat,
    "created_before": datetime.fromisoformat,
}


def size_of(which: AttemptFilter, *, cap: int = LARGE_EXPORT) -> Count:
    """Return how many attempts an export would hold, counted up to a cap."""
    return count_up_to(whole_attempts(which), cap)


def write_filter(which: AttemptFilter) -> dict[str, object]:
    """Return a filter as it is stored."""
    given = {each.name: getattr(which, each.name) for each in fields(which)}
    return {name: _plain(value) for name, value in given.items() if value is not None}


def read_filter(stored: Mapping[str, object]) -> AttemptFilter:
    """Return the filter that `write_filter` stored; KeyError, ValueError for anything else."""
    return AttemptFilter(**{name: READERS[name](value) for name, value in stored.items()})  # type: ignore[operator]


def request_export(
    *, which: AttemptFilter, reason: str, by: AbstractUser, runtime: Runtime
) -> ExportRequest:
    """Ask to take a large export; attempts that come later are not in it.

    Raises NotPermittedError, BadReasonError, and ExportPendingError if the same waits already.
    """
    check_permission(by, "export_attempts")
    said = read_reason(reason)
    now = runtime.now()
    filters = write_filter(_closed(which, now))
    count = size_of(read_filter(filters), cap=COUNTED)
    with transaction.atomic():
        open_ones = ExportRequest.objects.filter(requested_by_id=by.pk, decision=None)
        if any(_same_but_for_end(each.filters, filters) for each in open_ones):
            raise ExportPendingError(_("You have asked for this: it waits for its decision."))
        row = ExportRequest.objects.create(
            id=uuid7(now),
            filters=filters,
            rows=count.number,
            reason=said,
            requested_by_id=by.pk,
            requested_at=now,
        )
        stage([requested_entry(row, by=by.get_username())])
    return row


def decide_export(
    *, request_id: UUID, approve: bool, by: AbstractUser, runtime: Runtime
) -> ExportRequest:
    """Let somebody take a large export for a day, or refuse it.

    Raises NotPermittedError, UnknownExportError, FourEyesError, ExportDecidedError.
    """
    check_permission(by, "decide_export")
    with transaction.atomic():
        row = _lock_open(request_id)
        if row.requested_by_id == by.pk:
            raise FourEyesError(_("You asked for this export: somebody else must decide."))
        _decide(row, ExportDecision.APPROVED if approve else ExportDecision.REFUSED, by, runtime)
    return row


def withdraw_export(*, request_id: UUID, by: AbstractUser, runtime: Runtime) -> ExportRequest:
    """Take one's own request back; errors as in `decide_export`."""
    check_permission(by, "export_attempts")
    with transaction.atomic():
        row = _lock_open(request_id)
        if row.requested_by_id != by.pk:
            raise NotPermittedError(_("Only who asked can take it back."))
        _decide(row, ExportDecision.WITHDRAWN, by, runtime)
    return row


def record_small_export(
    *, which: AttemptFilter, by: AbstractUser, runtime: Runtime, most: int = LARGE_EXPORT
) -> tuple[ExportRecord, AttemptFilter]:
    """Put an export on record that needs nobody else; return what is to be written.

    Raises NotPermittedError, and LargeExportError for more than `most` attempts, together with
    what the person has exported in the 24 hours before.
    """
    check_permission(by, "export_attempts")
    closed = _closed(which, runtime.now())
    count = size_of(closed, cap=most)

    def keep(export: UUID, at: datetime) -> None:
        _wait_for_own(by)
        if count.is_capped or count.number > most - exported_alone(by, at=at):
            raise LargeExportError(_("So many attempts leave only if a second person agrees."))
        Export.objects.create(
            id=export,
            by_id=by.pk,
            at=at,
            filters=write_filter(closed),
            rows=count.number,
            is_large=False,
        )

    return _record(closed, count.number, by, runtime, keep), closed


def exported_alone(by: AbstractUser, *, at: datetime) -> int:
    """Return how many attempts a person has exported in 24 hours without a second one."""
    small = Export.objects.filter(by_id=by.pk, is_large=False, at__gt=at - ALONE_IN)
    return int(small.aggregate(rows=Sum("rows", default=0))["rows"])


def record_large_export(
    *, request_id: UUID, by: AbstractUser, runtime: Runtime
) -> tuple[ExportRecord, AttemptFilter]:
    """Put an export on record that somebody has agreed to; as often as wanted, for a day.

    Raises NotPermittedError, UnknownExportError, and ExportDecidedError unless it is approved and
    not expired.
    """
    check_permission(by, "export_attempts")
    row = ExportRequest.objects.filter(pk=request_id).first()
    if row is None:
        raise UnknownExportError(_("There is no such request."))
    if row.requested_by_id != by.pk:
        raise NotPermittedError(_("Only who asked can take this export."))
    if row.decision != ExportDecision.APPROVED or row.expires_at is None:
        raise ExportDecidedError(_("Nobody has agreed to this export."))
    if row.expires_at <= runtime.now():
        raise ExportDecidedError(_("The approval has expired: ask anew."))
    which = read_filter(row.filters)

    def keep(export: UUID, at: datetime) -> None:
        Export.objects.create(
            id=export,
            by_id=by.pk,
            at=at,
            filters=row.filters,
            rows=row.rows,
            is_large=True,
            request=row,
        )

    return _record(which, row.rows, by, runtime, keep, request=row.pk), which


def _record(
    which: AttemptFilter,
    rows: int,
    by: AbstractUser,
    runtime: Runtime,
    keep: Keep,
    *,
    request: UUID | None = None,
) -> ExportRecord:
    """Commit the entry, and the row that `keep` makes, together."""
    return record_export(
        by=by.get_username(),
        interface="admin",
        client_id=None,
        query=which,
        runtime=runtime,
        request=request,
        rows=rows,
        keep=keep,
    )


def _wait_for_own(by: AbstractUser) -> None:
    """Let another export of the same person at the same moment be counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('verification.export', %s))", [by.pk]
        )


def _closed(which: AttemptFilter, now: datetime) -> AttemptFilter:
    """Return the filter with an end: what comes later is not what was asked for."""
    end = min(which.created_before, now) if which.created_before else now
    given = {each.name: getattr(which, each.name) for each in fields(which)}
    return AttemptFilter(**{**given, "created_before": end})


def _same_but_for_end(one: Mapping[str, object], two: Mapping[str, object]) -> bool:
    return {**one, "created_before": None} == {**two, "created_before": None}


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case bool():
            return value
        case Enum():
            return str(value.value)
        case _:
            return str(value)


def _lock_open(request_id: UUID) -> ExportRequest:
    row = ExportRequest.objects.select_for_update(of=("self",)).filter(pk=request_id).first()
    if row is None:
        raise UnknownExportError(_("There is no such request."))
    if row.decision is not None:
        raise ExportDecidedError(DECIDED[ExportDecision(row.decision)])
    return row


def _decide(
    row: ExportRequest, decision: ExportDecision, by: AbstractUser, runtime: Runtime
) -> None:
    now = runtime.now()
    row.decision, row.decided_by_id, row.decided_at = decision.value, by.pk, now
    row.expires_at = now + GOOD_FOR if decision == ExportDecision.APPROVED else None
    row.save(update_fields=["decision", "decided_by", "decided_at", "expires_at"])
    stage([decided_entry(row, by=by.get_username())])
