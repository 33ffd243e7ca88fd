"""The drop-in endpoints: the vendor's own interface, for clients written for the vendor.

Only base URL and key pair change for them. Answers are the vendor's bytes; a repeated verify gets
the stored bytes of the first and is not sent again. Wire: `verification.faceid.contract`.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from urllib.parse import parse_qsl

from django.http import HttpRequest, HttpResponse
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt

from verification.api.body import received_body
from verification.api.forms import CONTROL, MAX_TOKEN_CHARS
from verification.api.middleware import request_id
from verification.api.packet_digest import PacketDigest
from verification.api.problems import Problem, problem_of
from verification.api.sessions import MAX_PARTS, session_request
from verification.api.vendor import JSON_TYPE, too_large, vendor_error, vendor_problem_response
from verification.faceid.contract import (
    BIZ_TOKEN_FILES,
    BIZ_TOKEN_TEXTS,
    SIGNATURE_FIELDS,
    VERIFY_FILES,
    VERIFY_TEXTS,
)
from verification.faceid.errors import NotProcessed, Rejected
from verification.faceid.multipart import Form, MultipartError, fields, parse
from verification.faceid.signing import SIGN_VERSION, SignError
from verification.lifecycle import State
from verification.models import ApiClient, VerificationAttempt
from verification.models.client import Scope
from verification.services.clients import authenticate_sign
from verification.services.errors import (
    AttemptInFlightError,
    AttemptNotSentError,
    ForeignTokenError,
)
from verification.services.replay import stored_answer
from verification.services.runtime import Runtime, get_runtime
from verification.services.sessions import open_session
from verification.services.submission import Submitted, submit

URLENCODED = "application/x-www-form-urlencoded"
MAX_URLENCODED_BYTES = 64 * 1024
JSON_STARTS = (b"{", b"[")
OK, TOO_LARGE = 200, 413


class VendorError(Exception):
    """An error of the vendor's table: HTTP status, and `CODE` or `CODE:argument`."""

    def __init__(self, status: int, error: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}


@dataclass(frozen=True, slots=True)
class Signed:
    """A form whose signature was found right."""

    client: ApiClient
    form: Form = field(repr=False)
    digest: PacketDigest = field(repr=False)


View = Callable[[HttpRequest], HttpResponse]


def vendor_endpoint(view: View) -> View:
    """Make a view that takes POST alone and words every error as the vendor does."""

    @csrf_exempt
    @no_append_slash
    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        started = time.monotonic()
        identity = request_id(request)
        if request.method != "POST":
            not_allowed = Problem("method_not_allowed", "POST.", headers={"Allow": "POST"})
            return vendor_problem_response(not_allowed, identity)
        try:
            return view(request)
        except VendorError as error:
            used_ms = int((time.monotonic() - started) * 1000)
            return vendor_error(
                error.status, error.error, identity, headers=error.headers, time_used_ms=used_ms
            )
        except Exception as error:  # noqa: BLE001 - whatever happened leaves in the vendor's shape
            return vendor_problem_response(problem_of(error, identity), identity)

    return answer


@vendor_endpoint
def get_biz_token(request: HttpRequest) -> HttpResponse:
    """Open a session; the answer is the vendor's, byte for byte."""
    runtime = get_runtime()
    texts, files = BIZ_TOKEN_TEXTS, BIZ_TOKEN_FILES
    with signed_form(request, texts, files, Scope.SESSIONS_WRITE, runtime) as signed:
        try:
            opened = open_session(
                client=signed.client, request=session_request(signed.form), runtime=runtime
            )
        except Rejected as refused:
            return _vendor_bytes(refused.http_status or TOO_LARGE, refused.raw or b"")
        except NotProcessed:
            # The vendor's own status for it here is 403, unlike that of verify.
            raise VendorError(403, "CONCURRENCY_LIMIT_EXCEEDED", retry_after_s=1) from None
    return _vendor_bytes(OK, opened.raw_answer)


@vendor_endpoint
def verify(request: HttpRequest) -> HttpResponse:
    """Submit an attempt; the answer is the vendor's, byte for byte, also when it is repeated."""
    runtime = get_runtime()
    # A packet sent without a file name arrives as text, which has its own error.
    texts = VERIFY_TEXTS | VERIFY_FILES
    with signed_form(request, texts, VERIFY_FILES, Scope.ATTEMPTS_WRITE, runtime) as signed:
        packet = _packet(signed.form)
        start = signed.form.starts["meglive_data"]
        try:
            submitted = submit(
                client=signed.client,
                biz_token=_biz_token(signed.form),
                packet=packet,
                packet_sha256=signed.digest.of(packet, start=start),
                idempotency_key=None,
                runtime=runtime,
            )
        except ForeignTokenError:
            raise VendorError(400, "BAD_ARGUMENTS:biz_token") from None
        except AttemptInFlightError:
            raise VendorError(429, "CONCURRENCY_LIMIT_EXCEEDED", retry_after_s=1) from None
        except AttemptNotSentError as unsent:
            raise _not_sent(unsent) from None
    return _submitted_answer(submitted, runtime)


@contextmanager
def signed_form(
    request: HttpRequest,
    texts: frozenset[str],
    files: frozenset[str],
    scope: Scope,
    runtime: Runtime,
) -> Iterator[Signed]:
    """Lend the form of a body with its client; its memory is freed on leaving.

    Raises VendorError for what the vendor names, Problem and MultipartError for the rest.
    """
    digest = PacketDigest()
    with received_body(request, conf=runtime.conf, watch=digest.watch) as body:
        form = _form(body, request.META.get("CONTENT_TYPE", ""), texts, files)
        for name in SIGNATURE_FIELDS:
            if not form.texts.get(name):
                raise VendorError(400, f"MISSING_ARGUMENTS:{name}")
        if form.texts["sign_version"] != SIGN_VERSION:
            raise VendorError(400, "BAD_ARGUMENTS:sign_version")
        yield Signed(_client(form.texts["sign"], scope, runtime), form, digest)


def _form(
    body: memoryview, content_type: str, texts: frozenset[str], files: frozenset[str]
) -> Form:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == URLENCODED:
        return _urlencoded(body, texts)
    if kind != "multipart/form-data":
        return Form({}, {})
    parts = parse(body, content_type, max_parts=MAX_PARTS + len(SIGNATURE_FIELDS), max_files=3)
    return fields(parts, texts=texts, files=files)


def _urlencoded(body: memoryview, texts: frozenset[str]) -> Form:
    """Read the other kind of form that clients send by mistake; it cannot carry a packet."""
    if len(body) > MAX_URLENCODED_BYTES:
        raise VendorError(400, "BAD_ARGUMENTS:body")
    try:
        pairs = parse_qsl(
            str(body, "ascii"), keep_blank_values=True, max_num_fields=MAX_PARTS, errors="strict"
        )
    except ValueError:
        raise VendorError(400, "BAD_ARGUMENTS:body") from None
    form = Form({}, {})
    for name, text in pairs:
        if name not in texts:
            raise MultipartError("unknown_field", "A field of this form has an unknown name.")
        if name in form.texts:
            raise MultipartError("duplicate_field", f"The field {name} came twice.", name)
        form.texts[name] = text
    return form


def _client(sign: str, scope: Scope, runtime: Runtime) -> ApiClient:
    try:
        client = authenticate_sign(sign=sign, runtime=runtime)
    except SignError as error:
        raise VendorError(403, f"AUTHORIZATION_ERROR:{error.reason}") from None
    if scope not in client.scopes:
        raise VendorError(403, "AUTHORIZATION_ERROR:NO_VERIFY_PERMISSION")
    return client


def _biz_token(form: Form) -> str:
    token = form.texts.get("biz_token")
    if not token:
        raise VendorError(400, "MISSING_ARGUMENTS:biz_token")
    if len(token) > MAX_TOKEN_CHARS or CONTROL.search(token):
        raise VendorError(400, "BAD_ARGUMENTS:biz_token")
    return token


def _packet(form: Form) -> memoryview:
    packet = form.files.get("meglive_data")
    if "meglive_data" in form.texts or (packet is not None and not packet):
        raise VendorError(400, "MEGLIVE_DATA_ERROR")
    if packet is None:
        raise VendorError(400, "MISSING_ARGUMENTS:meglive_data")
    return packet


def _not_sent(unsent: AttemptNotSentError) -> VendorError:
    if unsent.reason == "upstream_busy":
        return VendorError(429, "CONCURRENCY_LIMIT_EXCEEDED", retry_after_s=1)
    return VendorError(500, "INTERNAL_ERROR", retry_after_s=1)


def _submitted_answer(submitted: Submitted, runtime: Runtime) -> HttpResponse:
    """Return the vendor's bytes, of this call or of the first one; 500 while nobody has any."""
    attempt = submitted.attempt
    if attempt.state not in {State.ANSWERED, State.REJECTED}:
        raise VendorError(500, "INTERNAL_ERROR")
    if submitted.raw_answer is not None:
        return _vendor_bytes(attempt.http_status or OK, submitted.raw_answer)
    stored = stored_answer(attempt=attempt, runtime=runtime)
    if stored is not None:
        return _vendor_bytes(stored.http_status, stored.body)
    return _remembered_answer(attempt)


def _remembered_answer(attempt: VerificationAttempt) -> HttpResponse:
    """Return what the record still says where the vendor's bytes were erased, or were none."""
    if attempt.state == State.REJECTED:
        words = [attempt.error_code or "BAD_ARGUMENTS", attempt.error_argument or ""]
        error = ":".join(word for word in words if word)
        body: dict[str, object] = {"request_id": attempt.request_id, "error": error}
        return _vendor_bytes(attempt.http_status or 400, json.dumps(body).encode())
    body = {
        "request_id": attempt.request_id,
        "biz_no": attempt.biz_no or "",
        "time_used": attempt.time_used_ms or 0,
        "result_code": attempt.result_code,
        "result_message": attempt.result_message,
    }
    return _vendor_bytes(OK, json.dumps(body).encode())


def _vendor_bytes(status: int, body: bytes) -> HttpResponse:
    if status == TOO_LARGE and not body.startswith(JSON_STARTS):
        return too_large()
    is_json = body.lstrip().startswith(JSON_STARTS)
    return HttpResponse(body, status=status, content_type=JSON_TYPE if is_json else "text/plain")
