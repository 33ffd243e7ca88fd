"""Filters that people keep under a name."""

from django.db.models import QuerySet

from verification.models import SavedFilter

DESK = "desk"


def saved_filters(owner_id: int) -> QuerySet[SavedFilter]:
    """Return somebody's filters of the desk, by name."""
    return SavedFilter.objects.filter(owner_id=owner_id, page=DESK)
