"""Erasures for persons: asked for with a form, decided by somebody else, answered with a ZIP."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.debug import sensitive_post_parameters

from verification.admin.acting import ActingAdmin, may, person_of, read_approval
from verification.admin.erasures import DECIDED
from verification.admin.facts import Fact
from verification.admin.fragments import brief_moment, moment, pill, plain, text
from verification.admin.numbers import grouped
from verification.admin.readonly import READING
from verification.admin.reauth import requires_fresh_login
from verification.admin.refusals import sentence_of, status_of
from verification.admin.subjects import read_client_id
from verification.models import SubjectErasure
from verification.models.erasure import Decision, LegalBasis
from verification.models.subject import ItemOutcome
from verification.selectors.record import client_names
from verification.selectors.subject_erasures import (
    find_subject_erasure,
    outcomes_of,
    subject_erasures,
)
from verification.services.errors import BadReasonError, ServiceError
from verification.services.runtime import get_runtime
from verification.services.subject_answer import subject_answer
from verification.services.subject_erasing import decide_subject_erasure, request_subject_erasure

NAME = "verification_subjecterasure"


@admin.register(SubjectErasure)
class SubjectErasureAdmin(ActingAdmin[SubjectErasure]):
    """Requests, those to decide first, the form to ask, and a page for each."""

    def get_urls(self) -> list[URLPattern]:
        """Add asking, deciding and the answer."""
        wrap = self.admin_site.admin_view
        return [
            path("request/", wrap(self.request_view), name=f"{NAME}_request"),
            path("<uuid:erasure_id>/decide/", wrap(self.decide_view), name=f"{NAME}_decide"),
            path("<uuid:erasure_id>/answer/", wrap(self.answer_view), name=f"{NAME}_answer"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Who may see erasures may see these."""
        return may(request, "view_erasure")

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the requests, and the form for who may ask."""
        return self._list(request, **context)

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Return one request: how far it is, and the decision for who may take it."""
        row = self.found(find_subject_erasure(record_id))
        return self.page(
            request,
            "subject_erasure",
            _("Erasure for a person"),
            erasure=row,
            facts=_facts(row),
            outcomes=_outcomes(row),
            is_open=row.decision is None,
            is_own=row.requested_by_id == request.user.pk,
            is_finished=row.finished_at is not None,
            is_working=row.decision == Decision.APPROVED and row.finished_at is None,
            may_decide=may(request, "decide_erasure"),
        )

    @method_decorator(sensitive_post_parameters("subject", "reason"))
    def request_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the erasure of all evidence of a person."""
        if refused := self.unless_posted(request, "request_erasure"):
            return refused
        try:
            row = request_subject_erasure(
                subject=request.POST.get("subject", ""),
                client_id=read_client_id(request.POST.get("client", "")),
                legal_basis=_basis(request.POST.get("legal_basis", "")),
                reason=request.POST.get("reason", ""),
                by=person_of(request),
                runtime=get_runtime(),
            )
        except ServiceError as error:
            return self._list(request, status=status_of(error), problem=sentence_of(error))
        messages.success(request, _("The request is on record. Somebody else must decide on it."))
        return HttpResponseRedirect(_address(row.pk))

    @requires_fresh_login
    def decide_view(self, request: HttpRequest, erasure_id: UUID) -> HttpResponse:
        """Approve or refuse a request."""
        if refused := self.unless_posted(request, "decide_erasure"):
            return refused
        try:
            approve = _decision(request)
            decide_subject_erasure(
                erasure_id=erasure_id, approve=approve, by=person_of(request), runtime=get_runtime()
            )
        except ServiceError as error:
            return self.refusal(request, error, _address(erasure_id))
        done = (
            _("The worker destroys the keys now. Your decision is on record.")
            if approve
            else _("The request is refused. Your decision is on record.")
        )
        messages.success(request, done)
        return HttpResponseRedirect(_address(erasure_id))

    def answer_view(self, request: HttpRequest, erasure_id: UUID) -> HttpResponse:
        """Answer with the letters and certificates, to be saved."""
        self._check(request)
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        self.found(find_subject_erasure(erasure_id))
        try:
            content = subject_answer(erasure_id=erasure_id, runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, _address(erasure_id))
        headers = {
            "Content-Disposition": f'attachment; filename="answer-{erasure_id}.zip"',
            "Cache-Control": "no-store",
        }
        return HttpResponse(content, content_type="application/zip", headers=headers)

    def _list(self, request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
        given = {name: request.POST.get(name, "") for name in ("client", "legal_basis", "reason")}
        return self.page(
            request,
            "subject_erasure_list",
            _("Erasures for persons"),
            status=status,
            rows=[_row(each) for each in subject_erasures()],
            may_request=may(request, "request_erasure"),
            bases=LegalBasis.choices,
            clients=[(str(each), plain(name)) for each, name in client_names()],
            given=given,
            **context,
        )


def _address(erasure_id: UUID) -> str:
    return reverse(f"admin:{NAME}_change", args=[erasure_id])


def _row(row: SubjectErasure) -> dict[str, object]:
    return {
        "address": _address(row.pk),
        "when": brief_moment(row.requested_at),
        "by": text(row.requested_by.get_username()),
        "basis": str(LegalBasis(row.legal_basis).label),
        "attempts": grouped(row.attempts),  # type: ignore[attr-defined]
        "state": _state(row),
    }


def _state(row: SubjectErasure) -> SafeString:
    if row.decision is None:
        return pill(_("Waits for a decision"), tone="doubt", shape="clock")
    if row.decision == Decision.REFUSED:
        return pill(pgettext("an erasure", "Refused"), tone="quiet", shape="dash")
    if row.finished_at is None:
        return pill(_("Being carried out"), tone="busy", shape="clock")
    return pill(_("Carried out"), tone="bad", shape="cross")


def _facts(row: SubjectErasure) -> list[Fact]:
    client = text(row.client.name) if row.client else text(_("every client"))
    found = [
        Fact(_("State"), _state(row)),
        Fact(_("Client"), client),
        Fact(_("Legal basis"), text(str(LegalBasis(row.legal_basis).label))),
        Fact(_("Reason"), text(row.reason)),
        Fact(_("Requested by"), text(row.requested_by.get_username())),
        Fact(_("Requested"), moment(row.requested_at)),
    ]
    if row.decision and row.decided_by:
        by, when = DECIDED[row.decision]
        found.append(Fact(str(by), text(row.decided_by.get_username())))
        found.append(Fact(str(when), moment(row.decided_at)))
    if row.finished_at:
        found.append(Fact(_("Carried out"), moment(row.finished_at)))
    return found


def _outcomes(row: SubjectErasure) -> list[tuple[str, str]]:
    """Return how many attempts there are, and how many had each outcome, if any had."""
    found = outcomes_of(row)
    labels = {each.value: str(each.label) for each in ItemOutcome} | {"": _("to do")}
    lines = [(labels[name], grouped(number)) for name, number in found.items() if number]
    if records := row.records.count():
        lines.append((_("texts of records erased, too"), grouped(records)))
    return [(_("Attempts"), grouped(sum(found.values()))), *lines]


def _basis(value: str) -> LegalBasis:
    try:
        return LegalBasis(value)
    except ValueError:
        raise BadReasonError(_("Choose a legal basis from the list.")) from None


def _decision(request: HttpRequest) -> bool:
    approve = read_approval(request)
    if approve and "sure" not in request.POST:
        raise BadReasonError(_("Confirm that the evidence is to be gone for ever."))
    return approve
