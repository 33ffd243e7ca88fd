"""Ask for the password, and the code of who has a second factor, again before a sensitive act."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import urlencode, urlsplit

from django import forms
from django.contrib.admin import ModelAdmin
from django.contrib.auth import authenticate, logout
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from verification.admin.session_limits import is_fresh, prove
from verification.conf import get_conf
from verification.services.errors import WrongCodeError
from verification.services.runtime import get_runtime
from verification.services.second_factor import check_code
from verification.services.staff import Step, record_refusal

MOST_WRONG = 5
LONGEST_CODE = 40
WRONG = "staff_wrong"
WRONG_PASSWORD = _("This is not your password.")
WRONG_BOTH = _("The password or the code is wrong, or the code was used before.")

Own = TypeVar("Own", bound="ModelAdmin[Any]")
Given = ParamSpec("Given")
View = Callable[Concatenate[Own, HttpRequest, Given], HttpResponse]


def code_field() -> forms.CharField:
    """Return the field for a code of the app, or a recovery code."""
    return forms.CharField(
        label=_("Code"),
        max_length=LONGEST_CODE,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "spellcheck": "false", "autofocus": True}
        ),
    )


class PasswordForm(forms.Form):
    """The password of who is logged in, and a code where the site asks for a second factor."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    code = code_field()

    def __init__(self, data: QueryDict | None) -> None:
        super().__init__(data)
        self.fields["code"].widget.attrs.pop("autofocus")
        if not get_conf().second_factor:
            del self.fields["code"]


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
    """Check what was given and note it; at the fifth wrong time the session ends, on record.

    Does not say whether password or code was wrong. Raises what `check_code` does.
    """
    person = cast("AbstractUser", request.user)
    step = _refused_step(request, person, form)
    if step is None:
        request.session.pop(WRONG, None)
        prove(request)
        return True
    record_refusal(typed=person.get_username(), step=step, runtime=get_runtime())
    request.session[WRONG] = request.session.get(WRONG, 0) + 1
    if request.session[WRONG] >= MOST_WRONG:
        logout(request)
    form.add_error("password", str(WRONG_BOTH if "code" in form.fields else WRONG_PASSWORD))
    return False


def safe_page(request: HttpRequest, wanted: str) -> str:
    """Return a path of this site, the admin's index for anything else."""
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
        return wanted
    return reverse("admin:index")


def _refused_step(request: HttpRequest, person: AbstractUser, form: PasswordForm) -> Step | None:
    """Return what was wrong; a code is looked at, and used up, only beside the right password."""
    given = form.cleaned_data
    if authenticate(request, username=person.get_username(), password=given["password"]) != person:
        return Step.PASSWORD
    if "code" not in form.fields:
        return None
    try:
        check_code(person=person, typed=given["code"], runtime=get_runtime())
    except WrongCodeError:
        return Step.CODE
    return None


def _page_of(request: HttpRequest) -> str:
    """Return the path of the page whose form was posted, as far as the browser tells."""
    came = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(came, {request.get_host()}, request.is_secure()):
        return reverse("admin:index")
    parts = urlsplit(came)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
