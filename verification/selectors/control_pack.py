"""What an auditor's pack tells beside the controls: who holds which role, and the policy."""

from collections.abc import Iterator

from django.contrib.auth import get_user_model

from verification.models import ReviewPolicy

ROLE_COLUMNS = ("account", "role", "is_active", "is_staff", "is_superuser")


def roles_held() -> Iterator[tuple[str, ...]]:
    """Yield each account of the staff with each of its roles, oldest account first."""
    accounts = get_user_model().objects.exclude(is_staff=False, is_superuser=False, groups=None)
    for each in accounts.order_by("pk").distinct().prefetch_related("groups"):
        flags = [
            str(is_set).lower() for is_set in (each.is_active, each.is_staff, each.is_superuser)
        ]
        roles = sorted(group.name for group in each.groups.all())
        for role in roles or ["none"]:
            yield (each.get_username(), role, *flags)


def policy_versions() -> list[ReviewPolicy]:
    """Return every version with its people, oldest first."""
    people = ("proposed_by", "decided_by")
    return list(ReviewPolicy.objects.select_related(*people).order_by("version"))
