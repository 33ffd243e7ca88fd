"""REST: the proof that all entries about an attempt stand in the sealed log."""

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from verification.api import schema
from verification.api.endpoint import JSON_TYPE, Endpoint, calling_client
from verification.api.filters import read_parameters
from verification.api.problems import Problem
from verification.ledger.proof_document import to_json
from verification.models.client import Scope
from verification.selectors.attempts import is_own
from verification.services.errors import NotSealedError
from verification.services.proving import prove_attempts
from verification.services.runtime import get_runtime


class AttemptProof(Endpoint):
    """What an auditor checks offline."""

    http_method_names = ("get", "head")
    scopes: ClassVar = {"GET": Scope.ATTEMPTS_READ, "HEAD": Scope.ATTEMPTS_READ}

    @extend_schema(**schema.PROVE_ATTEMPT)
    def get(self, request: Request, attempt_id: UUID) -> HttpResponse:
        """Return the proof of one of the client's attempts, under the newest checkpoint."""
        read_parameters(request.META.get("QUERY_STRING", ""), allowed=())
        if not is_own(client=calling_client(request), attempt_id=attempt_id):
            raise Problem("not_found", "This client has no attempt of this id.")
        runtime = get_runtime()
        try:
            document = prove_attempts([attempt_id], reasons=False, runtime=runtime)
        except NotSealedError as error:
            wait_s = runtime.conf.ledger_checkpoint_s
            raise Problem("not_sealed", str(error), retry_after_s=wait_s) from error
        headers = {"Cache-Control": "no-store"}
        return HttpResponse(to_json(document), content_type=JSON_TYPE, headers=headers)
