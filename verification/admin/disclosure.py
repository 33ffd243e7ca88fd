"""What an attempt's page offers about its evidence: reveal, erase, and who has done so."""

from typing import Any

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.urls import reverse

from verification.admin.access import access_address, access_rows
from verification.admin.erasures import erasure_address, request_facts
from verification.admin.holds import holds_of
from verification.models import VerificationAttempt
from verification.models.erasure import Decision, LegalBasis
from verification.models.reveal import Purpose
from verification.selectors.access import access_events
from verification.selectors.erasures import last_erasure_of

Person = AbstractUser | AnonymousUser


def disclosure(attempt: VerificationAttempt, person: Person) -> dict[str, Any]:
    """Return the context of `_reveal.html`, `_erasure.html`, `_holds.html` and `_access.html`.

    What the person may not do is absent; all of it is checked again when it is done.
    """
    key = getattr(attempt, "evidence_key", None)
    is_kept = key is not None and key.erased_at is None
    may = {each for each in ("reveal_evidence", "view_reveal") if _may(person, each)}
    return {
        "purposes": Purpose.choices if is_kept and "reveal_evidence" in may else None,
        "erasure": _erasure(attempt, person, is_kept=is_kept) if key else None,
        "holds": holds_of(attempt, person),
        "access": access_rows(access_events(attempt_id=attempt.pk))
        if "view_reveal" in may
        else None,
        "access_of_subject": access_address(attempt.subject) if attempt.subject else None,
    }


def _erasure(
    attempt: VerificationAttempt, person: Person, *, is_kept: bool
) -> dict[str, Any] | None:
    last = last_erasure_of(attempt.pk)
    is_open = last is not None and last.decision is None
    is_erased = last is not None and last.decision == Decision.APPROVED
    can_ask = is_kept and not is_open and _may(person, "request_erasure")
    can_view = _may(person, "view_erasure")
    shown = last if can_view and (is_open or is_erased) else None
    if not can_ask and shown is None:
        return None
    return {
        "bases": LegalBasis.choices if can_ask else None,
        "facts": request_facts(shown) if shown else None,
        "is_open": is_open,
        "is_own": shown is not None and shown.requested_by_id == person.pk,
        "may_decide": _may(person, "decide_erasure"),
        "address": erasure_address(shown) if shown else None,
        "certificate": reverse("admin:verification_erasure_certificate", args=[shown.pk])
        if shown and is_erased
        else None,
    }


def _may(person: Person, codename: str) -> bool:
    return person.has_perm(f"verification.{codename}")
