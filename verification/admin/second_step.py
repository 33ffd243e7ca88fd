"""Between the password and the admin: nothing is shown to who owes the second factor."""

from collections.abc import Callable
from http import HTTPStatus
from math import ceil
from typing import Any, cast
from urllib.parse import urlencode

import django_otp
from django.contrib import admin, messages
from django.contrib.auth import logout
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from verification.admin.session_limits import prove
from verification.conf import get_conf
from verification.models import SecondFactor
from verification.services.errors import NoFactorError, TooManyTriesError
from verification.services.runtime import get_runtime
from verification.services.second_factor import standing

PASSED = "staff_second_factor"
OPEN = frozenset(
    {"login", "logout", "jsi18n", "verification_factor_enrol", "verification_factor_code"}
)
"""Names of addresses of the admin that need no second factor."""


class SecondStepMiddleware:
    """Lead who gave a password only to the page of the code, or of the enrolment.

    Also says in plain words that there were too many tries. Stands behind OTPMiddleware and
    MessageMiddleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass everything on: which page is meant is known only later."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponseBase | None:
        """Turn away from every page of the admin; what was posted there is not done."""
        if not _is_shut(request) or not is_owing(request):
            return None
        if PASSED in request.session:
            return _end(request)
        back = request.get_full_path() if request.method == "GET" else reverse("admin:index")
        return HttpResponseRedirect(f"{_step(request)}?{urlencode({'next': back})}")

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer 429 for too many wrong passwords or codes, whoever they were for."""
        if isinstance(error, NoFactorError):  # reset meanwhile: the gate leads on from there
            return HttpResponseRedirect(reverse("admin:index"))
        return too_many_tries(request, error) if isinstance(error, TooManyTriesError) else None


def is_owing(request: HttpRequest) -> bool:
    """Return whether this is a member of the staff who gave the password only."""
    if not get_conf().second_factor:
        return False
    user = cast("Any", request.user)
    return bool(user.is_active and user.is_staff and not user.is_verified())


def pass_step(request: HttpRequest) -> None:
    """Let the person in: under another session key, with a proof that is fresh."""
    factor = SecondFactor.objects.get(user_id=request.user.pk, confirmed=True)
    django_otp.login(request, factor)
    request.session.cycle_key()
    rotate_token(request)
    request.session[PASSED] = True
    prove(request)


def too_many_tries(request: HttpRequest, error: TooManyTriesError) -> HttpResponse:
    """Say until when nothing is looked at, in the officer's zone."""
    until = timezone.localtime(error.until)
    context = {
        **admin.site.each_context(request),
        "title": _("Too many tries"),
        "sentence": _(
            "Too many wrong tries in a row. Until %(until)s nothing more is looked at, "
            "right or wrong. Then try again."
        )
        % {"until": f"{until:%H:%M:%S %Z}"},
    }
    if is_owing(request):
        context["has_permission"] = False
    status = HTTPStatus.TOO_MANY_REQUESTS
    page = render(request, "verification/admin/refusal.html", context, status=status)
    wait_s = (error.until - get_runtime().now()).total_seconds()
    page.headers["Retry-After"] = str(max(1, ceil(wait_s)))
    add_never_cache_headers(page)
    return page


def _is_shut(request: HttpRequest) -> bool:
    """Return whether an address is one of the admin, or of what is routed inside it."""
    match = request.resolver_match
    if match is None or "admin" not in match.app_names:
        return False
    return match.app_names != ["admin"] or match.url_name not in OPEN


def _step(request: HttpRequest) -> str:
    has_factor = standing(cast("AbstractUser", request.user)) is not None
    return reverse(f"admin:verification_factor_{'code' if has_factor else 'enrol'}")


def _end(request: HttpRequest) -> HttpResponseRedirect:
    """End a session whose factor was taken away: whoever sits there must begin anew."""
    logout(request)
    messages.info(request, _("Your second factor was reset. Please log in again."))
    return HttpResponseRedirect(reverse("admin:login"))
