"""REST: exports as files. Ask for one, see how far it is, take it, cancel it."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import FileResponse, HttpResponse
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from verification.api import schema
from verification.api.attempt_json import timestamp
from verification.api.endpoint import Endpoint, calling_client, json_response
from verification.api.filters import EXPORT_READERS, JOB_PARAMETERS, export_shape, read_parameters
from verification.api.problems import Problem
from verification.models import ExportJob
from verification.models.client import Scope
from verification.models.export_job import JobState
from verification.selectors.export_jobs import jobs_of
from verification.selectors.record import AttemptFilter
from verification.services.errors import (
    ExportFormError,
    ExportStateError,
    TooManyExportsError,
    UnknownExportError,
    UnprovableExportError,
)
from verification.services.export_files import ExportFolder
from verification.services.export_jobs import cancel_job, find_own, hand_out, start_client_job
from verification.services.export_shape import content_type, read_shape
from verification.services.runtime import get_runtime

ACCEPTED = 202
RETRY_AFTER_S = 5.0
SHOWN = 50


class ExportList(Endpoint):
    """A client's files."""

    http_method_names = ("get", "head", "post")
    scopes: ClassVar = {
        "GET": Scope.ATTEMPTS_EXPORT,
        "HEAD": Scope.ATTEMPTS_EXPORT,
        "POST": Scope.ATTEMPTS_EXPORT,
    }

    @extend_schema(**schema.START_EXPORT)
    def post(self, request: Request) -> HttpResponse:
        """Ask for a file of the client's attempts; each call is an export of its own, on record."""
        allowed = EXPORT_READERS.keys() | JOB_PARAMETERS
        parameters = read_parameters(request.META.get("QUERY_STRING", ""), allowed=allowed)
        given: dict[str, Any] = {
            name: read(name, parameters[name])
            for name, read in EXPORT_READERS.items()
            if name in parameters
        }
        _folder()
        try:
            job = start_client_job(
                which=AttemptFilter(**given),
                shape=export_shape(parameters),
                client=calling_client(request),
                runtime=get_runtime(),
            )
        except TooManyExportsError as error:
            raise Problem("too_many_exports", str(error), retry_after_s=RETRY_AFTER_S) from error
        except (UnprovableExportError, ExportFormError) as error:
            raise Problem("invalid_parameter", str(error)) from error
        location = reverse("export-detail", kwargs={"export_id": job.pk})
        return json_response(export_json(job), status=ACCEPTED, headers={"Location": location})

    @extend_schema(**schema.LIST_EXPORTS)
    def get(self, request: Request) -> HttpResponse:
        """Return the newest of the client's files."""
        read_parameters(request.META.get("QUERY_STRING", ""), allowed=())
        found = jobs_of(calling_client(request))[:SHOWN]
        return json_response({"results": [export_json(each) for each in found]})


class ExportDetail(Endpoint):
    """One of the client's files."""

    http_method_names = ("get", "head", "delete")
    scopes: ClassVar = {
        "GET": Scope.ATTEMPTS_EXPORT,
        "HEAD": Scope.ATTEMPTS_EXPORT,
        "DELETE": Scope.ATTEMPTS_EXPORT,
    }

    @extend_schema(**schema.READ_EXPORT)
    def get(self, request: Request, export_id: UUID) -> HttpResponse:
        """Return how far it is, or what it came to."""
        read_parameters(request.META.get("QUERY_STRING", ""), allowed=())
        try:
            job = find_own(export_id, calling_client(request))
        except UnknownExportError as error:
            raise _unknown() from error
        return json_response(export_json(job))

    @extend_schema(**schema.CANCEL_EXPORT)
    def delete(self, request: Request, export_id: UUID) -> HttpResponse:
        """Cancel one that is not ready; that it was asked for stays on record."""
        read_parameters(request.META.get("QUERY_STRING", ""), allowed=())
        try:
            job = cancel_job(job_id=export_id, owner=calling_client(request), runtime=get_runtime())
        except UnknownExportError as error:
            raise _unknown() from error
        except ExportStateError as error:
            raise Problem("export_not_open", str(error)) from error
        return json_response(export_json(job))


class ExportFile(Endpoint):
    """The bytes of one of the client's files."""

    http_method_names = ("get",)
    scopes: ClassVar = {"GET": Scope.ATTEMPTS_EXPORT}

    @extend_schema(**schema.READ_EXPORT_FILE)
    def get(self, request: Request, export_id: UUID) -> FileResponse:
        """Hand the file out; that is on record before the first byte."""
        read_parameters(request.META.get("QUERY_STRING", ""), allowed=())
        try:
            job, file = hand_out(
                job_id=export_id,
                owner=calling_client(request),
                folder=_folder(),
                runtime=get_runtime(),
            )
        except UnknownExportError as error:
            raise _unknown() from error
        except ExportStateError as error:
            raise Problem("export_not_ready", str(error), retry_after_s=RETRY_AFTER_S) from error
        shape = read_shape(job.form)
        return FileResponse(
            file,
            content_type=content_type(shape),
            headers={
                "Content-Disposition": f'attachment; filename="attempts{shape.suffix}"',
                "Cache-Control": "no-store",
                "Verification-Export": str(job.pk),
                "Verification-SHA256": str(job.sha256),
            },
        )


def export_json(job: ExportJob) -> dict[str, object]:
    """Return a file's standing; `docs/reference/api.md`."""
    shape = read_shape(job.form)
    is_ready = job.state == JobState.DONE
    return {
        "id": str(job.pk),
        "state": job.state,
        "problem": job.problem,
        "layout": "bundle" if shape.is_bundle else shape.layout.value,
        "gzip": shape.is_gzipped,
        "as_of": job.as_of_size,
        "created_at": timestamp(job.asked_at),
        "done": job.done,
        "total": job.total,
        "rows": job.rows if job.sha256 else None,
        "size_bytes": job.size_bytes if job.sha256 else None,
        "sha256": job.sha256,
        "finished_at": timestamp(job.finished_at),
        "expires_at": timestamp(job.expires_at),
        "file": reverse("export-file", kwargs={"export_id": job.pk}) if is_ready else None,
    }


def _folder() -> ExportFolder:
    path = get_runtime().conf.export_dir
    if path is None:
        raise Problem("not_ready", "No folder for exports is set: take the stream.")
    return ExportFolder(path)


def _unknown() -> Problem:
    return Problem("not_found", "This client has no export of this id.")
