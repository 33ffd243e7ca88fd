"""Legal holds in the admin: placed on an attempt's page, lifted by somebody else on their own."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from verification.admin.acting import ActingAdmin, may, person_of
from verification.admin.facts import Fact
from verification.admin.fragments import brief_moment, moment, number_or_none, text
from verification.admin.numbers import grouped
from verification.models import LegalHold, VerificationAttempt
from verification.selectors.holds import (
    SHOWN,
    covered_by,
    find_hold,
    holds_on,
    lifted_holds,
    open_holds,
)
from verification.services.errors import BadReasonError, ServiceError
from verification.services.holding import PERMISSION, lift_hold, place_hold, subject_digest
from verification.services.runtime import get_runtime

SCOPES = {"attempt": False, "subject": True}


def hold_address(hold: LegalHold) -> str:
    """Return the path of a hold's page."""
    return reverse("admin:verification_legalhold_change", args=[hold.pk])


def holds_of(
    attempt: VerificationAttempt, person: AbstractUser | AnonymousUser
) -> dict[str, Any] | None:
    """Return what `_holds.html` shows on an attempt's page; nothing for who may not see holds."""
    if not person.has_perm("verification.view_retention"):
        return None
    digest = None
    if attempt.subject is not None:
        digest = subject_digest(attempt.subject, digest_key=get_runtime().conf.digest_key)
    rows = [_row(each) for each in holds_on(attempt, digest)]
    may_place = person.has_perm(f"verification.{PERMISSION}")
    is_whole = {row["is_subject"] for row in rows}
    return {
        "rows": rows,
        "place_attempt": may_place and False not in is_whole,
        "place_subject": may_place and digest is not None and True not in is_whole,
    }


@admin.register(LegalHold)
class HoldAdmin(ActingAdmin[LegalHold]):
    """Open holds, newest first, then those that were lifted."""

    def get_urls(self) -> list[URLPattern]:
        """Add the two acts to list and page."""
        wrap = self.admin_site.admin_view
        name = "verification_legalhold"
        return [
            path("place/<uuid:attempt_id>/", wrap(self.place_view), name=f"{name}_place"),
            path("<uuid:hold_id>/lift/", wrap(self.lift_view), name=f"{name}_lift"),
            *super().get_urls(),
        ]

    def has_view_permission(self, request: HttpRequest, obj: LegalHold | None = None) -> bool:  # noqa: ARG002
        """Who sees retention sees holds."""
        return may(request, "view_retention")

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the holds."""
        return self.page(
            request,
            "hold_list",
            _("Legal holds"),
            rows=[_row(each) for each in open_holds()[:SHOWN]],
            lifted=[_row(each) for each in lifted_holds()[:SHOWN]],
            **context,
        )

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Return one hold, and the form to lift it for who may."""
        hold = self.found(find_hold(record_id))
        return self.page(
            request,
            "hold",
            _("Legal hold"),
            hold=hold,
            facts=_facts(hold),
            heading=number_or_none(hold.attempt.biz_no) if hold.attempt else _("All of a subject"),
            attempt=_attempt_address(hold.attempt_id) if hold.attempt_id else None,
            is_open=hold.lifted_at is None,
            is_own=hold.placed_by_id == request.user.pk,
            may_lift=may(request, PERMISSION),
        )

    @method_decorator(sensitive_post_parameters("reason"))
    def place_view(self, request: HttpRequest, attempt_id: UUID) -> HttpResponse:
        """Place a hold on an attempt, or on its subject."""
        if refused := self.unless_posted(request, PERMISSION):
            return refused
        back = _attempt_address(attempt_id)
        try:
            place_hold(
                attempt_id=attempt_id,
                whole_subject=_scope(request),
                reason=request.POST.get("reason", ""),
                by=person_of(request),
                runtime=get_runtime(),
            )
        except ServiceError as error:
            return self.refusal(request, error, back)
        messages.success(request, _("The hold is in place: nobody can erase what it covers."))
        return HttpResponseRedirect(back)

    @method_decorator(sensitive_post_parameters("reason"))
    def lift_view(self, request: HttpRequest, hold_id: UUID) -> HttpResponse:
        """Lift a hold that somebody else has placed."""
        if refused := self.unless_posted(request, PERMISSION):
            return refused
        back = reverse("admin:verification_legalhold_change", args=[hold_id])
        try:
            lift_hold(
                hold_id=hold_id,
                reason=request.POST.get("reason", ""),
                by=person_of(request),
                runtime=get_runtime(),
            )
        except ServiceError as error:
            return self.refusal(request, error, back)
        messages.success(request, _("The hold is lifted. Your name and reason are on record."))
        return HttpResponseRedirect(back)


def _row(hold: LegalHold) -> dict[str, Any]:
    return {
        "address": hold_address(hold),
        "is_subject": hold.attempt_id is None,
        "reason": text(hold.reason),
        "by": text(hold.placed_by.get_username()),
        "when": brief_moment(hold.placed_at),
        "since": moment(hold.placed_at),
        "lifted_by": text(hold.lifted_by.get_username()) if hold.lifted_by else None,
        "lifted": brief_moment(hold.lifted_at) if hold.lifted_at else None,
    }


def _facts(hold: LegalHold) -> list[Fact]:
    found = [
        Fact(_("Reason"), text(hold.reason)),
        Fact(_("Placed by"), text(hold.placed_by.get_username())),
        Fact(_("Placed"), moment(hold.placed_at)),
        Fact(_("Attempts that it covers"), text(grouped(covered_by(hold).count()))),
    ]
    if hold.lifted_by:
        found += [
            Fact(_("Lifted by"), text(hold.lifted_by.get_username())),
            Fact(_("Lifted"), moment(hold.lifted_at)),
            Fact(_("Why it was lifted"), text(hold.lift_reason)),
        ]
    return found


def _attempt_address(attempt_id: UUID) -> str:
    return reverse("admin:verification_verificationattempt_change", args=[attempt_id])


def _scope(request: HttpRequest) -> bool:
    is_whole = SCOPES.get(request.POST.get("scope", ""))
    if is_whole is None:
        raise BadReasonError(_("Choose this attempt, or all attempts of its subject."))
    return is_whole
