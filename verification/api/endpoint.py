"""The base of the REST endpoints: bearer key, scope, JSON with exact digits, problems."""

import re
from typing import Any, ClassVar, cast

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.common import no_append_slash
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from verification.api.middleware import request_id
from verification.api.problems import Problem, problem_of, problem_response
from verification.models import ApiClient
from verification.models.client import Scope
from verification.models.fields import dump_exact
from verification.services.clients import authenticate_bearer
from verification.services.runtime import get_runtime

BEARER = re.compile(r"Bearer +([!-~]{1,200})", re.IGNORECASE | re.ASCII)
JSON_TYPE = "application/json"


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer vk_...`; the client stands where Django has a user."""

    def authenticate(self, request: Request) -> tuple[ApiClient, None]:
        """Return the client of the key; Problem `unauthenticated`, or `invalid_key`."""
        header = request.META.get("HTTP_AUTHORIZATION", "")
        given = BEARER.fullmatch(header)
        if not given:
            raise Problem("unauthenticated", "Send the header `Authorization: Bearer <key>` once.")
        return authenticate_bearer(token=given[1], now=get_runtime().now()), None


class HasScope(BasePermission):
    """The client's scopes contain one of those the endpoint names for the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return True, or raise Problem `missing_scope`."""
        named: Scope | tuple[Scope, ...] = view.scopes.get(request.method, ())
        needed = (named,) if isinstance(named, Scope) else named
        if needed and not set(needed) & set(calling_client(request).scopes):
            raise Problem(
                "missing_scope",
                f"The key's client lacks the scope {' or '.join(needed)}.",
                headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            )
        return True


class JsonOnly:
    """Content negotiation for an API of one format: every Accept header gets JSON."""

    def select_parser(self, request: Request, parsers: object) -> None:
        """Return no parser: bodies are read by `verification.api.body`."""

    def select_renderer(self, request: Request, renderers: object, suffix: object = None) -> Any:  # noqa: ARG002 - DRF's interface
        """Return no renderer: views make their own responses."""
        return None, JSON_TYPE


@method_decorator(no_append_slash, name="dispatch")
class Endpoint(APIView):
    """Subclasses name the scope of each method and raise what `problem_of` understands.

    Of several scopes for a method, one is enough.
    """

    authentication_classes = (BearerAuthentication,)
    permission_classes = (HasScope,)
    content_negotiation_class = JsonOnly  # type: ignore[assignment]  # the stubs want DRF's base
    parser_classes = ()
    renderer_classes = ()
    throttle_classes = ()
    metadata_class = None
    scopes: ClassVar[dict[str, Scope | tuple[Scope, ...]]] = {}

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # no DRF Response
        """Answer every exception as a problem."""
        identity = request_id(cast("HttpRequest", self.request))
        response = problem_response(problem_of(exc, identity), identity)
        if isinstance(exc, MethodNotAllowed):
            response.headers["Allow"] = ", ".join(self.allowed_methods)
        return response


def calling_client(request: Request) -> ApiClient:
    """Return the client whose key the request carries."""
    return cast("ApiClient", request.user)


def json_response(
    data: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Return `data` as JSON, every Decimal with its own digits."""
    return HttpResponse(
        dump_exact(data),
        status=status,
        content_type=JSON_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
