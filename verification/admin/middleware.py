"""What every page of the site gets: a policy, who acts, and words where the database refuses."""

import logging
from collections.abc import Callable
from http import HTTPStatus

import psycopg
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from psycopg.errors import InsufficientPrivilege

from verification.services.acting import acting_as

logger = logging.getLogger(__name__)

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


REFUSED = gettext_noop(
    "The database does not allow this site to do that, so nothing was done. Here no account is "
    "deleted, because its actions stay on record: switch it off instead. Jobs of the queue are "
    "looked at by an operator. If it was something else, tell an operator."
)
UNREADABLE = gettext_noop(
    "The database holds something here that no program of ours has written and no page can show. "
    "Rely on nothing in this record. Tell an operator: they run ledger_verify."
)


class DatabaseRefusalMiddleware:
    """Say in plain words what the database does not let the admin do, or what it cannot show.

    The web process has a role of few privileges; the owner of the tables can write values that
    Python has not. Stands behind AuthenticationMiddleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass everything on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for a page of the admin; leave all other exceptions to the framework."""
        match = request.resolver_match
        if match is None or match.app_name != "admin":
            return None
        cause = error.__cause__
        if isinstance(cause, InsufficientPrivilege):
            # It names a table, and no value.
            logger.error("the admin was refused: %s", cause.diag.message_primary)
            return _page(request, REFUSED, HTTPStatus.FORBIDDEN)
        if isinstance(cause, psycopg.DataError) and cause.sqlstate is None:
            logger.error("the admin was given a value that Python has not")
            return _page(request, UNREADABLE, HTTPStatus.INTERNAL_SERVER_ERROR)
        return None


def _page(request: HttpRequest, sentence: str, status: HTTPStatus) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("That was not done") if status == HTTPStatus.FORBIDDEN else _("Cannot be shown"),
        "sentence": _(sentence),
    }
    page = render(request, "verification/admin/refusal.html", context, status=status)
    add_never_cache_headers(page)
    return page
