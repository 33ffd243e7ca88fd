"""Requests for large exports as staff see them."""

from uuid import UUID

from django.db.models import QuerySet

from verification.models import ExportRequest

SHOWN = 200


def requests_to_decide() -> QuerySet[ExportRequest]:
    """Return the open requests, oldest first, at most SHOWN."""
    return _whole().filter(decision=None).order_by("requested_at", "id")[:SHOWN]


def requests_lately(limit: int) -> QuerySet[ExportRequest]:
    """Return the newest that were decided."""
    return _whole().exclude(decision=None)[:limit]


def find_request(request_id: UUID) -> ExportRequest | None:
    """Return a request with its people."""
    return _whole().filter(pk=request_id).first()


def _whole() -> QuerySet[ExportRequest]:
    return ExportRequest.objects.select_related("requested_by", "decided_by", "ended_by")
