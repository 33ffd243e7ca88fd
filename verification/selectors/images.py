"""Images of an attempt: what they are called, never what they show."""

from uuid import UUID

from verification.models import Evidence

IMAGE = "image"
"""Kinds of evidence that begin like this are images."""


def find_item(evidence_id: UUID) -> Evidence | None:
    """Return an item with its attempt, without the sealed bytes."""
    found = Evidence.objects.select_related("attempt").defer("sealed")
    return found.filter(pk=evidence_id).first()


def images_beside(evidence: Evidence) -> list[Evidence]:
    """Return the attempt's other images, without the sealed bytes."""
    found = Evidence.objects.filter(attempt_id=evidence.attempt_id, kind__startswith=IMAGE)
    return list(found.exclude(pk=evidence.pk).defer("sealed").order_by("kind"))
