"""Reads of checkpoints: the one of a size, and the one over a staged entry."""

from django.db.models import Subquery

from verification.models import LedgerCheckpoint, LedgerEntry


def checkpoint_of_size(size: int) -> LedgerCheckpoint | None:
    """Return the checkpoint of exactly this size."""
    return LedgerCheckpoint.objects.filter(pk=size).first()


def checkpoint_over(staged_no: int) -> LedgerCheckpoint | None:
    """Return the first checkpoint that seals what had this number on the stage."""
    index = LedgerEntry.objects.filter(staged_no=staged_no).values("index")
    sealing = LedgerCheckpoint.objects.filter(size__gt=Subquery(index[:1]))
    return sealing.order_by("size").first()
