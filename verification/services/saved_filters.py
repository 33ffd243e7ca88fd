"""Keep filters of the desk under a name, for each person; they are no record."""

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.translation import gettext_noop as _

from verification.models import SavedFilter
from verification.selectors.saved_filters import DESK, saved_filters
from verification.services.errors import BadReasonError
from verification.services.runtime import Runtime
from verification.services.settlement import visible

LONGEST_NAME, LONGEST_QUERY, MOST = 60, 1000, 50


def save_filter(*, name: str, query: str, by: AbstractUser, runtime: Runtime) -> SavedFilter:
    """Keep a filter; one of the same name is replaced. BadReasonError for a name that cannot be."""
    kept = _read_name(name)
    if len(query) > LONGEST_QUERY:
        raise BadReasonError(_("This filter is too long to be kept."))
    with transaction.atomic():
        others = saved_filters(by.pk).exclude(name=kept).select_for_update()
        if len(others) >= MOST:
            raise BadReasonError(
                _("You can keep %(most)s filters. Delete one first."), {"most": MOST}
            )
        row, _made = SavedFilter.objects.update_or_create(
            owner_id=by.pk,
            page=DESK,
            name=kept,
            defaults={"query": query},
            create_defaults={"query": query, "created_at": runtime.now()},
        )
    return row


def rename_filter(*, filter_id: int, name: str, by: AbstractUser) -> None:
    """Give one of one's own another name. BadReasonError if it is taken."""
    kept = _read_name(name)
    with transaction.atomic():
        if saved_filters(by.pk).filter(name=kept).exclude(pk=filter_id).exists():
            raise BadReasonError(_("You have another filter of this name."))
        saved_filters(by.pk).filter(pk=filter_id).update(name=kept)


def delete_filter(*, filter_id: int, by: AbstractUser) -> None:
    """Delete one of one's own; safe to repeat."""
    saved_filters(by.pk).filter(pk=filter_id).delete()


def _read_name(name: str) -> str:
    kept = name.strip()
    if not 1 <= len(kept) <= LONGEST_NAME or visible(kept, LONGEST_NAME) != kept:
        raise BadReasonError(_("Give a name of 1 to %(most)s characters."), {"most": LONGEST_NAME})
    return kept
