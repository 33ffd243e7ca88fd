"""Ask for the password again before a sensitive act."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import urlencode, urlsplit

from django import forms
from django.contrib.admin import ModelAdmin
from django.contrib.auth import authenticate, logout
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from verification.admin.session_limits import is_fresh, prove
from verification.services.runtime import get_runtime
from verification.services.staff import record_refusal

MOST_WRONG = 5
WRONG = "staff_wrong"

Own = TypeVar("Own", bound="ModelAdmin[Any]")
Given = ParamSpec("Given")
View = Callable[Concatenate[Own, HttpRequest, Given], HttpResponse]


class PasswordForm(forms.Form):
    """The password of who is logged in."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


def requires_fresh_login(view: View[Own, Given]) -> View[Own, Given]:
    """Have a posting view of a ModelAdmin ask for the password if ten minutes have passed.

    What was posted is not done and not kept: the person returns to the page and posts again.
    """

    @wraps(view)
    def guarded(
        self: Own, request: HttpRequest, *args: Given.args, **kwargs: Given.kwargs
    ) -> HttpResponse:
        if request.method != "POST" or is_fresh(request):
            return view(self, request, *args, **kwargs)
        query = urlencode({"next": _page_of(request)})
        return HttpResponseRedirect(f"{reverse('admin:verification_reauth')}?{query}")

    return cast("View[Own, Given]", guarded)


def confirmed(request: HttpRequest, form: PasswordForm) -> bool:
    """Check the password and note it; at the fifth wrong one the session ends, on record."""
    person = cast("AbstractUser", request.user)
    name = person.get_username()
    if authenticate(request, username=name, password=form.cleaned_data["password"]) == person:
        request.session.pop(WRONG, None)
        prove(request)
        return True
    record_refusal(typed=name, runtime=get_runtime())
    request.session[WRONG] = request.session.get(WRONG, 0) + 1
    if request.session[WRONG] >= MOST_WRONG:
        logout(request)
    form.add_error("password", str(_("This is not your password.")))
    return False


def safe_page(request: HttpRequest, wanted: str) -> str:
    """Return a path of this site, the admin's index for anything else."""
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
        return wanted
    return reverse("admin:index")


def _page_of(request: HttpRequest) -> str:
    """Return the path of the page whose form was posted, as far as the browser tells."""
    came = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(came, {request.get_host()}, request.is_secure()):
        return reverse("admin:index")
    parts = urlsplit(came)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
