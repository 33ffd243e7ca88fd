"""Reports to persons of what is held about them: taken here, by a form, never by an address."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from verification.admin.acting import ActingAdmin, may, person_of
from verification.admin.fragments import brief_moment, plain, text
from verification.admin.numbers import grouped
from verification.admin.reauth import requires_fresh_login
from verification.admin.refusals import sentence_of, status_of
from verification.models import SubjectReport
from verification.selectors.record import client_names
from verification.selectors.subjects import reports_taken
from verification.services.errors import BadSubjectError, ServiceError
from verification.services.runtime import get_runtime
from verification.services.subject_reports import PERMISSION, take_subject_report


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One report as it is shown."""

    when: SafeString
    who: SafeString
    client: SafeString | None
    attempts: str
    sessions: str


@admin.register(SubjectReport)
class SubjectReportAdmin(ActingAdmin[SubjectReport]):
    """Who took reports, and the form to take one."""

    def get_urls(self) -> list[URLPattern]:
        """Route the page and the form's address; a report has no page of its own."""
        wrap = self.admin_site.admin_view
        name = "verification_subjectreport"
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("take/", wrap(self.take_view), name=f"{name}_take"),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """One permission opens everything about reports."""
        return may(request, PERMISSION)

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the form, and what was taken, newest first."""
        return self._form(request, **context)

    @method_decorator(sensitive_post_parameters("subject"))
    @requires_fresh_login
    def take_view(self, request: HttpRequest) -> HttpResponse:
        """Hand over a report, on record; nothing of it may be kept on the way."""
        if refused := self.unless_posted(request, PERMISSION):
            return refused
        try:
            report = take_subject_report(
                subject=request.POST.get("subject", ""),
                client_id=read_client_id(request.POST.get("client", "")),
                by=person_of(request),
                runtime=get_runtime(),
            )
        except ServiceError as error:
            return self._form(request, status=status_of(error), problem=sentence_of(error))
        headers = {
            "Content-Disposition": f'attachment; filename="subject-report-{report.id}.zip"',
            "Cache-Control": "no-store",
            "Verification-Report": str(report.id),
        }
        return HttpResponse(report.content, content_type="application/zip", headers=headers)

    def _form(self, request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
        return self.page(
            request,
            "subject_report_list",
            _("Reports to persons"),
            status=status,
            rows=[_row(each) for each in reports_taken()],
            clients=[(str(each), plain(name)) for each, name in client_names()],
            given_client=request.POST.get("client", ""),
            **context,
        )


def _row(report: SubjectReport) -> ReportRow:
    return ReportRow(
        when=brief_moment(report.reported_at),
        who=text(report.by_name),
        client=text(report.client.name) if report.client else None,
        attempts=grouped(report.attempts),
        sessions=grouped(report.sessions),
    )


def read_client_id(value: str) -> UUID | None:
    """Return the client that a form names, None for every one. Raises BadSubjectError."""
    try:
        return UUID(value) if value else None
    except ValueError:
        raise BadSubjectError(_("There is no such client.")) from None
