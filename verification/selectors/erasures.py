"""Erasures as staff see them: those to decide, and one with what it is about."""

from uuid import UUID

from django.db.models import Prefetch, QuerySet

from verification.models import Erasure, Evidence

SHOWN = 200


def erasures_to_decide() -> QuerySet[Erasure]:
    """Return the open requests, oldest first, at most SHOWN."""
    return _whole().filter(decision=None).order_by("requested_at", "id")[:SHOWN]


def find_erasure(erasure_id: UUID) -> Erasure | None:
    """Return a request with its people, its attempt and the attempt's evidence, in two queries."""
    evidence = Evidence.objects.defer("sealed").order_by("kind")
    prefetch = Prefetch("attempt__evidence", queryset=evidence)
    return _whole().prefetch_related(prefetch).filter(pk=erasure_id).first()


def last_erasure_of(attempt_id: UUID) -> Erasure | None:
    """Return the newest request about an attempt, decided or not."""
    return _whole().filter(attempt_id=attempt_id).first()


def _whole() -> QuerySet[Erasure]:
    return Erasure.objects.select_related("attempt", "requested_by", "decided_by").defer(
        "attempt__token_digest", "attempt__commitment_key"
    )
