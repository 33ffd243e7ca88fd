"""Where the OpenAPI description and its reader are served."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from verification.api.endpoint import BearerAuthentication
from verification.api.schema import COMPONENTS

SETTINGS = {
    "TITLE": "Verification API",
    "DESCRIPTION": "Submit FaceID verify attempts, and read the lasting record of each.",
    "VERSION": "1",
    "APPEND_COMPONENTS": {"schemas": COMPONENTS},
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}


class BearerScheme(OpenApiAuthenticationExtension):
    """How an API key is described."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002 - the base's interface
        """Return the security scheme."""
        return {"type": "http", "scheme": "bearer", "description": "A key `vk_...`"}


class SchemaDocument(SpectacularAPIView):
    """The OpenAPI description; it holds no secrets and needs no key."""

    authentication_classes = ()
    permission_classes = ()
    custom_settings = SETTINGS


class ReadableDocument(SpectacularSwaggerSplitView):
    """Swagger UI from our own files: nothing is loaded from elsewhere, nothing is inline."""

    authentication_classes = ()
    permission_classes = ()
    url_name = "api-schema"
    template_name = "verification/api_docs.html"
    title = "Verification API"
