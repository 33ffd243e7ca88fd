"""What each member of the staff chooses for themselves, and the page that asks who they are."""

import zoneinfo
from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone, translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from verification.admin.readonly import ReadOnlyAdmin
from verification.admin.reauth import PasswordForm, confirmed, safe_page
from verification.conf import get_conf
from verification.models import Preference

CHOSEN = "staff_preference"


def _zones() -> list[tuple[str, str]]:
    names = sorted(each for each in zoneinfo.available_timezones() if "/" in each or each == "UTC")
    return [("", str(_("As the site: %(zone)s") % {"zone": settings.TIME_ZONE}))] + [
        (each, each.replace("_", " ")) for each in names
    ]


def _languages() -> list[tuple[str, str]]:
    return [("", str(_("As the site"))), *settings.LANGUAGES]


class PreferenceForm(forms.Form):
    """Time zone and language; empty means the site's."""

    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), choices=_zones, required=False)
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=_languages, required=False)


class PreferenceMiddleware:
    """Show times and texts as the person chose, in the admin; stands behind SessionMiddleware.

    Whatever else stands at this site speaks to machines, which are told the same in every language.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Activate both for this request alone."""
        if not request.path_info.startswith(reverse("admin:index")):
            return self.get_response(request)
        zone, language = _chosen(request)
        with (
            timezone.override(zone or settings.TIME_ZONE),
            translation.override(language or settings.LANGUAGE_CODE),
        ):
            return self.get_response(request)


@admin.register(Preference)
class PreferenceAdmin(ReadOnlyAdmin[Preference]):
    """Two pages for everyone on the staff, about nobody but themselves."""

    def get_urls(self) -> list[URLPattern]:
        """Route both."""
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.preference_view), name="verification_preference"),
            path("confirm/", wrap(self.reauth_view), name="verification_reauth"),
        ]

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:  # noqa: ARG002
        """Keep it out of lists of pages."""
        return {}

    def preference_view(self, request: HttpRequest) -> HttpResponse:
        """Show the choice, or keep another one."""
        if request.method == "POST":
            form = PreferenceForm(request.POST)
            if form.is_valid():
                return self._keep(request, form)
        else:
            zone, language = _stored(cast("AbstractUser", request.user).pk)
            form = PreferenceForm(initial={"time_zone": zone, "language": language})
        status = 400 if form.is_bound else 200
        given = {"form": form, "has_factor": get_conf().second_factor}
        return self.page(request, "preference", _("Preferences"), status=status, **given)

    @method_decorator(sensitive_post_parameters("password"))
    def reauth_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the password, then lead back to the page; nothing is done on the way."""
        wanted = request.POST.get("next", "") or request.GET.get("next", "")
        back = safe_page(request, wanted)
        form = PasswordForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid() and confirmed(request, form):
            messages.info(request, _("Thank you. Now do again what you wanted to do."))
            return HttpResponseRedirect(back)
        if not request.user.is_authenticated:
            return HttpResponseRedirect(reverse("admin:login"))
        status = 400 if form.is_bound else 200
        title = _("Is it still you?")
        return self.page(request, "reauth", title, status=status, form=form, back=back)

    def _keep(self, request: HttpRequest, form: PreferenceForm) -> HttpResponse:
        person = cast("AbstractUser", request.user)
        Preference.objects.update_or_create(person_id=person.pk, defaults=form.cleaned_data)
        request.session[CHOSEN] = _stored(person.pk)
        messages.success(request, _("Your choice is kept."))
        return HttpResponseRedirect(reverse("admin:verification_preference"))


def _chosen(request: HttpRequest) -> tuple[str, str]:
    """Return what the session remembers, so that no page asks the database for it.

    Who has not logged in yet reads the language of their browser, as far as we have it.
    """
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or SESSION_KEY not in request.session:
        return "", translation.get_language_from_request(request)
    zone, language = request.session.get(CHOSEN, ("", ""))
    known = zone if zone in zoneinfo.available_timezones() else ""
    return known, language if language in dict(settings.LANGUAGES) else ""


def _stored(person_id: int) -> tuple[str, str]:
    found = Preference.objects.filter(person_id=person_id).first()
    return (found.time_zone, found.language) if found else ("", "")


def _remember(*, request: HttpRequest | None, user: AbstractUser, **_kwargs: Any) -> None:
    if request is not None:
        request.session[CHOSEN] = _stored(user.pk)


user_logged_in.connect(_remember, dispatch_uid="verification.preferences")
