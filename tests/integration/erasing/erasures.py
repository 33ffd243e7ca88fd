"""Erasures as two people make them."""

from uuid import UUID

from django.contrib.auth.models import User

from verification.models import Erasure
from verification.models.erasure import LegalBasis
from verification.services.erasing import decide_erasure, request_erasure
from verification.services.runtime import Runtime

REASON = "the person asked for it by letter"


def ask(attempt_id: UUID, by: User, runtime: Runtime) -> Erasure:
    """Ask for an erasure."""
    return request_erasure(
        attempt_id=attempt_id,
        legal_basis=LegalBasis.SUBJECT_REQUEST,
        reason=REASON,
        by=by,
        runtime=runtime,
    )


def decide(erasure: Erasure, by: User, runtime: Runtime, *, approve: bool = True) -> Erasure:
    """Decide on a request."""
    return decide_erasure(erasure_id=erasure.pk, approve=approve, by=by, runtime=runtime)


def erase(attempt_id: UUID, by: User, then: User, runtime: Runtime) -> Erasure:
    """Ask and approve."""
    return decide(ask(attempt_id, by, runtime), then, runtime)
