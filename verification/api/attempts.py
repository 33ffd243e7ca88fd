"""REST: submit an attempt, list attempts, read one, export them as CSV."""

import base64
from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from verification.api import schema
from verification.api.attempt_json import attempt_json
from verification.api.body import received_body
from verification.api.endpoint import Endpoint, calling_client, json_response
from verification.api.filters import (
    FILE_PARAMETERS,
    PAGE_PARAMETERS,
    READERS,
    attempt_query,
    cursor_of,
    export_as_of,
    page_size,
    position_of,
    read_parameters,
    streamed_form,
)
from verification.api.forms import idempotency_key, read_form, required_file, required_text
from verification.api.packet_digest import PacketDigest
from verification.api.problems import Problem
from verification.lifecycle import State
from verification.models import ApiClient, LedgerCheckpoint
from verification.models.client import Scope
from verification.selectors.attempts import AttemptQuery, find_attempt, list_page, newest_places
from verification.selectors.export_form import Blocks, FileForm
from verification.selectors.exports import attempts_file
from verification.services.errors import ExportsBusyError
from verification.services.export_shape import CONTENT_TYPES
from verification.services.export_slots import EXPORTS, ExportStream
from verification.services.exporting import ExportRecord, record_export
from verification.services.runtime import get_runtime
from verification.services.submission import Submitted, submit

CREATED, OK, ACCEPTED = 201, 200, 202


class AttemptList(Endpoint):
    """Submit an attempt; list one's own."""

    http_method_names = ("get", "head", "post")
    scopes: ClassVar = {
        "GET": Scope.ATTEMPTS_READ,
        "HEAD": Scope.ATTEMPTS_READ,
        "POST": Scope.ATTEMPTS_WRITE,
    }

    @extend_schema(**schema.SUBMIT_ATTEMPT)
    def post(self, request: Request) -> HttpResponse:
        """Verify one packet. Repeating is safe: the same biz_token is never sent twice."""
        read_parameters(request.META.get("QUERY_STRING", ""), allowed=())
        key = idempotency_key(request.META.get("HTTP_IDEMPOTENCY_KEY"))
        runtime = get_runtime()
        digest = PacketDigest()
        with received_body(request, conf=runtime.conf, watch=digest.watch) as body:
            content_type = request.META.get("CONTENT_TYPE", "")
            form = read_form(body, content_type, texts={"biz_token"}, files={"meglive_data"})
            packet = required_file(form, "meglive_data")
            submitted = submit(
                client=calling_client(request),
                biz_token=required_text(form, "biz_token"),
                packet=packet,
                packet_sha256=digest.of(packet, start=form.starts["meglive_data"]),
                idempotency_key=key,
                runtime=runtime,
            )
        return submitted_response(submitted)

    @extend_schema(**schema.LIST_ATTEMPTS)
    def get(self, request: Request) -> HttpResponse:
        """Return a page of the client's attempts, newest first."""
        query_string = request.META.get("QUERY_STRING", "")
        parameters = read_parameters(query_string, allowed={*READERS, *PAGE_PARAMETERS})
        page = list_page(
            attempt_query(parameters, client=calling_client(request)),
            after=position_of(parameters),
            size=page_size(parameters),
        )
        following = cursor_of(page.next_after) if page.next_after else None
        places = newest_places(attempt.pk for attempt in page.attempts)
        results = [attempt_json(attempt, places.get(attempt.pk)) for attempt in page.attempts]
        return json_response({"results": results, "next_cursor": following})


class AttemptDetail(Endpoint):
    """One attempt."""

    http_method_names = ("get", "head")
    scopes: ClassVar = {"GET": Scope.ATTEMPTS_READ, "HEAD": Scope.ATTEMPTS_READ}

    @extend_schema(**schema.READ_ATTEMPT)
    def get(self, request: Request, attempt_id: UUID) -> HttpResponse:
        """Return one of the client's attempts; another client's does not exist for it."""
        read_parameters(request.META.get("QUERY_STRING", ""), allowed=())
        attempt = find_attempt(client=calling_client(request), attempt_id=attempt_id)
        if attempt is None:
            raise Problem("not_found", "This client has no attempt of this id.")
        return json_response(attempt_json(attempt, newest_places([attempt_id]).get(attempt_id)))


EXPORT_RETRY_AFTER_S = 5.0


class AttemptExport(Endpoint):
    """Attempts as CSV."""

    http_method_names = ("get",)
    scopes: ClassVar = {"GET": Scope.ATTEMPTS_EXPORT}

    @extend_schema(**schema.EXPORT_ATTEMPTS)
    def get(self, request: Request) -> StreamingHttpResponse:
        """Put the export on record, then stream the client's attempts, in constant memory."""
        allowed = READERS.keys() | FILE_PARAMETERS
        parameters = read_parameters(request.META.get("QUERY_STRING", ""), allowed=allowed)
        client = calling_client(request)
        query = attempt_query(parameters, client=client)
        form, as_of = streamed_form(parameters), export_as_of(parameters)
        record, stream = recorded_export(query, client, form, as_of)
        told = {"Verification-As-Of": str(as_of.size)} if as_of else {}
        return StreamingHttpResponse(
            stream,
            content_type=CONTENT_TYPES[form.layout],
            headers={
                "Content-Disposition": f'attachment; filename="attempts{form.suffix}"',
                "Cache-Control": "no-store",
                **told,
                **export_headers(record),
            },
        )


def recorded_export(
    query: AttemptQuery, client: ApiClient, form: FileForm, as_of: LedgerCheckpoint | None
) -> tuple[ExportRecord, ExportStream]:
    """Return the record of an export and its stream; what finds no slot is not recorded."""
    recorded: list[ExportRecord] = []

    def start() -> Blocks:
        record = record_export(
            by=client.name,
            interface="api",
            client_id=client.pk,
            query=query,
            form=form,
            as_of=as_of,
            runtime=get_runtime(),
        )
        recorded.append(record)
        return attempts_file(query, form=form, as_of=as_of)

    try:
        stream = EXPORTS.stream(start)
    except ExportsBusyError as error:
        raise Problem(error.code, str(error), retry_after_s=EXPORT_RETRY_AFTER_S) from error
    return recorded[0], stream


def export_headers(record: ExportRecord) -> dict[str, str]:
    """Name the export, and hand out the log's checkpoint: whoever keeps it holds an anchor."""
    headers = {"Verification-Export": str(record.id)}
    if record.checkpoint is not None:
        headers["Verification-Checkpoint"] = base64.b64encode(record.checkpoint).decode()
    return headers


def submitted_response(submitted: Submitted) -> HttpResponse:
    """Return 201 for an attempt sent now, 200 for a known one, 202 while it is in doubt.

    The log is asked about a known one only: the entries of one sent now are still staged.
    """
    attempt = submitted.attempt
    headers = {"Location": reverse("attempt-detail", kwargs={"attempt_id": attempt.pk})}
    status, place = CREATED, None
    if submitted.is_replay:
        status, place = OK, newest_places([attempt.pk]).get(attempt.pk)
        headers["Idempotent-Replayed"] = "true"
    if attempt.state == State.IN_DOUBT:
        status = ACCEPTED
    return json_response(attempt_json(attempt, place), status=status, headers=headers)
