"""Where the OpenAPI description and its reader are served; neither needs a key."""

import json
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from verification.api.endpoint import BearerAuthentication
from verification.api.schema import COMPONENTS

# Swagger UI's own style sheet draws its icons from `data:`; nothing else is let in.
READER_POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'"
)
OPENAPI_TYPE = "application/vnd.oai.openapi+json"
INFO = {
    "title": "Verification API",
    "version": "1",
    "description": "Submit FaceID verify attempts, and read the lasting record of each.",
}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped base
    """How an API key is described."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002 - the base's interface
        """Return the security scheme."""
        return {"type": "http", "scheme": "bearer", "description": "A key `vk_...`"}


@csrf_exempt
@no_append_slash
@require_safe
def schema_document(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    """Return the OpenAPI description as JSON."""
    return HttpResponse(description(), content_type=OPENAPI_TYPE)


@lru_cache(maxsize=1)
def description() -> str:
    """Return the description; it does not change while a process runs."""
    generator: Any = SchemaGenerator  # the package types none of its calls
    document: dict[str, Any] = generator().get_schema(request=None, public=True)
    document["info"] = INFO
    document["components"]["schemas"] = COMPONENTS
    return json.dumps(document)


@method_decorator(no_append_slash, name="dispatch")
class ReadableDocument(SpectacularSwaggerSplitView):
    """Swagger UI from our own files: nothing is loaded from elsewhere, nothing is inline."""

    authentication_classes = ()
    permission_classes = ()
    url_name = "api-schema"
    template_name = "verification/api_docs.html"
    title = INFO["title"]

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Bring the page's own policy."""
        finished = super().finalize_response(request, response, *args, **kwargs)
        finished.headers["Content-Security-Policy"] = READER_POLICY
        return finished
