"""Exports as files: ask for one, cancel it, be handed it. The worker writes it (`export_work`).

Each is an export on record before its first byte, and each time that the file is handed out is an
entry of its own.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.utils.translation import gettext_noop as _

from verification.models import ApiClient, Export, ExportJob, ExportRequest, LedgerCheckpoint
from verification.models.export_job import OPEN, JobState
from verification.selectors.as_of import newest_repeatable
from verification.selectors.export_jobs import Owner, jobs_of, unseen_jobs
from verification.selectors.record import AttemptFilter
from verification.services.errors import (
    ExportStateError,
    TooManyExportsError,
    UnknownExportError,
)
from verification.services.export_entries import taken_entry
from verification.services.export_files import ExportFolder
from verification.services.export_shape import Shape, check_shape, write_shape
from verification.services.exporting import Keep, record_export
from verification.services.reasons import check_permission
from verification.services.runtime import Runtime
from verification.services.staff_exports import (
    check_kept,
    close_filter,
    record_agreed,
    record_large_export,
    record_small_export,
    write_filter,
)
from verification.services.staging import stage

MAX_OPEN = 3
"""So many files are made at once for one person, or one client."""


def start_small_job(
    *, which: AttemptFilter, shape: Shape, by: AbstractUser, runtime: Runtime
) -> ExportJob:
    """Ask for a file that needs nobody else.

    Errors as in `record_small_export`, and TooManyExportsError, ExportFilterError.
    """
    check_kept(which)
    as_of = newest_repeatable()
    record, _closed = record_small_export(
        which=which,
        by=by,
        runtime=runtime,
        shape=shape,
        as_of=as_of,
        also=_kept(as_of),
        polls=0,
    )
    return ExportJob.objects.get(pk=record.id)


def start_large_job(*, request_id: UUID, by: AbstractUser, runtime: Runtime) -> ExportJob:
    """Ask for a file that a second person has agreed to.

    Errors as in `record_large_export`, and TooManyExportsError.
    """
    as_of = newest_repeatable()
    record, *_what = record_large_export(
        request_id=request_id, by=by, runtime=runtime, as_of=as_of, also=_kept(as_of), polls=0
    )
    return ExportJob.objects.get(pk=record.id)


def start_client_job(
    *, which: AttemptFilter, shape: Shape, client: ApiClient, runtime: Runtime
) -> ExportJob:
    """Ask for a file of a client's own attempts, which it knows unmasked.

    Raises TooManyExportsError, ExportFilterError, ExportFormError, UnprovableExportError.
    """
    own = replace(close_filter(which, runtime.now()), client_id=client.pk)
    check_kept(own)
    check_shape(shape, own)
    as_of = newest_repeatable()

    def keep(export: UUID, at: datetime) -> None:
        _limit(client)
        ExportJob.objects.create(
            id=export,
            client=client,
            filters=write_filter(own),
            form=write_shape(shape),
            asked_at=at,
            **_told(as_of),
        )

    record = record_export(
        by=client.name,
        interface="api",
        client_id=client.pk,
        query=own,
        form=shape.form,
        as_of=as_of,
        runtime=runtime,
        keep=keep,
        polls=0,
    )
    return ExportJob.objects.get(pk=record.id)


def cancel_job(*, job_id: UUID, owner: Owner, runtime: Runtime) -> ExportJob:
    """End a file that is not ready; what was written of it is removed.

    Raises UnknownExportError, also for another's, and ExportStateError if it has ended.
    """
    job = find_own(job_id, owner)
    ended = ExportJob.objects.filter(pk=job.pk, state__in=OPEN)
    now = runtime.now()
    if not ended.update(state=JobState.CANCELLED, finished_at=now, seen_at=now):
        raise ExportStateError(_("It has ended already."))
    return find_own(job_id, owner)


def hand_out(
    *, job_id: UUID, owner: Owner, folder: ExportFolder, runtime: Runtime
) -> tuple[ExportJob, BinaryIO]:
    """Return a finished file, open; the entry about it is committed before.

    Must not run inside a transaction. Raises UnknownExportError, also for another's,
    NotPermittedError, and ExportStateError if it is not ready, or gone.
    """
    job = find_own(job_id, owner)
    if isinstance(owner, AbstractUser):
        check_permission(owner, "export_attempts")
    now = runtime.now()
    if job.state != JobState.DONE or job.expires_at is None or job.expires_at <= now:
        raise ExportStateError(_("The file is not ready, or has expired."))
    try:
        file = folder.open_whole(job.pk)
    except FileNotFoundError:
        raise ExportStateError(_("The file is not in the folder for exports.")) from None
    try:
        with transaction.atomic(durable=True):
            stage([taken_entry(job, by=_name(owner), at=now)])
            ExportJob.objects.filter(pk=job.pk, seen_at=None).update(seen_at=now)
    except BaseException:
        file.close()
        raise
    return job, file


def find_own(job_id: UUID, owner: Owner) -> ExportJob:
    """Return a person's or a client's file; UnknownExportError for another's, too."""
    job = jobs_of(owner).filter(pk=job_id).first()
    if job is None:
        raise UnknownExportError(_("There is no such export."))
    return job


def see_jobs(*, by: AbstractUser, runtime: Runtime) -> int:
    """Note that a person knows what came of their files; return of how many."""
    return unseen_jobs(by).update(seen_at=runtime.now())


def start_scheduled(
    row: ExportRequest, which: AttemptFilter, *, period_start: datetime, rows: int, runtime: Runtime
) -> ExportJob:
    """Ask for a scheduled file of one period; IntegrityError if there is one.

    Raises the database's refusal if who asked for the schedule may not export any more.
    """
    as_of = newest_repeatable()
    also = _kept(as_of, period_start=period_start, is_limited=False)
    record = record_agreed(row, which, rows=rows, as_of=as_of, also=also, polls=0, runtime=runtime)
    return ExportJob.objects.get(pk=record.id)


def _kept(
    as_of: LedgerCheckpoint | None,
    *,
    period_start: datetime | None = None,
    is_limited: bool = True,
) -> Keep:
    """Return what makes the job of a person's export, in the transaction that records it."""

    def keep(export: UUID, at: datetime) -> None:
        taken = Export.objects.select_related("by", "request").get(pk=export)
        if is_limited:
            _limit(taken.by)
        ExportJob.objects.create(
            id=export,
            by_id=taken.by_id,
            request=taken.request,
            period_start=period_start,
            filters=taken.filters,
            form=taken.form,
            place=taken.request.place if taken.request else None,
            asked_at=at,
            **_told(as_of),
        )

    return keep


def _told(as_of: LedgerCheckpoint | None) -> dict[str, Any]:
    if as_of is None:
        return {}
    return {"as_of_size": as_of.size, "as_of_at": as_of.made_at}


def _limit(owner: Owner) -> None:
    """Refuse one more than may be made at once; who asks twice at a moment waits for himself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('verification.export_job', 0))"
        )
    if jobs_of(owner).filter(state__in=OPEN).count() >= MAX_OPEN:
        raise TooManyExportsError(
            _("%(most)s files are being made for you: wait for one, or cancel it."),
            {"most": MAX_OPEN},
        )


def _name(owner: Owner) -> str:
    return owner.name if isinstance(owner, ApiClient) else owner.get_username()
