"""Reasons that people give for what stays on record with their name."""

from django.contrib.auth.models import AbstractUser

from verification.services.errors import BadReasonError, NotPermittedError
from verification.services.settlement import visible

MIN_REASON = 10
MAX_REASON = 500


def read_reason(text: str) -> str:
    """Return the reason as it is stored, its line breaks as spaces.

    Raises BadReasonError unless it has MIN_REASON to MAX_REASON characters, all of which show.
    """
    reason = " ".join(text.replace("\r", "\n").split("\n")).strip()
    if not MIN_REASON <= len(reason) <= MAX_REASON:
        raise BadReasonError(f"Give a reason of {MIN_REASON} to {MAX_REASON} characters.")
    if visible(reason, MAX_REASON) != reason:
        raise BadReasonError("The reason holds control characters or others that do not show.")
    return reason


def check_permission(person: AbstractUser, codename: str) -> None:
    """Raise NotPermittedError unless the person is active and has the permission of our app."""
    if not person.has_perm(f"verification.{codename}"):
        raise NotPermittedError("Your role does not include this.")
