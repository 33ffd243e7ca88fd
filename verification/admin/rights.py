"""Rights in the admin: asked for on an account's page, decided by somebody else on their own."""

from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.translation import gettext as _

from verification.admin.acting import ActingAdmin, person_of, read_approval
from verification.admin.facts import Fact
from verification.admin.fragments import brief_moment, moment, text
from verification.admin.reauth import requires_fresh_login
from verification.admin.refusals import sentence_of, status_of
from verification.models import RightsChange
from verification.models.rights import Growth, RightsDecision
from verification.selectors.rights_changes import (
    changes_lately,
    changes_to_look_at,
    find_account,
    find_change,
    possible_growth,
)
from verification.services.errors import BadReasonError, ServiceError
from verification.services.rights import (
    break_glass_for_rights,
    decide_rights,
    request_rights,
    review_rights_glass,
    withdraw_rights,
)
from verification.services.runtime import get_runtime

LATELY = 20


def what(change: RightsChange) -> str:
    """Return in words what somebody gets."""
    if change.role is not None:
        return _("Role %(role)s") % {"role": change.role.name}
    return str(Growth(change.growth).label)


def standing(change: RightsChange) -> str:
    """Return in words where a request stands."""
    if change.decision is None:
        return _("waits for a second person")
    if change.glass_broken:
        return (
            _("glass broken, not looked at yet")
            if change.glass_reviewed_at is None
            else _("glass broken, looked at")
        )
    return str(RightsDecision(change.decision).label)


def change_facts(change: RightsChange) -> list[Fact]:
    """Return who asked what for whom, and what came of it."""
    found = [
        Fact(_("For"), text(change.account.get_username())),
        Fact(_("What"), text(what(change))),
        Fact(_("Reason"), text(change.reason)),
        Fact(_("Requested by"), text(change.requested_by.get_username())),
        Fact(_("Requested"), moment(change.requested_at)),
        Fact(_("State"), text(standing(change))),
    ]
    if change.decided_by is not None:
        found.append(Fact(_("Decided by"), text(change.decided_by.get_username())))
        found.append(Fact(_("Decided"), moment(change.decided_at)))
    if change.glass_reviewed_by is not None:
        found.append(Fact(_("Looked at by"), text(change.glass_reviewed_by.get_username())))
        found.append(Fact(_("Looked at"), moment(change.glass_reviewed_at)))
    return found


@admin.register(RightsChange)
class RightsChangeAdmin(ActingAdmin[RightsChange]):
    """What waits for somebody, oldest first, and what was decided lately."""

    def get_urls(self) -> list[URLPattern]:
        """Add asking, deciding, taking back and looking at broken glass."""
        wrap = self.admin_site.admin_view
        name = "verification_rightschange"
        return [
            path("request/<str:account_id>/", wrap(self.request_view), name=f"{name}_request"),
            path("<uuid:change_id>/decide/", wrap(self.decide_view), name=f"{name}_decide"),
            path("<uuid:change_id>/withdraw/", wrap(self.withdraw_view), name=f"{name}_withdraw"),
            path("<uuid:change_id>/look/", wrap(self.look_view), name=f"{name}_look"),
            *super().get_urls(),
        ]

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return what waits, and the last decisions."""
        return self.page(
            request,
            "rights_list",
            _("Rights to decide"),
            rows=[_row(each) for each in changes_to_look_at()],
            lately=[_row(each) for each in changes_lately(LATELY)],
            **context,
        )

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Return one request, with what this person may do about it."""
        change = self.found(find_change(record_id))
        person = cast("AbstractUser", request.user)
        concerned = {change.requested_by_id, change.account_id}
        may_decide = person.has_perm("verification.decide_rights")
        waits_for_look = change.glass_broken and change.glass_reviewed_at is None
        return self.page(
            request,
            "rights_change",
            _("Rights of %(name)s") % {"name": change.account.get_username()},
            change=change,
            facts=change_facts(change),
            account_address=_account_address(str(change.account_id)),
            is_open=change.decision is None,
            is_own=change.requested_by_id == person.pk,
            is_concerned=person.pk in concerned,
            may_decide=may_decide,
            waits_for_look=waits_for_look,
        )

    @requires_fresh_login
    def request_view(self, request: HttpRequest, account_id: str) -> HttpResponse:
        """Ask for rights for an account, or give them alone by breaking the glass."""
        self.require(request, "request_rights")
        account = find_account(account_id)
        if account is None:
            raise Http404("There is no such account.")
        if request.method != "POST":
            return self._form(request, account)
        try:
            return self._requested(request, account)
        except ServiceError as error:
            return self._form(request, account, sentence_of(error), status_of(error))

    @requires_fresh_login
    def decide_view(self, request: HttpRequest, change_id: UUID) -> HttpResponse:
        """Approve or refuse a request."""
        if refused := self.unless_posted(request, "decide_rights"):
            return refused
        try:
            approve = read_approval(request)
            change = decide_rights(
                change_id=change_id, approve=approve, by=person_of(request), runtime=get_runtime()
            )
        except ServiceError as error:
            return self.refusal(request, error, _address(change_id))
        done = _("The rights are given.") if approve else _("The request is refused.")
        messages.success(request, f"{done} {_('Your decision is on record.')}")
        return HttpResponseRedirect(_address(change.pk))

    @requires_fresh_login
    def withdraw_view(self, request: HttpRequest, change_id: UUID) -> HttpResponse:
        """Take one's own request back."""
        if refused := self.unless_posted(request, "request_rights"):
            return refused
        try:
            withdraw_rights(change_id=change_id, by=person_of(request), runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, _address(change_id))
        messages.success(request, _("You have taken the request back."))
        return HttpResponseRedirect(_address(change_id))

    @requires_fresh_login
    def look_view(self, request: HttpRequest, change_id: UUID) -> HttpResponse:
        """Say that broken glass was looked at."""
        if refused := self.unless_posted(request, "decide_rights"):
            return refused
        try:
            review_rights_glass(change_id=change_id, by=person_of(request), runtime=get_runtime())
        except ServiceError as error:
            return self.refusal(request, error, _address(change_id))
        messages.success(request, _("It is on record that you have looked at it."))
        return HttpResponseRedirect(_address(change_id))

    def _requested(self, request: HttpRequest, account: AbstractUser) -> HttpResponse:
        growth, role_id = _wanted(request.POST.get("what", ""))
        is_glass = "glass" in request.POST
        act = break_glass_for_rights if is_glass else request_rights
        change = act(
            account_id=str(account.pk),
            growth=growth,
            role_id=role_id,
            reason=request.POST.get("reason", ""),
            by=person_of(request),
            runtime=get_runtime(),
        )
        if is_glass:
            messages.warning(request, _("Given by you alone. Somebody else has to look at it."))
        else:
            messages.success(request, _("The request is on record. Somebody else must decide."))
        return HttpResponseRedirect(_address(change.pk))

    def _form(
        self, request: HttpRequest, account: AbstractUser, problem: str = "", status: int = 200
    ) -> HttpResponse:
        person = person_of(request)
        options = [
            (_option(growth, role.pk if role else None), _label(growth, role.name if role else ""))
            for growth, role in possible_growth(account)
            if growth != Growth.SUPERUSER or person.is_superuser
        ]
        return self.page(
            request,
            "rights_request",
            _("More rights for %(name)s") % {"name": account.get_username()},
            status=status,
            options=options,
            problem=problem,
            given_what=request.POST.get("what", ""),
            given_reason=request.POST.get("reason", ""),
            may_break_glass=person.has_perm("verification.break_glass"),
            account_address=_account_address(str(account.pk)),
        )


def _row(change: RightsChange) -> dict[str, object]:
    return {
        "address": _address(change.pk),
        "account": text(change.account.get_username()),
        "what": what(change),
        "by": text(change.requested_by.get_username()),
        "when": brief_moment(change.requested_at),
        "state": standing(change),
        "reason": text(change.reason),
    }


def _address(change_id: UUID) -> str:
    return reverse("admin:verification_rightschange_change", args=[change_id])


def _account_address(account_id: str) -> str | None:
    """Return the page of an account; none where the host has no such page."""
    try:
        return reverse("admin:auth_user_change", args=[account_id])
    except NoReverseMatch:
        return None


def _option(growth: Growth, role_id: int | None) -> str:
    return growth.value if role_id is None else f"{growth.value}:{role_id}"


def _label(growth: Growth, role: str) -> str:
    return _("Role %(role)s") % {"role": role} if role else str(growth.label)


def _wanted(value: str) -> tuple[Growth, int | None]:
    """Read one of `_option`."""
    growth, _colon, role_id = value.partition(":")
    try:
        return Growth(growth), int(role_id) if role_id else None
    except ValueError:
        raise BadReasonError(_("Choose what is to be given.")) from None
