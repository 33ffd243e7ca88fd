"""Exports in the admin: taken from the list of attempts; large ones asked for and decided here."""

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from verification.admin.acting import ActingAdmin, person_of, read_approval
from verification.admin.export_form import choices_of, read_choices, read_wanted, shape_words
from verification.admin.export_jobs import job_address
from verification.admin.facts import Fact
from verification.admin.filters import AttemptFilterForm
from verification.admin.fragments import brief_moment, code, moment, plain, text
from verification.admin.reauth import requires_fresh_login
from verification.admin.refusals import sentence_of, status_of
from verification.models import ExportJob, ExportRequest
from verification.models.export import LARGE_EXPORT, ExportDecision, Repeats
from verification.models.reveal import Purpose
from verification.selectors.export_form import Blocks, FileForm
from verification.selectors.exports import attempts_file
from verification.selectors.record import AttemptFilter, client_names
from verification.selectors.staff_exports import (
    find_request,
    requests_lately,
    requests_to_decide,
)
from verification.services.errors import ExportFormError, LargeExportError, ServiceError
from verification.services.export_jobs import start_large_job, start_small_job
from verification.services.export_shape import Shape, content_type, is_streamed, read_shape
from verification.services.export_slots import EXPORTS
from verification.services.exporting import ExportRecord
from verification.services.runtime import get_runtime
from verification.services.staff_exports import (
    COUNTED,
    decide_export,
    end_schedule,
    exported_alone,
    find_approved,
    record_large_export,
    record_small_export,
    request_export,
    size_of,
    withdraw_export,
)

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

LATELY = 20
NARROWED_BY: Mapping[str, "_StrPromise"] = {
    "identifier": gettext_lazy("Find"),
    "state": gettext_lazy("State"),
    "outcome": gettext_lazy("Outcome"),
    "verdict": gettext_lazy("Policy's verdict"),
    "decision": gettext_lazy("Decision now"),
    "is_attack": gettext_lazy("Attack"),
    "error_code": gettext_lazy("Error code"),
    "client_id": gettext_lazy("Client"),
    "region": gettext_lazy("Region"),
    "created_from": gettext_lazy("From"),
    "created_before": gettext_lazy("Before"),
}
"""What a filter is called, by the name it is stored under."""

Recorded = Callable[[], tuple[ExportRecord, AttemptFilter, Shape]]


@admin.register(ExportRequest)
class ExportRequestAdmin(ActingAdmin[ExportRequest]):
    """Requests for large exports that wait, oldest first, and what was decided lately."""

    def get_urls(self) -> list[URLPattern]:
        """Add taking, asking, deciding, taking back and ending."""
        wrap = self.admin_site.admin_view
        name = "verification_exportrequest"
        return [
            path("attempts/", wrap(self.attempts_view), name=f"{name}_attempts"),
            path("<uuid:request_id>/take/", wrap(self.take_view), name=f"{name}_take"),
            path("<uuid:request_id>/prepare/", wrap(self.prepare_view), name=f"{name}_prepare"),
            path("<uuid:request_id>/end/", wrap(self.end_view), name=f"{name}_end"),
            path("<uuid:request_id>/decide/", wrap(self.decide_view), name=f"{name}_decide"),
            path("<uuid:request_id>/withdraw/", wrap(self.withdraw_view), name=f"{name}_withdraw"),
            *super().get_urls(),
        ]

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return what waits, and the last decisions."""
        return self.page(
            request,
            "export_list",
            _("Exports to decide"),
            rows=[_row(each) for each in requests_to_decide()],
            lately=[_row(each) for each in requests_lately(LATELY)],
            **context,
        )

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Return one request, with what this person may do about it."""
        row = self.found(find_request(record_id))
        is_own = row.requested_by_id == request.user.pk
        return self.page(
            request,
            "export_request",
            _("Export of attempts"),
            export=row,
            facts=_facts(row),
            filters=_filters(row.filters),
            is_open=row.decision is None,
            is_own=is_own,
            can_take=is_own and _is_good(row) and not row.repeats,
            can_prepare=get_runtime().conf.export_dir is not None,
            is_streamed=is_streamed(read_shape(row.form)),
            can_end=_is_good(row) and row.repeats and row.ended_at is None,
            may_decide=request.user.has_perm("verification.decide_export"),
        )

    def attempts_view(self, request: HttpRequest) -> HttpResponseBase:
        """Say what an export of this list would hold; take it, have it made, or ask for it."""
        self.require(request, "export_attempts")
        names = [(str(each), plain(name)) for each, name in client_names()]
        form = AttemptFilterForm(request.GET, names)
        if not form.is_valid():
            return HttpResponseRedirect(f"{_attempts()}{form.query}")
        which = form.which(timezone.localdate())
        if request.method != "POST":
            return self._offer(request, form, which)
        try:
            if "ask" in request.POST:
                return self._asked(request, which)
            shape = read_choices(request.POST)
            if "prepare" in request.POST:
                return self._prepared(
                    start_small_job(
                        which=which, shape=shape, by=person_of(request), runtime=get_runtime()
                    )
                )
            return self._stream(lambda: _small(request, which, shape))
        except LargeExportError:
            return self._offer(request, form, which, status=409)
        except ServiceError as error:
            return self._offer(request, form, which, sentence_of(error), status_of(error))

    def take_view(self, request: HttpRequest, request_id: UUID) -> HttpResponseBase:
        """Stream an export that somebody has agreed to."""
        if refused := self.unless_posted(request, "export_attempts"):
            return refused
        try:
            return self._stream(lambda: _large(request, request_id))
        except ServiceError as error:
            return self.refusal(request, error, _address(request_id))

    def prepare_view(self, request: HttpRequest, request_id: UUID) -> HttpResponse:
        """Have a file made that somebody has agreed to."""
        if refused := self.unless_posted(request, "export_attempts"):
            return refused
        try:
            job = start_large_job(
                request_id=request_id, by=person_of(request), runtime=get_runtime()
            )
        except ServiceError as error:
            return self.refusal(request, error, _address(request_id))
        return self._prepared(job)

    def end_view(self, request: HttpRequest, request_id: UUID) -> HttpResponse:
        """End a schedule."""
        if refused := self.unless_posted(request, "export_attempts", "decide_export"):
            return refused
        try:
            end_schedule(request_id=request_id, by=person_of(request), runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, _address(request_id))
        messages.success(request, _("The schedule has ended. That is on record."))
        return HttpResponseRedirect(_address(request_id))

    @requires_fresh_login
    def decide_view(self, request: HttpRequest, request_id: UUID) -> HttpResponse:
        """Approve or refuse a request."""
        if refused := self.unless_posted(request, "decide_export"):
            return refused
        try:
            approve = read_approval(request)
            decide_export(
                request_id=request_id, approve=approve, by=person_of(request), runtime=get_runtime()
            )
        except ServiceError as error:
            return self.refusal(request, error, _address(request_id))
        row = self.found(find_request(request_id))
        allowed = (
            _("The export is made from now on.")
            if row.repeats
            else _("The export may be taken for a day.")
        )
        done = allowed if approve else _("The request is refused.")
        messages.success(request, f"{done} {_('Your decision is on record.')}")
        return HttpResponseRedirect(_address(request_id))

    def withdraw_view(self, request: HttpRequest, request_id: UUID) -> HttpResponse:
        """Take one's own request back."""
        if refused := self.unless_posted(request, "export_attempts"):
            return refused
        try:
            withdraw_export(request_id=request_id, by=person_of(request), runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, _address(request_id))
        messages.success(request, _("You have taken the request back."))
        return HttpResponseRedirect(_address(request_id))

    def _offer(
        self,
        request: HttpRequest,
        form: AttemptFilterForm,
        which: AttemptFilter,
        problem: str = "",
        status: int = 200,
    ) -> HttpResponse:
        count = size_of(which, cap=COUNTED)
        alone = exported_alone(person_of(request), at=get_runtime().now())
        return self.page(
            request,
            "export_offer",
            _("Export attempts"),
            status=status,
            problem=problem,
            count=_count(count.number, is_more=count.is_capped),
            is_empty=count.number == 0,
            is_large=count.number > LARGE_EXPORT - alone,
            alone=number_format(alone, force_grouping=True) if alone else "",
            most=number_format(LARGE_EXPORT, force_grouping=True),
            choices=choices_of(request.POST, get_runtime().conf.export_places),
            can_prepare=get_runtime().conf.export_dir is not None,
            is_named=which.identifier is not None,
            filters=[(name, text(value)) for name, value in form.told],
            attempts=f"{_attempts()}{form.query}",
        )

    def _asked(self, request: HttpRequest, which: AttemptFilter) -> HttpResponse:
        row = request_export(
            wanted=read_wanted(request.POST, which), by=person_of(request), runtime=get_runtime()
        )
        messages.success(request, _("The request is on record. Somebody else must decide."))
        return HttpResponseRedirect(_address(row.pk))

    def _prepared(self, job: ExportJob) -> HttpResponse:
        return HttpResponseRedirect(job_address(job.pk))

    def _stream(self, recorded: Recorded) -> StreamingHttpResponse:
        """Put it on record, then stream it, in constant memory and in a slot of its own."""
        made: list[tuple[ExportRecord, Shape]] = []

        def start() -> Blocks:
            record, which, shape = recorded()
            made.append((record, shape))
            return _later(which, shape.form)

        stream = EXPORTS.stream(start)
        [(record, shape)] = made
        name = f"attempts-{record.at:%Y%m%d-%H%M}{shape.suffix}"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "Verification-Export": str(record.id),
        }
        if record.checkpoint is not None:
            headers["Verification-Checkpoint"] = base64.b64encode(record.checkpoint).decode()
        return StreamingHttpResponse(stream, content_type=content_type(shape), headers=headers)


def _small(
    request: HttpRequest, which: AttemptFilter, shape: Shape
) -> tuple[ExportRecord, AttemptFilter, Shape]:
    """Record what is streamed at once; a bundle is no stream."""
    _check_streamed(shape)
    record, closed = record_small_export(
        which=which, by=person_of(request), runtime=get_runtime(), shape=shape
    )
    return record, closed, shape


def _large(request: HttpRequest, request_id: UUID) -> tuple[ExportRecord, AttemptFilter, Shape]:
    """Record what somebody has agreed to, as `_small`."""
    by, runtime = person_of(request), get_runtime()
    row = find_approved(request_id=request_id, by=by, runtime=runtime)
    _check_streamed(read_shape(row.form))
    return record_large_export(request_id=request_id, by=by, runtime=runtime)


def _check_streamed(shape: Shape) -> None:
    """Refuse what cannot leave line by line."""
    if not is_streamed(shape):
        raise ExportFormError(_("This kind of file is made in the background."))


def standing(row: ExportRequest) -> str:
    """Return in words where a request stands."""
    if row.decision is None:
        return _("waits for a second person")
    if row.ended_at is not None:
        return _("ended")
    if row.decision == ExportDecision.APPROVED and not _is_good(row):
        return _("approved, expired")
    return str(ExportDecision(row.decision).label)


def _later(which: AttemptFilter, form: FileForm) -> Blocks:
    """Begin when the first block is asked for: the middleware still needs the connection."""
    return (yield from attempts_file(which, form=form))


def _facts(row: ExportRequest) -> list[Fact]:
    found = [
        Fact(_("Attempts"), text(_count(row.rows, is_more=row.rows >= COUNTED))),
        Fact(_("File"), text(shape_words(read_shape(row.form)))),
        Fact(_("Reason"), text(row.reason)),
        Fact(_("Requested by"), text(row.requested_by.get_username())),
        Fact(_("Requested"), moment(row.requested_at)),
        Fact(_("State"), text(standing(row))),
    ]
    if row.purpose:
        found.append(Fact(_("Purpose"), text(str(Purpose(row.purpose).label))))
    if row.repeats:
        found.append(Fact(_("How often"), text(str(Repeats(row.repeats).label))))
    if row.place:
        found.append(Fact(_("Place"), code(row.place)))
    if row.decided_by is not None:
        found.append(Fact(_("Decided by"), text(row.decided_by.get_username())))
        found.append(Fact(_("Decided"), moment(row.decided_at)))
    if row.expires_at is not None:
        until = _("Made until") if row.repeats else _("Can be taken until")
        found.append(Fact(until, moment(row.expires_at)))
    if row.ended_by is not None:
        found.append(Fact(_("Ended by"), text(row.ended_by.get_username())))
        found.append(Fact(_("Ended"), moment(row.ended_at)))
    return found


def _filters(stored: dict[str, object]) -> list[Fact]:
    """Return what narrows an export, named as in the list; the values are as they are stored."""
    return [
        Fact(str(NARROWED_BY[name]), code(str(value))) for name, value in sorted(stored.items())
    ]


def _row(row: ExportRequest) -> dict[str, object]:
    return {
        "address": _address(row.pk),
        "count": _count(row.rows, is_more=row.rows >= COUNTED),
        "by": text(row.requested_by.get_username()),
        "when": brief_moment(row.requested_at),
        "reason": text(row.reason),
        "state": standing(row),
    }


def _count(number: int, *, is_more: bool) -> str:
    shown = number_format(number, force_grouping=True)
    if is_more:
        return _("more than %(count)s attempts") % {"count": shown}
    return ngettext("%(count)s attempt", "%(count)s attempts", number) % {"count": shown}


def _is_good(row: ExportRequest) -> bool:
    until = row.expires_at
    return row.decision == ExportDecision.APPROVED and until is not None and until > timezone.now()


def _address(request_id: UUID) -> str:
    return reverse("admin:verification_exportrequest_change", args=[request_id])


def _attempts() -> str:
    return reverse("admin:verification_verificationattempt_changelist")
