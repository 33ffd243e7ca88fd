"""Retention in the admin: the rules, what is due, and runs that two people agree on."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from verification.admin.acting import ActingAdmin, may, person_of, read_approval
from verification.admin.readonly import READING
from verification.admin.reauth import requires_fresh_login
from verification.admin.refusals import sentence_of, status_of
from verification.admin.retention_pages import (
    KEPT,
    due_context,
    rule_row,
    run_address,
    run_context,
    run_row,
)
from verification.models import RetentionRun
from verification.models.retention import Kept
from verification.selectors.due import preview_of
from verification.selectors.retention import find_run, open_run, recent_runs, rules_as_recorded
from verification.services.errors import BadReasonError, ServiceError
from verification.services.retention import (
    RULED_REGIONS,
    cancel_run,
    decide_run,
    request_run,
    set_rule,
)
from verification.services.runtime import get_runtime

FIELDS = ("what", "kind", "region", "days", "note")


@admin.register(RetentionRun)
class RetentionAdmin(ActingAdmin[RetentionRun]):
    """Rules and runs, what is due now, and one page for each run."""

    def get_urls(self) -> list[URLPattern]:
        """Add the forms and the acts to list and page."""
        wrap = self.admin_site.admin_view
        name = "verification_retentionrun"
        return [
            path("due/", wrap(self.due_view), name=f"{name}_due"),
            path("rule/", wrap(self.rule_view), name=f"{name}_rule"),
            path("request/", wrap(self.request_view), name=f"{name}_request"),
            path("<uuid:run_id>/decide/", wrap(self.decide_view), name=f"{name}_decide"),
            path("<uuid:run_id>/cancel/", wrap(self.cancel_view), name=f"{name}_cancel"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: RetentionRun | None = None) -> bool:  # noqa: ARG002
        """One permission opens everything about retention."""
        return may(request, "view_retention")

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the rules and the runs."""
        return self.page(
            request,
            "retention",
            _("Retention"),
            rules=[rule_row(row, holds=holds) for row, holds in rules_as_recorded()],
            runs=[run_row(each) for each in recent_runs()],
            may_set=may(request, "set_retention"),
            **context,
        )

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Return one run: its figures, its decision, and how far it is."""
        run = self.found(find_run(record_id))
        return self.page(
            request,
            "retention_run",
            _("Retention run"),
            is_own=run.asked_by_id == request.user.pk,
            may_decide=may(request, "decide_purge"),
            may_cancel=may(request, "request_purge") or may(request, "decide_purge"),
            **run_context(run),
        )

    def due_view(self, request: HttpRequest) -> HttpResponse:
        """Count what is due now; changes nothing."""
        self._check(request)
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        waiting = open_run()
        is_record = request.GET.get("what") == Kept.RECORD
        what = Kept.RECORD if is_record else Kept.EVIDENCE
        return self.page(
            request,
            "retention_due",
            _("Records that are due") if is_record else _("Evidence that is due"),
            what=what.value,
            is_record=is_record,
            figures=due_context(preview_of(timezone.now(), what)),
            may_ask=may(request, "request_purge"),
            waiting=run_address(waiting) if waiting else None,
        )

    @requires_fresh_login
    def rule_view(self, request: HttpRequest) -> HttpResponse:
        """Record a rule."""
        self.require(request, "set_retention")
        if request.method != "POST":
            return self._form(request)
        try:
            set_rule(
                what=request.POST.get("what", ""),
                kind=request.POST.get("kind", "").strip() or None,
                region=request.POST.get("region", "") or None,
                days=request.POST.get("days", "").strip(),
                note=request.POST.get("note", ""),
                by=person_of(request),
                runtime=get_runtime(),
            )
        except ServiceError as error:
            return self._form(request, sentence_of(error), status_of(error))
        messages.success(request, _("The rule is on record, and holds from now on."))
        return HttpResponseRedirect(_list())

    @method_decorator(sensitive_post_parameters("reason"))
    def request_view(self, request: HttpRequest) -> HttpResponse:
        """Ask that what is due expires."""
        if refused := self.unless_posted(request, "request_purge"):
            return refused
        what = request.POST.get("what", Kept.EVIDENCE.value)
        try:
            run = request_run(
                what=what,
                reason=request.POST.get("reason", ""),
                by=person_of(request),
                runtime=get_runtime(),
            )
        except ServiceError as error:
            back = reverse("admin:verification_retentionrun_due")
            records = f"?what={Kept.RECORD.value}" if what == Kept.RECORD else ""
            return self.refusal(request, error, back + records)
        messages.success(request, _("The request is on record. Somebody else must decide on it."))
        return HttpResponseRedirect(run_address(run))

    @requires_fresh_login
    def decide_view(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        """Approve or refuse a run."""
        if refused := self.unless_posted(request, "decide_purge"):
            return refused
        back = reverse("admin:verification_retentionrun_change", args=[run_id])
        try:
            approve = _decision(request)
            decide_run(run_id=run_id, approve=approve, by=person_of(request), runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, back)
        done = (
            _("The run is approved: the worker begins within seconds.")
            if approve
            else _("The run is refused. Your decision is on record.")
        )
        messages.success(request, done)
        return HttpResponseRedirect(back)

    def cancel_view(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        """End a run early."""
        if refused := self.unless_posted(request, "request_purge", "decide_purge"):
            return refused
        back = reverse("admin:verification_retentionrun_change", args=[run_id])
        try:
            cancel_run(run_id=run_id, by=person_of(request), runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, back)
        messages.success(request, _("The run is cancelled. What has expired stays destroyed."))
        return HttpResponseRedirect(back)

    def _form(self, request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
        return self.page(
            request,
            "retention_rule",
            _("Set a rule"),
            status=status,
            problem=problem,
            given={name: request.POST.get(name, "") for name in FIELDS},
            kept=[(each.value, KEPT[each]) for each in Kept],
            regions=RULED_REGIONS,
        )


def _list() -> str:
    return reverse("admin:verification_retentionrun_changelist")


def _decision(request: HttpRequest) -> bool:
    approve = read_approval(request)
    if approve and "sure" not in request.POST:
        raise BadReasonError(_("Confirm that it is to be gone for ever."))
    return approve
