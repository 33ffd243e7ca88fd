"""Reasons that people give for what stays on record with their name."""

import unicodedata

from django.contrib.auth.models import AbstractUser
from django.utils.translation import gettext_noop as _

from verification.services.errors import BadReasonError, NotPermittedError
from verification.services.settlement import visible

MIN_REASON = 10
MAX_REASON = 500
BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0))))
)
"""Letters, marks and symbols that have no shape: fillers, joiners, selectors of variants."""

PICTURE = "\ufe0f"
"""Stands behind a sign that is to be a picture, as keyboards write it; it counts for nothing."""


def read_reason(text: str) -> str:
    """Return the reason as it is stored, its line breaks as spaces.

    Raises BadReasonError unless it has MIN_REASON to MAX_REASON characters, all of which show.
    """
    reason = " ".join(text.replace("\r", "\n").split("\n")).strip()
    if len(reason.replace(PICTURE, "")) < MIN_REASON or len(reason) > MAX_REASON:
        raise BadReasonError(
            _("Give a reason of %(least)s to %(most)s characters."),
            {"least": MIN_REASON, "most": MAX_REASON},
        )
    if visible(reason, MAX_REASON) != reason or any(map(_is_blank, reason)):
        raise BadReasonError(_("The reason holds control characters or others that do not show."))
    return reason


def _is_blank(character: str) -> bool:
    """Return whether a character, no control or format character, shows nothing all the same."""
    return character in BLANK or unicodedata.category(character) in {"Cn", "Co"}


def check_permission(person: AbstractUser, codename: str) -> None:
    """Raise NotPermittedError unless the person is active staff with the permission of our app.

    The database lets staff only, too.
    """
    if not person.is_staff or not person.has_perm(f"verification.{codename}"):
        raise NotPermittedError(_("Your role does not include this."))
