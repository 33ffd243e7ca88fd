"""The matrix of controls: what answers which requirement, how it stands, and its history."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from verification.admin.acting import ActingAdmin, may, person_of
from verification.admin.control_rows import (
    control_facts,
    groups_of,
    history_rows,
    run_facts,
    table_of,
)
from verification.admin.readonly import READING
from verification.controls.matrix import BY_ID
from verification.models import ControlRun
from verification.selectors.control_runs import history_of, last_run
from verification.services.control_pack import take_pack
from verification.services.control_runs import PERMISSION, check_as_staff, results_of
from verification.services.runtime import get_runtime

SHOWN = 100
SHOW, BROKEN = "show", "broken"


@admin.register(ControlRun)
class ControlAdmin(ActingAdmin[ControlRun]):
    """The matrix, one page for each control, and two acts."""

    def get_urls(self) -> list[URLPattern]:
        """Route the matrix, the acts, and a control by its id."""
        wrap = self.admin_site.admin_view
        name = "verification_controlrun"
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("check/", wrap(self.check_view), name=f"{name}_check"),
            path("pack/", wrap(self.pack_view), name=f"{name}_pack"),
            path("<slug:control>/", wrap(self.control_view), name=f"{name}_control"),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """One permission opens everything about controls."""
        return may(request, PERMISSION)

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the matrix as the last run found it."""
        run = last_run()
        results = results_of(run) if run else {}
        is_narrow = request.GET.get(SHOW) == BROKEN
        return self.page(
            request,
            "controls",
            _("Controls"),
            run=run_facts(run) if run else None,
            rows=table_of(results, is_narrow=is_narrow),
            groups=groups_of(results, is_narrow=is_narrow),
            is_narrow=is_narrow,
            all_address=request.path,
            broken_address=f"{request.path}?{SHOW}={BROKEN}",
            **context,
        )

    def control_view(self, request: HttpRequest, control: str) -> HttpResponse:
        """Show one control and what was found of it; 404 for an unknown id."""
        self.require(request, PERMISSION)
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        found = BY_ID.get(control)
        if found is None:
            raise Http404("There is no such control.")
        return self.page(
            request,
            "control",
            _("Control"),
            control=found,
            facts=control_facts(found),
            rows=history_rows(history_of(control, SHOWN)),
        )

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """Check all controls now."""
        if refused := self.unless_posted(request, PERMISSION):
            return refused
        run = check_as_staff(by=person_of(request), runtime=get_runtime())
        said = _("Checked: %(holds)d hold, %(fails)d fail, %(unknown)d could not be checked.") % {
            "holds": run.holds,
            "fails": run.fails,
            "unknown": run.unknown,
        }
        level = messages.WARNING if run.fails or run.unknown else messages.SUCCESS
        messages.add_message(request, level, said)
        return HttpResponseRedirect(reverse("admin:verification_controlrun_changelist"))

    def pack_view(self, request: HttpRequest) -> HttpResponse:
        """Hand over the auditor's pack, on record."""
        if refused := self.unless_posted(request, PERMISSION):
            return refused
        pack = take_pack(by=person_of(request), runtime=get_runtime())
        name = f"auditors-pack-{pack.at:%Y%m%d-%H%M}.zip"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "Verification-Pack": str(pack.id),
        }
        return HttpResponse(pack.content, content_type="application/zip", headers=headers)
