"""Write exports as files, in the worker: part after part, so that a killed one goes on from there.

A file tells the attempts as of one size of the log, so whatever part of it is written again, by
whichever worker, has the same bytes at the same place. Where no log is kept, and for files that
cannot be written in parts, a killed one is begun anew.
"""

import logging
import os
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from django.db import OperationalError, transaction
from django.db.models import F, Q, Subquery
from django.utils.translation import gettext_noop as _

from verification.models import ExportJob, LedgerCheckpoint, RecordErasure
from verification.models.export_job import OPEN, JobState, Problem
from verification.selectors.as_of import repeatable_checkpoint
from verification.selectors.beside import beside
from verification.selectors.export_form import GZIP_WINDOW, Blocks, FileForm, Layout
from verification.selectors.export_jobs import count_between, first_attempt, kept_exports, part_end
from verification.selectors.export_parquet import write_parquet
from verification.selectors.exports import attempts_file
from verification.selectors.pace import new_pace
from verification.selectors.record import AttemptFilter
from verification.services.bundling import provable_query, write_bundle
from verification.services.delivery import Place
from verification.services.errors import (
    DeliveryError,
    DeliveryRefusedError,
    UnprovableExportError,
)
from verification.services.export_entries import completed_entry, delivered_entry
from verification.services.export_files import ExportFolder, digest_of
from verification.services.export_shape import Shape, is_streamed, read_shape
from verification.services.runtime import Runtime
from verification.services.staff_exports import read_filter
from verification.services.staging import stage

logger = logging.getLogger(__name__)

PART_ATTEMPTS = 50_000
LEASE = timedelta(seconds=60)
"""A worker that says nothing for so long is dead, and another one goes on."""

DELIVERED_WITHIN = timedelta(days=1)
MAX_TRIES = 5
REPORT_EVERY_S = 1.0
READ_BYTES = 64 * 1024

Stopping = Callable[[], bool]


class _LostError(Exception):
    """The job was cancelled, or another worker has it, or this one is told to stop."""


class _FullError(Exception):
    """The disk has no room for exports."""


HOPELESS: Mapping[type[Exception], Problem] = {
    _FullError: Problem.NO_SPACE,
    UnprovableExportError: Problem.UNPROVABLE,
    DeliveryRefusedError: Problem.PLACE_REFUSED,
}


def work_on_exports(
    *,
    runtime: Runtime,
    folder: ExportFolder,
    places: Mapping[str, Place],
    is_stopping: Stopping = lambda: False,
    part_attempts: int = PART_ATTEMPTS,
) -> int:
    """Write the oldest file that nobody is at; return how many were worked on, 0 or 1.

    Safe to repeat, to kill and to run beside others. Raises OperationalError when the database
    goes away: the file is gone on with later.
    """
    job = _claim(runtime)
    if job is None:
        return 0
    try:
        _Work(job, runtime, folder, places, is_stopping, part_attempts).run()
    except OperationalError:
        raise
    except _LostError:
        _give_back(job)
    except Exception as error:  # noqa: BLE001 - one that cannot be written must not hold up others
        if problem := _problem_of(error, job, runtime):
            _fail(job, problem, runtime)
    return 1


def _problem_of(error: Exception, job: ExportJob, runtime: Runtime) -> Problem | None:
    """Return why it failed for good; None if it is tried again when its lease has run out."""
    for kind, problem in HOPELESS.items():
        if isinstance(error, kind):
            return problem
    if isinstance(error, DeliveryError):
        is_late = runtime.now() - job.asked_at > DELIVERED_WITHIN
        return Problem.PLACE_REFUSED if is_late else None
    logger.error("export %s: %s", job.pk, type(error).__name__)
    return Problem.GIVEN_UP if job.tries >= MAX_TRIES else None


def expire_exports(*, runtime: Runtime, folder: ExportFolder) -> int:
    """Remove files whose time is over, or that no job needs; return how many were removed."""
    over = Q(expires_at__lte=runtime.now())
    erased = RecordErasure.objects.order_by("-erased_at").values("erased_at")[:1]
    # Any file that was asked for before may tell of a person whose record is erased.
    over |= Q(asked_at__lte=Subquery(erased))
    ExportJob.objects.filter(over, state=JobState.DONE).update(state=JobState.EXPIRED)
    return folder.keep_only(kept_exports())


def _claim(runtime: Runtime) -> ExportJob | None:
    """Take the oldest file that nobody is at; a worker that dies later loses it by its lease."""
    now = runtime.now()
    is_free = Q(leased_until=None) | Q(leased_until__lte=now)
    with transaction.atomic():
        found = ExportJob.objects.filter(is_free, state__in=OPEN).order_by("asked_at", "id")
        job = found.select_for_update(skip_locked=True, of=("self",)).first()
        if job is None:
            return None
        job.state, job.leased_until, job.tries = JobState.RUNNING, now + LEASE, job.tries + 1
        job.started_at = job.started_at or now
        job.save(update_fields=["state", "leased_until", "tries", "started_at"])
    return job


def _give_back(job: ExportJob) -> None:
    """Let another worker go on at once; it was no fault of the job's."""
    mine = ExportJob.objects.filter(
        pk=job.pk, state=JobState.RUNNING, leased_until=job.leased_until
    )
    mine.update(leased_until=None, tries=F("tries") - 1)


def _fail(job: ExportJob, problem: Problem, runtime: Runtime) -> None:
    ExportJob.objects.filter(pk=job.pk, state__in=OPEN).update(
        state=JobState.FAILED, problem=problem, finished_at=runtime.now(), leased_until=None
    )


@dataclass(slots=True)
class _Work:
    """One file on its way; `job` is kept as the database has it."""

    job: ExportJob
    runtime: Runtime
    folder: ExportFolder
    places: Mapping[str, Place]
    is_stopping: Stopping
    part_attempts: int

    def run(self) -> None:
        """Write what is missing, finish the file, and put on record what it came to."""
        if not self.folder.whole(self.job.pk).exists():
            self._write(read_shape(self.job.form), read_filter(self.job.filters))
        with self.folder.open_whole(self.job.pk) as file:
            sha256, size_bytes = digest_of(file), file.seek(0, os.SEEK_END)
            told = self._deliver(file, sha256) if self.job.place else None
        self._complete(sha256, size_bytes, told)

    def _write(self, shape: Shape, which: AttemptFilter) -> None:
        as_of = self._as_of()
        in_parts = as_of is not None and is_streamed(shape)
        with self.folder.open_part(self.job.pk, afresh=not in_parts) as file:
            if shape.is_bundle:
                self._write_bundle(file, which, shape, as_of)
            elif shape.layout is Layout.PARQUET:
                self._write_parquet(file, which, shape.form, as_of)
            elif as_of is None:
                self._write_at_once(file, which, shape.form)
            else:
                self._write_parts(file, which, replace(shape.form, is_gzipped=False), as_of)
                file.truncate(self.job.size_bytes)
            os.fsync(file.fileno())
        if shape.form.is_gzipped and in_parts:
            self._compress()
        self.folder.name_whole(self.job.pk)

    def _as_of(self) -> LedgerCheckpoint | None:
        if self.job.as_of_size is None:
            return None
        found = repeatable_checkpoint(self.job.as_of_size)
        if found is None:
            raise LookupError("the log lacks a checkpoint that it had")
        return found

    def _write_parts(
        self, file: BinaryIO, which: AttemptFilter, form: FileForm, as_of: LedgerCheckpoint
    ) -> None:
        """Go on where the last part that was kept ends."""
        until = which.created_before
        assert until is not None  # noqa: S101 - narrows the type: what is kept has an end
        self._begin(file, which, until)
        while self.job.position is None or self.job.position < until:
            since = self.job.position or first_attempt(which.created_from) or until
            since = min(since, until)
            end, looked_at = part_end(since, until, self.part_attempts)
            part = replace(which, created_from=since, created_before=end)
            starts = self.job.size_bytes == 0
            rows = self._append(file, part, replace(form, has_start=starts), as_of)
            self._keep(
                position=end,
                done=self.job.done + looked_at,
                rows=self.job.rows + rows,
                size_bytes=file.tell(),
            )

    def _begin(self, file: BinaryIO, which: AttemptFilter, until: datetime) -> None:
        """Count what is to be looked at; begin anew if the part is not there any more."""
        if file.seek(0, os.SEEK_END) < self.job.size_bytes:
            self._keep(position=None, done=0, rows=0, size_bytes=0)
        if self.job.total is None:
            since = first_attempt(which.created_from)
            self._keep(total=count_between(since, until) if since else 0)

    def _append(
        self, file: BinaryIO, which: AttemptFilter, form: FileForm, as_of: LedgerCheckpoint
    ) -> int:
        """Write one part behind what is kept; return its rows."""
        self._go_on()
        file.seek(self.job.size_bytes)
        reporter = _Reporter(self)

        def write(block: bytes) -> None:
            file.write(block)
            reporter(self.job.size_bytes)  # where it is gone on from is not moved by half a part

        rows = _drain(attempts_file(which, form=form, as_of=as_of), write)
        file.flush()
        os.fsync(file.fileno())
        return rows

    def _write_at_once(self, file: BinaryIO, which: AttemptFilter, form: FileForm) -> None:
        self._keep(rows=0, size_bytes=0)
        reporter = _Reporter(self)

        def write(block: bytes) -> None:
            file.write(block)
            reporter(file.tell())

        rows = _drain(attempts_file(which, form=form), write)
        self._keep(rows=rows, size_bytes=file.tell())

    def _write_parquet(
        self, file: BinaryIO, which: AttemptFilter, form: FileForm, as_of: LedgerCheckpoint | None
    ) -> None:
        self._keep(rows=0, size_bytes=0)
        rows = write_parquet(file, which, form=form, as_of=as_of, report=_Reporter(self))
        self._keep(rows=rows)

    def _write_bundle(
        self, file: BinaryIO, which: AttemptFilter, shape: Shape, as_of: LedgerCheckpoint | None
    ) -> None:
        if as_of is None:
            raise UnprovableExportError(_("There is no log to prove it by."))
        self._keep(rows=0, size_bytes=0)
        written = write_bundle(
            file,
            export=self.job.pk,
            query=provable_query(which),
            form=shape.form,
            as_of=as_of,
            report=_Reporter(self),
        )
        self._keep(rows=written.rows)

    def _compress(self) -> None:
        """Compress the part, with the same bytes whenever it is done; it takes the part's place."""
        deflate = zlib.compressobj(wbits=GZIP_WINDOW)
        reporter, pace = _Reporter(self), new_pace()
        with (
            self.folder.open_part(self.job.pk) as source,
            self.folder.open_next(self.job.pk) as target,
        ):
            while block := source.read(READ_BYTES):
                target.write(deflate.compress(block))
                reporter(self.job.size_bytes)
                pace.spend(len(block))
            target.write(deflate.flush())
            target.flush()
            os.fsync(target.fileno())
        self._keep()
        self.folder.name_next(self.job.pk)

    def _deliver(self, file: BinaryIO, sha256: str) -> str:
        self._go_on()
        file.seek(0)
        place = self.places.get(str(self.job.place))
        if place is None:
            raise DeliveryRefusedError(str(self.job.place))
        return place.deliver(file_name(self.job), file, sha256)

    def _complete(self, sha256: str, size_bytes: int, delivered_to: str | None) -> None:
        """The file is whole: say so to whoever waits, and in the log, or neither."""
        now = self.runtime.now()
        with transaction.atomic():
            self._keep(
                state=JobState.DONE,
                sha256=sha256,
                size_bytes=size_bytes,
                done=self.job.total or self.job.done,
                finished_at=now,
                expires_at=now + timedelta(days=self.runtime.conf.export_keep_days),
                delivered_to=delivered_to,
            )
            entries = [
                completed_entry(
                    export=self.job.pk,
                    rows=self.job.rows,
                    sha256=sha256,
                    size_bytes=size_bytes,
                    at=now,
                )
            ]
            if delivered_to is not None:
                entries.append(delivered_entry(self.job, sha256=sha256, at=now))
            stage(entries)

    def _go_on(self) -> None:
        """Stop between parts if the worker is to end; refuse to fill the disk."""
        if self.is_stopping():
            raise _LostError
        if not self.folder.has_room():
            raise _FullError

    def report(self, size_bytes: int) -> None:
        """Say how far it is while this thread's connection is taken by what is read."""
        self._go_on()
        beside(lambda: self._keep(size_bytes=size_bytes))

    def _keep(self, **values: Any) -> None:
        """Store how far it is and prolong the lease; _LostError if it is not ours any more."""
        values["leased_until"] = self.runtime.now() + LEASE
        mine = ExportJob.objects.filter(
            pk=self.job.pk, state=JobState.RUNNING, leased_until=self.job.leased_until
        )
        if not mine.update(**values):
            raise _LostError
        for name, value in values.items():
            setattr(self.job, name, value)


class _Reporter:
    """Told of bytes; now and then it has the lease prolonged, and looks whether to go on."""

    def __init__(self, work: _Work) -> None:
        self._work = work
        self._reported_at = time.monotonic()

    def __call__(self, size_bytes: int) -> None:
        if time.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = time.monotonic()
            self._work.report(size_bytes)


def file_name(job: ExportJob) -> str:
    """Return how the file is called where it is kept by others; always the same for one export."""
    at = job.period_start or job.asked_at
    how = f"-{job.request.repeats}" if job.request and job.request.repeats else ""
    return f"attempts{how}-{at:%Y-%m-%d}-{job.pk}{read_shape(job.form).suffix}"


def _drain(blocks: Blocks, write: Callable[[bytes], object]) -> int:
    """Write a file's pieces; return how many rows it has."""
    with closing(blocks):
        while True:
            try:
                block = next(blocks)
            except StopIteration as end:
                return int(end.value)
            write(block)
