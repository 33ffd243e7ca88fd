"""Reveals in the admin: one form for each item of evidence, answered with the bytes themselves."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

from django.contrib import admin
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from verification.admin.evidence_viewer import is_image, viewer_context
from verification.admin.middleware import POLICY
from verification.admin.readonly import ReadOnlyAdmin
from verification.admin.refusals import sentence_of, status_of
from verification.models import Evidence
from verification.models.reveal import Purpose
from verification.selectors.images import find_item
from verification.services.errors import BadReasonError, ServiceError
from verification.services.reveals import Revealed, reveal
from verification.services.runtime import get_runtime

ENDINGS: Mapping[str, str] = MappingProxyType(
    {"image/jpeg": "jpg", "image/png": "png", "text/plain; charset=utf-8": "txt"}
)
"""What a browser may show, and how its file is called; anything else is only to be saved."""

ALONE: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)
"""Headers of evidence, beside its policy: it is kept nowhere, and is what we say it is."""

NOTHING = "default-src 'none'; sandbox"
AN_IMAGE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""Policies: it can load, run and send nothing. A browser lays out a lone image with styles of its
own; the image itself cannot bring any."""


@admin.register(Evidence)
class EvidenceAdmin(ReadOnlyAdmin[Evidence]):
    """No pages of its own: items are listed with their attempt, and revealed one by one."""

    def get_urls(self) -> list[URLPattern]:
        """Route the reveal alone."""
        view = self.admin_site.admin_view(self.reveal_view)
        return [path("<uuid:evidence_id>/reveal/", view, name="verification_evidence_reveal")]

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:  # noqa: ARG002
        """Keep it out of lists of pages."""
        return {}

    @method_decorator(sensitive_post_parameters("reason"))
    def reveal_view(self, request: HttpRequest, evidence_id: UUID) -> HttpResponse:
        """Answer with the bytes once the reveal is on record, else with a page that says why.

        With `viewer` in the form, an image comes inside a page that can enlarge it.
        """
        if not request.user.has_perm("verification.reveal_evidence"):
            raise PermissionDenied
        if request.method != "POST":
            return self.only_posted(request)
        try:
            shown = reveal(
                evidence_id=evidence_id,
                officer=cast("AbstractUser", request.user),
                purpose=_purpose(request.POST.get("purpose", "")),
                reason=request.POST.get("reason", ""),
                runtime=get_runtime(),
            )
        except ServiceError as error:
            return self._refusal(request, evidence_id, error)
        if "viewer" in request.POST and is_image(shown):
            return self._viewer(request, evidence_id, shown)
        return _answer(shown, evidence_id)

    def _viewer(self, request: HttpRequest, evidence_id: UUID, shown: Revealed) -> HttpResponse:
        item = self.found(find_item(evidence_id))
        answer = self.page(request, "viewer", _("Evidence"), **viewer_context(item, shown))
        answer.headers["Cache-Control"] = ALONE["Cache-Control"]
        answer.headers["Content-Security-Policy"] = f"{POLICY}; img-src 'self' data:"
        return answer

    def _refusal(
        self, request: HttpRequest, evidence_id: UUID, error: ServiceError
    ) -> HttpResponse:
        again: dict[str, Any] = {}
        if isinstance(error, BadReasonError):
            again = {
                "item_id": evidence_id,
                "purposes": Purpose.choices,
                "given_purpose": request.POST.get("purpose", ""),
                "given_reason": request.POST.get("reason", ""),
                "is_viewer": "viewer" in request.POST,
            }
        return self.page(
            request,
            "refusal",
            _("Evidence is not shown"),
            status=status_of(error),
            sentence=sentence_of(error),
            **again,
        )


def _purpose(value: str) -> Purpose:
    try:
        return Purpose(value)
    except ValueError:
        raise BadReasonError(_("Choose a purpose from the list.")) from None


def _answer(shown: Revealed, evidence_id: UUID) -> HttpResponse:
    ending = ENDINGS.get(shown.content_type)
    place = "inline" if ending else "attachment"
    policy = AN_IMAGE if shown.content_type.startswith("image/") else NOTHING
    kind = re.sub(r"[^A-Za-z0-9_-]", "_", shown.kind)
    name = f"{kind}-{evidence_id}.{ending or 'bin'}"
    return HttpResponse(
        shown.content,
        content_type=shown.content_type,
        headers={
            **ALONE,
            "Content-Security-Policy": policy,
            "Content-Disposition": f'{place}; filename="{name}"',
        },
    )
