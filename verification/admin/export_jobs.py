"""Exports as files: one's own, how far each is, and where to take it."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Model
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.http.response import HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from verification.admin.acting import ActingAdmin, may, person_of
from verification.admin.export_form import shape_words
from verification.admin.facts import Fact
from verification.admin.fragments import brief_moment, code, moment, text
from verification.admin.numbers import grouped
from verification.models import ExportJob, ExportRequest
from verification.models.export_job import OPEN, JobState, Problem
from verification.selectors.export_jobs import jobs_of, schedules
from verification.services.errors import ServiceError, UnknownExportError
from verification.services.export_files import ExportFolder
from verification.services.export_jobs import cancel_job, find_own, hand_out, see_jobs
from verification.services.export_schedules import may_export
from verification.services.export_shape import content_type, read_shape
from verification.services.runtime import get_runtime

SHOWN = 50
WHOLE = 100
PERMISSION = "export_attempts"


@admin.register(ExportJob)
class ExportJobAdmin(ActingAdmin[ExportJob]):
    """A person's own files; nobody sees another's."""

    def get_urls(self) -> list[URLPattern]:
        """Add cancelling and taking."""
        wrap = self.admin_site.admin_view
        name = "verification_exportjob"
        return [
            path("<uuid:job_id>/cancel/", wrap(self.cancel_view), name=f"{name}_cancel"),
            path("<uuid:job_id>/take/", wrap(self.take_view), name=f"{name}_take"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Whoever may export has files."""
        return may(request, PERMISSION)

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return one's newest files, and the scheduled exports in force."""
        person, runtime = person_of(request), get_runtime()
        rows = [job_row(each) for each in jobs_of(person)[:SHOWN]]
        page = self.page(
            request,
            "export_jobs",
            _("Exports"),
            rows=rows,
            is_open=any(each["is_open"] for each in rows),
            schedules=[_schedule_row(each) for each in schedules(runtime.now())],
            is_configured=runtime.conf.export_dir is not None,
            **context,
        )
        page.render()
        see_jobs(by=person, runtime=runtime)
        return page

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Return one file: how far it is, or what it came to."""
        try:
            job = find_own(record_id, person_of(request))
        except UnknownExportError:
            job = None
        job = self.found(job)
        return self.page(
            request,
            "export_job",
            _("Export of attempts"),
            job=job,
            facts=_facts(job),
            percent=_percent(job),
            progress=_progress(job),
            is_open=job.state in OPEN,
            is_ready=job.state == JobState.DONE,
            is_expired=job.state == JobState.EXPIRED,
            problem=str(Problem(job.problem).label) if job.problem else "",
            state=str(JobState(job.state).label),
        )

    def cancel_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """End a file that is not ready."""
        if refused := self.unless_posted(request, PERMISSION):
            return refused
        try:
            cancel_job(job_id=job_id, owner=person_of(request), runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, reverse("admin:verification_exportjob_changelist"))
        messages.success(request, _("The export is cancelled. That it was asked for is on record."))
        return HttpResponseRedirect(job_address(job_id))

    def take_view(self, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
        """Hand the file out; that is on record first."""
        if refused := self.unless_posted(request, PERMISSION):
            return refused
        runtime = get_runtime()
        folder = runtime.conf.export_dir
        try:
            if folder is None:
                raise UnknownExportError(_("No folder for exports is set."))
            job, file = hand_out(
                job_id=job_id,
                owner=person_of(request),
                folder=ExportFolder(folder),
                runtime=runtime,
            )
        except ServiceError as error:
            return self.refusal(request, error, reverse("admin:verification_exportjob_changelist"))
        return file_response(job, file)


def file_response(job: ExportJob, file: Any) -> FileResponse:
    """Return a finished file as it is saved."""
    shape = read_shape(job.form)
    name = f"attempts-{job.asked_at:%Y%m%d-%H%M}{shape.suffix}"
    answer = FileResponse(file, as_attachment=True, filename=name, content_type=content_type(shape))
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Verification-Export"] = str(job.pk)
    answer.headers["Verification-SHA256"] = str(job.sha256)
    return answer


def job_row(job: ExportJob) -> dict[str, Any]:
    """Return a file as a row of the list."""
    return {
        "address": job_address(job.pk),
        "when": brief_moment(job.asked_at),
        "what": shape_words(read_shape(job.form)),
        "state": str(JobState(job.state).label),
        "is_open": job.state in OPEN,
        "is_new": job.seen_at is None and job.state in (JobState.DONE, JobState.FAILED),
        "percent": _percent(job),
        "rows": grouped(job.rows) if job.state in (JobState.DONE, JobState.EXPIRED) else "",
        "until": brief_moment(job.expires_at)
        if job.state == JobState.DONE and job.expires_at
        else "",
    }


def job_address(job_id: UUID) -> str:
    """Return the page of a file."""
    return reverse("admin:verification_exportjob_change", args=[job_id])


def _schedule_row(row: ExportRequest) -> dict[str, Any]:
    return {
        "address": reverse("admin:verification_exportrequest_change", args=[row.pk]),
        "repeats": row.get_repeats_display(),
        "what": shape_words(read_shape(row.form)),
        "by": text(row.requested_by.get_username()),
        "until": brief_moment(row.expires_at) if row.expires_at else "",
        "place": row.place or "",
        "is_stopped": not may_export(row),
    }


def _facts(job: ExportJob) -> list[Fact]:
    found = [
        Fact(_("Export"), code(str(job.pk))),
        Fact(_("File"), text(shape_words(read_shape(job.form)))),
        Fact(_("Requested"), moment(job.asked_at)),
    ]
    if job.as_of_size is not None:
        as_of = _("size %(size)s of the log") % {"size": grouped(job.as_of_size)}
        found.append(Fact(_("As of"), moment(job.as_of_at)))
        found.append(Fact(_("Checkpoint"), text(as_of)))
    if job.sha256:
        found.append(Fact(_("Attempts"), text(grouped(job.rows))))
        found.append(
            Fact(_("Size"), text(_("%(count)s bytes") % {"count": grouped(job.size_bytes)}))
        )
        found.append(Fact(_("SHA-256"), code(job.sha256)))
        found.append(Fact(_("Ready since"), moment(job.finished_at)))
        found.append(Fact(_("Kept until"), moment(job.expires_at)))
    if job.delivered_to:
        found.append(Fact(_("Delivered to"), code(job.delivered_to)))
    return found


def _percent(job: ExportJob) -> int:
    return min(WHOLE, WHOLE * job.done // job.total) if job.total else 0


def _progress(job: ExportJob) -> str:
    if job.started_at is None:
        return _("Not begun yet")
    if job.total is None:
        return _("%(count)s bytes") % {"count": grouped(job.size_bytes)}
    return _("%(done)s of %(total)s attempts looked at") % {
        "done": grouped(min(job.done, job.total)),
        "total": grouped(job.total),
    }
