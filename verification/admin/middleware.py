"""What every page of the site gets: a Content-Security-Policy, and who acts, for the log."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from verification.services.acting import acting_as

POLICY = (
    "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)


class ContentSecurityPolicyMiddleware:
    """Send `POLICY` with every answer that does not bring its own.

    Nothing from elsewhere and nothing inline: text that slipped through as markup still could
    not run, load, or send anything.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add the header unless the view set one."""
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class ActingStaffMiddleware:
    """While staff post a form, entries that the database stages name them as who acts.

    Stands behind AuthenticationMiddleware. Reading changes nothing, so it costs nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Name the member of staff, if this is a post of one who is logged in."""
        user = getattr(request, "user", None)
        if request.method != "POST" or user is None or not user.is_staff:
            return self.get_response(request)
        with acting_as(user.get_username()):
            return self.get_response(request)
