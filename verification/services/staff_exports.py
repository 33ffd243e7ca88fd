"""Exports that staff take: small masked ones at once, others after a second person has agreed.

The database checks again who may and who has agreed (migrations 0018 and 0029). It cannot know how
many attempts a file holds, nor stop who reads the tables themselves. No request, export or file on
record holds a text about a person: a list that was narrowed by one is named by a keyed digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.db.models import Sum
from django.utils.translation import gettext_noop as _

from verification.identifiers import uuid7
from verification.lifecycle import State
from verification.models import Export, ExportRequest, LedgerCheckpoint
from verification.models.export import LARGE_EXPORT, ExportDecision, Repeats
from verification.models.reveal import Purpose
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Verdict
from verification.selectors.listing import Count, count_up_to
from verification.selectors.record import AttemptFilter, whole_attempts
from verification.services.errors import (
    ExportDecidedError,
    ExportFilterError,
    ExportFormError,
    ExportPendingError,
    FourEyesError,
    LargeExportError,
    NotPermittedError,
    UnknownExportError,
    UnmaskedExportError,
)
from verification.services.export_entries import decided_entry, ended_entry, requested_entry
from verification.services.export_shape import (
    MASKED,
    Shape,
    check_shape,
    read_shape,
    write_shape,
)
from verification.services.exporting import POLLS, ExportRecord, Keep, no_more, record_export
from verification.services.reasons import check_permission, read_reason
from verification.services.runtime import Runtime
from verification.services.staging import stage
from verification.vault.digest import keyed_digest

COUNTED = 100_000
"""So far attempts are counted for who decides."""

GOOD_FOR = timedelta(hours=24)
SCHEDULED_FOR = timedelta(days=366)
"""After a year somebody must want it still."""

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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks a second person for; `purpose` is one of Purpose, if it is unmasked."""

    which: AttemptFilter
    reason: str
    shape: Shape = MASKED
    purpose: str | None = None
    repeats: str | None = None
    place: str | None = None


def request_export(*, wanted: Wanted, by: AbstractUser, runtime: Runtime) -> ExportRequest:
    """Ask to take a large or unmasked export; attempts that come later are not in it.

    One that repeats is made by the worker, of each period that ends after it was approved.
    Raises NotPermittedError, BadReasonError, ExportFormError, ExportFilterError,
    UnprovableExportError, and ExportPendingError if the same waits already.
    """
    check_permission(by, "export_attempts")
    said = read_reason(wanted.reason)
    _check_wanted(wanted, runtime)
    now = runtime.now()
    which = _undated(wanted.which) if wanted.repeats else close_filter(wanted.which, now)
    filters, form = write_filter(which), write_shape(wanted.shape)
    count = size_of(which, cap=COUNTED)
    with transaction.atomic():
        open_ones = ExportRequest.objects.filter(
            requested_by_id=by.pk, decision=None, form=form, repeats=wanted.repeats
        )
        if any(_same_but_for_end(each.filters, filters) for each in open_ones):
            raise ExportPendingError(_("You have asked for this: it waits for its decision."))
        row = ExportRequest.objects.create(
            id=uuid7(now),
            filters=filters,
            form=form,
            purpose=wanted.purpose,
            repeats=wanted.repeats,
            place=wanted.place,
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


def end_schedule(*, request_id: UUID, by: AbstractUser, runtime: Runtime) -> ExportRequest:
    """Let a scheduled export come no more; what was made stays until it expires.

    Who asked may, and who may decide. Raises NotPermittedError, UnknownExportError,
    ExportDecidedError if nothing is to be ended.
    """
    with transaction.atomic():
        row = ExportRequest.objects.select_for_update(of=("self",)).filter(pk=request_id).first()
        if row is None:
            raise UnknownExportError(_("There is no such request."))
        check_permission(by, "export_attempts" if row.requested_by_id == by.pk else "decide_export")
        if not row.repeats or row.decision != ExportDecision.APPROVED or row.ended_at:
            raise ExportDecidedError(_("There is nothing to end."))
        row.ended_by_id, row.ended_at = by.pk, runtime.now()
        row.save(update_fields=["ended_by", "ended_at"])
        stage([ended_entry(row, by=by.get_username())])
    return row


def record_small_export(
    *,
    which: AttemptFilter,
    by: AbstractUser,
    runtime: Runtime,
    shape: Shape = MASKED,
    as_of: LedgerCheckpoint | None = None,
    also: Keep = no_more,
    polls: int = POLLS,
    most: int = LARGE_EXPORT,
) -> tuple[ExportRecord, AttemptFilter]:
    """Put an export on record that needs nobody else; return what is to be written.

    `also` stores what belongs to it in the same transaction; `polls` as in `record_export`. Raises
    NotPermittedError, UnmaskedExportError, ExportFormError, UnprovableExportError, and
    LargeExportError for more than `most` attempts, together with what the person has exported in
    the 24 hours before.
    """
    check_permission(by, "export_attempts")
    if not shape.is_masked:
        raise UnmaskedExportError(_("Unmasked data leaves only if a second person agrees."))
    check_shape(shape, which)
    closed = close_filter(which, runtime.now())
    count = size_of(closed, cap=most)

    def keep(export: UUID, at: datetime) -> None:
        _wait_for_own(by)
        if count.is_capped or count.number > most - exported_alone(by, at=at):
            raise LargeExportError(_("So many attempts leave only if a second person agrees."))
        Export.objects.create(
            id=export,
            by_id=by.pk,
            at=at,
            filters=_nameless(closed, runtime),
            form=write_shape(shape),
            rows=count.number,
            is_large=False,
        )
        also(export, at)

    what = _What(closed, shape, count.number, as_of, polls)
    return _record(what, by, runtime, keep), closed


def exported_alone(by: AbstractUser, *, at: datetime) -> int:
    """Return how many attempts a person has exported in 24 hours without a second one."""
    small = Export.objects.filter(by_id=by.pk, is_large=False, at__gt=at - ALONE_IN)
    return int(small.aggregate(rows=Sum("rows", default=0))["rows"])


def find_approved(*, request_id: UUID, by: AbstractUser, runtime: Runtime) -> ExportRequest:
    """Return a request that its owner may take now: approved, not expired, not a schedule.

    Raises NotPermittedError, UnknownExportError, ExportDecidedError.
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
    if row.repeats:
        raise ExportDecidedError(_("It is made by itself, of each period that has ended."))
    return row


def record_large_export(
    *,
    request_id: UUID,
    by: AbstractUser,
    runtime: Runtime,
    as_of: LedgerCheckpoint | None = None,
    also: Keep = no_more,
    polls: int = POLLS,
) -> tuple[ExportRecord, AttemptFilter, Shape]:
    """Put an export on record that somebody has agreed to; as often as wanted, for a day.

    `also` and `polls` as in `record_small_export`; errors as in `find_approved`.
    """
    row = find_approved(request_id=request_id, by=by, runtime=runtime)
    which, shape = read_filter(row.filters), read_shape(row.form)
    record = record_agreed(
        row, which, rows=row.rows, as_of=as_of, also=also, polls=polls, runtime=runtime
    )
    return record, which, shape


def record_agreed(
    row: ExportRequest,
    which: AttemptFilter,
    *,
    rows: int,
    as_of: LedgerCheckpoint | None,
    also: Keep,
    polls: int,
    runtime: Runtime,
) -> ExportRecord:
    """Put an export on record that stands on a request; the database checks that it may."""

    def keep(export: UUID, at: datetime) -> None:
        Export.objects.create(
            id=export,
            by_id=row.requested_by_id,
            at=at,
            filters=write_filter(which),
            form=row.form,
            rows=rows,
            is_large=True,
            request=row,
        )
        also(export, at)

    what = _What(which, read_shape(row.form), rows, as_of, polls)
    return _record(what, row.requested_by, runtime, keep, request=row.pk)


@dataclass(frozen=True, slots=True)
class _What:
    which: AttemptFilter
    shape: Shape
    rows: int
    as_of: LedgerCheckpoint | None
    polls: int


def _record(
    what: _What, by: AbstractUser, runtime: Runtime, keep: Keep, *, request: UUID | None = None
) -> ExportRecord:
    """Commit the entry, and the row that `keep` makes, together."""
    return record_export(
        by=by.get_username(),
        interface="admin",
        client_id=None,
        query=what.which,
        form=what.shape.form,
        as_of=what.as_of,
        runtime=runtime,
        request=request,
        rows=what.rows,
        keep=keep,
        polls=what.polls,
    )


def _check_wanted(wanted: Wanted, runtime: Runtime) -> None:
    """Refuse what could not be kept, or not be made."""
    check_kept(wanted.which)
    if not wanted.shape.is_masked and wanted.purpose not in Purpose.values:
        raise ExportFormError(_("Choose what unmasked data is for."))
    if wanted.repeats is not None and wanted.repeats not in Repeats.values:
        raise ExportFormError(_("Choose how often."))
    if wanted.place is not None and wanted.place not in runtime.conf.export_places:
        raise ExportFormError(_("There is no place of that name."))
    check_shape(wanted.shape, wanted.which)


def check_kept(which: AttemptFilter) -> None:
    """Raise ExportFilterError for what may not be kept until later."""
    if which.identifier is not None:
        raise ExportFilterError(
            _("A text about a person is not kept with a request: narrow the list in another way.")
        )


def _nameless(which: AttemptFilter, runtime: Runtime) -> dict[str, object]:
    """Return a filter as it is stored with an export, without the text about a person."""
    stored = write_filter(which)
    if which.identifier is not None:
        digest = keyed_digest(runtime.conf.digest_key, f"export:{which.identifier}")
        stored["identifier"] = digest.hex()
    return stored


def _undated(which: AttemptFilter) -> AttemptFilter:
    return replace(which, created_from=None, created_before=None)


def _wait_for_own(by: AbstractUser) -> None:
    """Let another export of the same person at the same moment be counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('verification.export', %s))", [by.pk]
        )


def close_filter(which: AttemptFilter, now: datetime) -> AttemptFilter:
    """Return the filter with an end: what comes later is not what was asked for."""
    end = min(which.created_before, now) if which.created_before else now
    return replace(which, created_before=end)


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
    good_for = SCHEDULED_FOR if row.repeats else GOOD_FOR
    row.expires_at = now + good_for if decision == ExportDecision.APPROVED else None
    row.save(update_fields=["decision", "decided_by", "decided_at", "expires_at"])
    stage([decided_entry(row, by=by.get_username())])
