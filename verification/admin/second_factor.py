"""The pages of the second factor: enrol, give a code, renew recovery codes, reset somebody's."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

import segno
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import AbstractUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters

from verification.admin.fragments import moment
from verification.admin.log_listing import list_rows, way_back
from verification.admin.logins import LoginsForm, login_rows
from verification.admin.readonly import READING, ReadOnlyAdmin
from verification.admin.reauth import code_field, requires_fresh_login, safe_page
from verification.admin.refusals import sentence_of, status_of
from verification.admin.second_step import is_owing, pass_step
from verification.conf import get_conf
from verification.models import SecondFactor
from verification.selectors.logins import staff_entries
from verification.services.errors import (
    FactorStandsError,
    NoFactorError,
    ServiceError,
    TooManyTriesError,
    WrongCodeError,
)
from verification.services.reasons import MAX_REASON, MIN_REASON
from verification.services.runtime import get_runtime
from verification.services.second_factor import (
    Codes,
    Way,
    begin_enrolment,
    check_code,
    confirm_enrolment,
    may_reset,
    renew_codes,
    reset_factor,
    standing,
)
from verification.services.staff import Step, record_login, record_refusal

QUIET_ZONE = 4
GROUP = 4


@dataclass(frozen=True, slots=True)
class Picture:
    """A QR code: how many squares it is wide, and the path over its dark ones, for an SVG."""

    size: int
    path: str = field(repr=False)


class CodeForm(forms.Form):
    """One code."""

    code = code_field()


class ResetForm(forms.Form):
    """Why somebody's second factor is taken away."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        min_length=MIN_REASON,
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Stays in the log for ever, with your name."),
    )


@admin.register(SecondFactor)
class SecondFactorAdmin(ReadOnlyAdmin[SecondFactor]):
    """Pages about one's own factor; one for administrators about somebody else's; logins."""

    def get_urls(self) -> list[URLPattern]:
        """Route all of them."""
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.factor_view), name="verification_factor"),
            path("enrol/", wrap(self.enrol_view), name="verification_factor_enrol"),
            path("code/", wrap(self.code_view), name="verification_factor_code"),
            path("codes/", wrap(self.codes_view), name="verification_factor_codes"),
            path("reset/<int:person_id>/", wrap(self.reset_view), name="verification_factor_reset"),
            path("logins/", wrap(self.logins_view), name="verification_logins"),
        ]

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:  # noqa: ARG002
        """Keep it out of lists of pages."""
        return {}

    def factor_view(self, request: HttpRequest) -> HttpResponse:
        """Say how one's own factor stands."""
        if not get_conf().second_factor:
            return self._not_asked(request)
        stands = standing(_person(request))
        if stands is None:
            return HttpResponseRedirect(reverse("admin:verification_factor_enrol"))
        title = _("Second factor")
        since = moment(stands.confirmed_at)
        return self.page(request, "factor", title, since=since, codes_left=stands.codes_left)

    @method_decorator(sensitive_post_parameters("code"))
    def enrol_view(self, request: HttpRequest) -> HttpResponse:
        """Show the key of a new app, and put it in force by a code."""
        if not get_conf().second_factor:
            return self._not_asked(request)
        form = CodeForm(request.POST if request.method == "POST" else None)
        try:
            enrolment = begin_enrolment(person=_person(request), runtime=get_runtime())
            if form.is_bound and form.is_valid() and (codes := _confirmed(request, form)):
                self._let_in(request, Way.APP)
                return self._codes_page(request, codes, _back(request))
        except (FactorStandsError, NoFactorError):
            return HttpResponseRedirect(reverse("admin:verification_factor"))
        shown = {"key": _grouped(enrolment.key), "picture": _picture(enrolment.address)}
        title = _("Set up your second factor")
        return self._step_page(request, "factor_enrol", title, form, **shown)

    @method_decorator(sensitive_post_parameters("code"))
    def code_view(self, request: HttpRequest) -> HttpResponse:
        """Take the code after the password."""
        if not is_owing(request):
            return HttpResponseRedirect(_back(request))
        if standing(_person(request)) is None:
            return HttpResponseRedirect(reverse("admin:verification_factor_enrol"))
        form = CodeForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid() and (way := _checked(request, form)):
            self._let_in(request, way)
            if way is Way.RECOVERY_CODE:
                _warn_of_codes_left(request)
            return HttpResponseRedirect(_back(request))
        return self._step_page(request, "factor_code", _("Your code"), form)

    @requires_fresh_login
    def codes_view(self, request: HttpRequest) -> HttpResponse:
        """Replace one's recovery codes, and show the new ones once."""
        if not get_conf().second_factor:
            return self._not_asked(request)
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:verification_factor"))
        codes = renew_codes(person=_person(request), runtime=get_runtime())
        return self._codes_page(request, codes, reverse("admin:verification_factor"))

    @requires_fresh_login
    def reset_view(self, request: HttpRequest, person_id: int) -> HttpResponse:
        """Take away somebody's factor, with a reason."""
        by = _person(request)
        if not may_reset(by, None):
            raise PermissionDenied
        person = get_object_or_404(User, pk=person_id)
        if not may_reset(by, person):
            raise PermissionDenied
        back = reverse("admin:auth_user_change", args=[person.pk])
        form = ResetForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            reason = form.cleaned_data["reason"]
            try:
                reset_factor(person=person, by=by, reason=reason, runtime=get_runtime())
            except ServiceError as error:
                return self._refused(request, sentence_of(error), status_of(error), back)
            messages.success(request, _("The second factor is reset, and it is on record."))
            return HttpResponseRedirect(back)
        title = _("Reset a second factor")
        given = {"person": person, "stands": standing(person), "back": back, "form": form}
        return self.page(request, "factor_reset", title, status=_status(form), **given)

    def logins_view(self, request: HttpRequest) -> HttpResponse:
        """Show who logged in, was refused or left, newest first."""
        if not _person(request).has_perm("verification.view_logins"):
            raise PermissionDenied
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        form = LoginsForm(request.GET)
        if elsewhere := way_back(request, form.fields):
            return elsewhere
        found = staff_entries(form.person_id()) if form.is_valid() else staff_entries().none()
        listing = list_rows(request, found, form.given, "")
        title, rows = _("Recent logins"), login_rows(listing.rows)
        status = 200 if form.is_valid() else 400
        given = {"form": form, "listing": listing, "rows": rows}
        return self.page(request, "logins", title, status=status, **given)

    def _let_in(self, request: HttpRequest, way: Way) -> None:
        """Put it on record first: who cannot be recorded is not let in."""
        record_login(person=_person(request), proved_by=way.value, runtime=get_runtime())
        pass_step(request)

    def _step_page(
        self, request: HttpRequest, template: str, title: str, form: forms.Form, **context: Any
    ) -> HttpResponse:
        """Render a page for who is not in yet: without the links and figures of the others."""
        shown = {"form": form, "back": _back(request), "has_permission": False, **context}
        return self.page(request, template, title, status=_status(form), **shown)

    def _codes_page(self, request: HttpRequest, codes: Codes, back: str) -> HttpResponse:
        title = _("Your recovery codes")
        return self.page(request, "factor_codes", title, codes=codes, back=back)

    def _not_asked(self, request: HttpRequest) -> HttpResponse:
        sentence = _("This site asks for no second factor: SECOND_FACTOR is off.")
        return self._refused(request, sentence, HTTPStatus.CONFLICT, reverse("admin:index"))

    def _refused(
        self, request: HttpRequest, sentence: str, status: HTTPStatus, back: str
    ) -> HttpResponse:
        title = _("That was not done")
        return self.page(request, "refusal", title, status=status, sentence=sentence, back=back)


def _person(request: HttpRequest) -> AbstractUser:
    return cast("AbstractUser", request.user)


def _back(request: HttpRequest) -> str:
    return safe_page(request, request.POST.get("next", "") or request.GET.get("next", ""))


def _status(form: forms.Form) -> int:
    return HTTPStatus.BAD_REQUEST if form.is_bound else HTTPStatus.OK


def _confirmed(request: HttpRequest, form: CodeForm) -> Codes | None:
    person, typed = _person(request), form.cleaned_data["code"]
    try:
        return confirm_enrolment(person=person, typed=typed, runtime=get_runtime())
    except WrongCodeError:
        form.add_error("code", _("This is not the code that belongs to the key above."))
        return None


def _checked(request: HttpRequest, form: CodeForm) -> Way | None:
    """Use the code up; what is refused is on record, and said under the field."""
    person = _person(request)
    try:
        return check_code(person=person, typed=form.cleaned_data["code"], runtime=get_runtime())
    except TooManyTriesError:
        record_refusal(typed=person.get_username(), step=Step.LOCKED, runtime=get_runtime())
        raise
    except WrongCodeError:
        record_refusal(typed=person.get_username(), step=Step.CODE, runtime=get_runtime())
        form.add_error("code", _("This code is wrong, or was used before. Wait for the next one."))
        return None


def _warn_of_codes_left(request: HttpRequest) -> None:
    stands = standing(_person(request))
    left = stands.codes_left if stands else 0
    sentence = ngettext(
        "You used a recovery code. %(left)d is left.",
        "You used a recovery code. %(left)d are left.",
        left,
    )
    messages.warning(request, sentence % {"left": left})


def _grouped(key: str) -> str:
    """Return a key in groups of four, to be typed."""
    return " ".join(key[at : at + GROUP] for at in range(0, len(key), GROUP))


def _picture(address: str) -> Picture:
    """Draw the address for the app's camera, one square for each dark place."""
    rows = list(segno.make(address, micro=False).matrix_iter(border=QUIET_ZONE))
    dark = ((x, y) for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
    return Picture(len(rows), "".join(f"M{x} {y}h1v1h-1z" for x, y in dark))
