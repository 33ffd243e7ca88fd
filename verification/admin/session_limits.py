"""How long a session of the staff lasts, and how long ago its owner proved who they are."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from verification.conf import get_conf
from verification.services.runtime import get_runtime

SINCE, SEEN, PROVED = "staff_since", "staff_seen", "staff_proved"
FRESH_S = 600
NOTED_EVERY_S = 60


def now_s() -> float:
    """Return the present as the session stores it: seconds since the epoch."""
    return get_runtime().now().timestamp()


def is_fresh(request: HttpRequest) -> bool:
    """Return whether the password was given within the last ten minutes."""
    return bool(0 <= now_s() - request.session.get(PROVED, 0) <= FRESH_S)


def prove(request: HttpRequest) -> None:
    """Note that the password was given now."""
    request.session[PROVED] = now_s()


class SessionLimitsMiddleware:
    """Log out who did nothing for a while, or logged in too long ago.

    Stands behind MessageMiddleware. Requests without a session of the staff cost nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """End a session that is over; what was posted into it is not done."""
        has_cookie = settings.SESSION_COOKIE_NAME in request.COOKIES
        if not has_cookie or SESSION_KEY not in request.session or not _is_over(request):
            return self.get_response(request)
        logout(request)
        messages.info(request, _("You were logged out after a while. Please log in again."))
        back = request.get_full_path() if request.method == "GET" else reverse("admin:index")
        return HttpResponseRedirect(f"{reverse('admin:login')}?{urlencode({'next': back})}")


def _is_over(request: HttpRequest) -> bool:
    conf, now = get_conf(), now_s()
    since = request.session.setdefault(SINCE, now)
    seen = request.session.setdefault(SEEN, now)
    if now - since > conf.session_absolute_s or now - seen > conf.session_idle_s:
        return True
    if now - seen >= NOTED_EVERY_S:
        request.session[SEEN] = now
    return False


def _begin(*, request: HttpRequest | None, **_kwargs: Any) -> None:
    """Start the clocks of a session anew when somebody logs in."""
    if request is None:
        return  # Django's signal knows logins without a request, which have no session
    now = now_s()
    request.session.update({SINCE: now, SEEN: now, PROVED: now})


user_logged_in.connect(_begin, dispatch_uid="verification.session_limits")
