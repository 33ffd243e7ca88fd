"""Other attempts beside one, each group with what they share."""

from django.utils.functional import Promise

from verification.admin.review_wording import RELATIONS
from verification.models import VerificationAttempt
from verification.selectors.reviews import related_of


def related_groups(
    attempt: VerificationAttempt,
) -> list[tuple[Promise, tuple[VerificationAttempt, ...]]]:
    """Return what is related, by why; groups without any are absent."""
    return [(RELATIONS[each.relation], each.attempts) for each in related_of(attempt)]
