"""Requests for rights as staff see them, and whether rights take two people."""

from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group
from django.db.models import Q, QuerySet

from verification.models import RightsChange, RightsSeal
from verification.models.rights import Growth

SHOWN = 200


def is_sealed() -> bool:
    """Return whether the database lets rights grow by two people only."""
    return RightsSeal.objects.exists()


def lacks_seal() -> bool:
    """Return whether there are staff, whose rights one person alone can still make more."""
    staff = get_user_model().objects.filter(is_active=True, is_staff=True)
    return staff.exists() and not is_sealed()


def changes_to_look_at() -> QuerySet[RightsChange]:
    """Return what waits for somebody, oldest first: requests, and glass that was broken."""
    waiting = Q(decision=None) | Q(glass_broken=True, glass_reviewed_at=None)
    return _whole().filter(waiting).order_by("requested_at", "id")[:SHOWN]


def changes_lately(limit: int) -> QuerySet[RightsChange]:
    """Return the newest that wait for nobody."""
    waiting = Q(decision=None) | Q(glass_broken=True, glass_reviewed_at=None)
    return _whole().exclude(waiting)[:limit]


def find_change(change_id: UUID) -> RightsChange | None:
    """Return a request with its people."""
    return _whole().filter(pk=change_id).first()


def find_account(account_id: str) -> AbstractUser | None:
    """Return an account by the text of its id."""
    model = get_user_model()
    try:
        found = model.objects.filter(pk=account_id).first()
    except (ValueError, OverflowError):
        return None
    return found if isinstance(found, AbstractUser) else None


def possible_growth(account: AbstractUser) -> list[tuple[Growth, Group | None]]:
    """Return what the account could get: roles it lacks, its way back, or everything."""
    held = set(account.groups.values_list("pk", flat=True))
    found: list[tuple[Growth, Group | None]] = [
        (Growth.ROLE, each) for each in Group.objects.order_by("name") if each.pk not in held
    ]
    if (held or account.is_superuser) and not (account.is_active and account.is_staff):
        found.append((Growth.RETURN, None))
    if not account.is_superuser:
        found.append((Growth.SUPERUSER, None))
    return found


def _whole() -> QuerySet[RightsChange]:
    people = ("account", "role", "requested_by", "decided_by", "glass_reviewed_by")
    return RightsChange.objects.select_related(*people)
