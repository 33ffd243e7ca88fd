"""Hints to who was named in a note; they are no record."""

from collections.abc import Collection

from django.contrib.auth.models import AbstractUser

from verification.selectors.reviews import unseen_mentions
from verification.services.runtime import Runtime


def see_mentions(*, mention_ids: Collection[int], by: AbstractUser, runtime: Runtime) -> int:
    """Mark those of one's own among them as seen; return how many. Safe to repeat."""
    found = unseen_mentions(by.pk).select_related(None).order_by()
    return found.filter(pk__in=mention_ids).update(seen_at=runtime.now())
