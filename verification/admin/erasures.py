"""Erasures in the admin: asked for on an attempt's page, decided by somebody else on their own."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from verification.admin import facts
from verification.admin.acting import ActingAdmin, person_of, read_approval
from verification.admin.facts import Fact
from verification.admin.fragments import brief_moment, code, moment, number_or_none, text
from verification.admin.readonly import READING
from verification.admin.reauth import requires_fresh_login
from verification.models import Erasure
from verification.models.erasure import Decision, LegalBasis
from verification.selectors.erasures import erasures_to_decide, find_erasure
from verification.services.erasing import decide_erasure, request_erasure
from verification.services.erasure_certificate import erasure_certificate
from verification.services.errors import BadReasonError, ServiceError
from verification.services.runtime import get_runtime

DECIDED: Mapping[str, tuple[Promise, Promise]] = MappingProxyType(
    {
        Decision.APPROVED: (gettext_lazy("Approved by"), pgettext_lazy("an erasure", "Approved")),
        Decision.REFUSED: (gettext_lazy("Refused by"), pgettext_lazy("an erasure", "Refused")),
    }
)
"""How the facts of a decision are called: who, and when."""


def erasure_address(erasure: Erasure) -> str:
    """Return the path of a request's page."""
    return reverse("admin:verification_erasure_change", args=[erasure.pk])


def request_facts(erasure: Erasure) -> list[Fact]:
    """Return who asked for what, and what came of it."""
    found = [
        Fact(_("Legal basis"), text(str(LegalBasis(erasure.legal_basis).label))),
        Fact(_("Reason"), text(erasure.reason)),
        Fact(_("Requested by"), text(erasure.requested_by.get_username())),
        Fact(_("Requested"), moment(erasure.requested_at)),
    ]
    if erasure.decision and erasure.decided_by:
        by, when = DECIDED[erasure.decision]
        found.append(Fact(str(by), text(erasure.decided_by.get_username())))
        found.append(Fact(str(when), moment(erasure.decided_at)))
    return found


@admin.register(Erasure)
class ErasureAdmin(ActingAdmin[Erasure]):
    """Requests that wait for a decision, oldest first."""

    def get_urls(self) -> list[URLPattern]:
        """Add the three actions and the certificate to list and page."""
        wrap = self.admin_site.admin_view
        name = "verification_erasure"
        return [
            path("request/<uuid:attempt_id>/", wrap(self.request_view), name=f"{name}_request"),
            path("<uuid:erasure_id>/decide/", wrap(self.decide_view), name=f"{name}_decide"),
            path(
                "<uuid:erasure_id>/certificate/",
                wrap(self.certificate_view),
                name=f"{name}_certificate",
            ),
            *super().get_urls(),
        ]

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the open requests."""
        rows = [
            {
                "address": erasure_address(each),
                "biz_no": number_or_none(each.attempt.biz_no),
                "basis": str(LegalBasis(each.legal_basis).label),
                "by": text(each.requested_by.get_username()),
                "when": brief_moment(each.requested_at),
                "reason": text(each.reason),
            }
            for each in erasures_to_decide()
        ]
        return self.page(request, "erasure_list", _("Erasures to decide"), rows=rows, **context)

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Return one request: what would be gone, and the decision for who may take it."""
        erasure = self.found(find_erasure(record_id))
        is_open = erasure.decision is None
        is_own = erasure.requested_by_id == request.user.pk
        may_decide = request.user.has_perm("verification.decide_erasure")
        return self.page(
            request,
            "erasure",
            _("Erasure of evidence"),
            erasure=erasure,
            heading=number_or_none(erasure.attempt.biz_no),
            attempt_id=code(str(erasure.attempt_id)),
            attempt=_attempt_address(erasure.attempt_id),
            facts=request_facts(erasure),
            evidence=facts.evidence_items(erasure.attempt),
            is_open=is_open,
            is_own=is_own,
            may_decide=may_decide,
            is_erased=erasure.decision == Decision.APPROVED,
        )

    @method_decorator(sensitive_post_parameters("reason"))
    def request_view(self, request: HttpRequest, attempt_id: UUID) -> HttpResponse:
        """Ask for the erasure of an attempt's evidence."""
        if refused := self.unless_posted(request, "request_erasure"):
            return refused
        try:
            request_erasure(
                attempt_id=attempt_id,
                legal_basis=_basis(request.POST.get("legal_basis", "")),
                reason=request.POST.get("reason", ""),
                by=person_of(request),
                runtime=get_runtime(),
            )
        except ServiceError as error:
            return self.refusal(request, error, _attempt_address(attempt_id))
        messages.success(request, _("The request is on record. Somebody else must decide on it."))
        return HttpResponseRedirect(_attempt_address(attempt_id))

    @requires_fresh_login
    def decide_view(self, request: HttpRequest, erasure_id: UUID) -> HttpResponse:
        """Approve or refuse a request."""
        if refused := self.unless_posted(request, "decide_erasure"):
            return refused
        back = reverse("admin:verification_erasure_change", args=[erasure_id])
        try:
            approve = _decision(request)
            erasure = decide_erasure(
                erasure_id=erasure_id,
                approve=approve,
                by=person_of(request),
                runtime=get_runtime(),
            )
        except ServiceError as error:
            return self.refusal(request, error, back)
        done = (
            _("The evidence is erased. Your decision is on record.")
            if approve
            else _("The request is refused. Your decision is on record.")
        )
        messages.success(request, done)
        return HttpResponseRedirect(_attempt_address(erasure.attempt_id))

    def certificate_view(self, request: HttpRequest, erasure_id: UUID) -> HttpResponse:
        """Answer with the certificate of an erasure, to be saved."""
        self._check(request)
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        erasure = self.found(find_erasure(erasure_id))
        try:
            content = erasure_certificate(attempt_id=erasure.attempt_id, runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, erasure_address(erasure))
        name = f"erasure-{erasure.attempt_id}.txt"
        return HttpResponse(
            content,
            content_type="text/plain; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _attempt_address(attempt_id: UUID) -> str:
    return reverse("admin:verification_verificationattempt_change", args=[attempt_id])


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
