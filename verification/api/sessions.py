"""REST: open a session, which is to get a biz_token for one person."""

from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from verification.api import schema
from verification.api.attempt_json import timestamp
from verification.api.body import received_body
from verification.api.endpoint import Endpoint, calling_client, json_response
from verification.api.filters import read_parameters
from verification.api.forms import CONTROL, missing_field, read_form
from verification.api.problems import Problem
from verification.faceid.contract import (
    BIZ_TOKEN_FILES,
    BIZ_TOKEN_TEXTS,
    PARAMETERS,
    SIGNATURE_FIELDS,
    Parameter,
)
from verification.faceid.multipart import Form
from verification.faceid.types import BizTokenRequest, Upload
from verification.models.client import Scope
from verification.services.runtime import get_runtime
from verification.services.sessions import OpenedSession, open_session

TEXTS = BIZ_TOKEN_TEXTS - set(SIGNATURE_FIELDS)
MAX_FILES = len(BIZ_TOKEN_FILES)
MAX_PARTS = len(TEXTS) + MAX_FILES
MAX_OPTION_BYTES = 128
CREATED = 201


class SessionList(Endpoint):
    """Open sessions."""

    http_method_names = ("post",)
    scopes: ClassVar = {"POST": Scope.SESSIONS_WRITE}

    @extend_schema(**schema.OPEN_SESSION)
    def post(self, request: Request) -> HttpResponse:
        """Get a biz_token. Repeating is safe: a token that is lost costs nothing."""
        read_parameters(request.META.get("QUERY_STRING", ""), allowed=())
        runtime = get_runtime()
        with received_body(request, conf=runtime.conf) as body:
            form = read_form(
                body,
                request.META.get("CONTENT_TYPE", ""),
                texts=TEXTS,
                files=BIZ_TOKEN_FILES,
                max_parts=MAX_PARTS,
                max_files=MAX_FILES,
            )
            check_parameters(form)
            opened = open_session(
                client=calling_client(request), request=session_request(form), runtime=runtime
            )
        return json_response(session_json(opened), status=CREATED)


def session_request(form: Form) -> BizTokenRequest:
    """Return what goes to the vendor: the form without a signature."""
    texts = {name: text for name, text in form.texts.items() if name in TEXTS}
    return BizTokenRequest(texts, {name: Upload(data) for name, data in form.files.items()})


def session_json(opened: OpenedSession) -> dict[str, object]:
    """Return a session as JSON. The token stands here and nowhere else: we keep a digest."""
    session = opened.session
    return {
        "id": str(session.pk),
        "biz_token": opened.biz_token,
        "biz_no": session.biz_no or None,
        "subject": session.subject or None,
        "liveness_type": session.liveness_type,
        "request_id": session.request_id,
        "created_at": timestamp(session.created_at),
        "expires_at": timestamp(session.expires_at),
    }


def check_parameters(form: Form) -> None:
    """Hold a form against the contract's table; Problem `missing_field` or `invalid_field`."""
    for parameter in PARAMETERS:
        name = parameter.name
        if name not in form.texts and name not in form.files:
            if parameter.required:
                raise missing_field(name)
        elif name in form.files:
            if not form.files[name]:
                raise Problem("invalid_field", f"The file {name} is empty.", extra={"field": name})
        elif rule := _broken_rule(parameter, form.texts[name]):
            raise Problem("invalid_field", f"The field {name} {rule}.", extra={"field": name})


def _broken_rule(parameter: Parameter, text: str) -> str | None:
    """Return the rule that a text breaks, as the end of a sentence."""
    max_bytes = parameter.max_bytes or MAX_OPTION_BYTES
    if not text and parameter.required:
        return "is empty"
    if len(text.encode()) > max_bytes or CONTROL.search(text):
        return f"has at most {max_bytes} bytes, none of them control characters"
    if parameter.kind == "choice" and text not in parameter.choices:
        return f"is one of {', '.join(parameter.choices)}"
    if parameter.low is not None and parameter.high is not None:
        is_integer = text.isascii() and text.isdigit() and len(text) <= len(str(parameter.high))
        if not is_integer or not parameter.low <= int(text) <= parameter.high:
            return f"is an integer from {parameter.low} to {parameter.high}"
    return None
