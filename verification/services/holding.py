"""Legal holds: place one on an attempt or a subject, lift one as somebody else.

While a hold is open the database refuses to destroy the keys that it covers, whoever asks.
"""

import hashlib
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.translation import gettext_noop as _

from verification.identifiers import uuid7
from verification.models import LegalHold, VerificationAttempt
from verification.selectors.holds import held_attempts
from verification.services.errors import (
    EvidenceHeldError,
    FourEyesError,
    HoldLiftedError,
    HoldStandsError,
    UnknownAttemptError,
    UnknownHoldError,
)
from verification.services.reasons import check_permission, read_reason
from verification.services.retention_entries import lifted_entry, placed_entry
from verification.services.retention_lock import wait_for_destructions
from verification.services.runtime import Runtime
from verification.services.staging import stage
from verification.vault.digest import keyed_digest

PERMISSION = "hold_evidence"


def subject_digest(subject: str, *, digest_key: bytes) -> bytes:
    """Return the keyed digest by which holds on a subject are found."""
    return keyed_digest(digest_key, f"legal hold:{subject}")


def place_hold(
    *, attempt_id: UUID, whole_subject: bool, reason: str, by: AbstractUser, runtime: Runtime
) -> LegalHold:
    """Keep the evidence of an attempt, or of all attempts of its subject, those to come included.

    Raises NotPermittedError, BadReasonError, UnknownAttemptError, and HoldStandsError if that
    hold is open already: so repeating does no harm.
    """
    check_permission(by, PERMISSION)
    said = read_reason(reason)
    attempt = VerificationAttempt.objects.only("subject").filter(pk=attempt_id).first()
    if attempt is None:
        raise UnknownAttemptError(_("There is no such attempt."))
    if not whole_subject:
        return _place(LegalHold(attempt_id=attempt_id, reason=said), by, runtime)
    if attempt.subject is None:
        raise UnknownAttemptError(_("The attempt has no subject."))
    return _place(_on_subject(attempt.subject, said, runtime), by, runtime)


def place_hold_on_subject(
    *, subject: str, reason: str, by: AbstractUser, runtime: Runtime
) -> LegalHold:
    """Keep the evidence of all attempts of a subject, those to come included; as `place_hold`."""
    check_permission(by, PERMISSION)
    return _place(_on_subject(subject, read_reason(reason), runtime), by, runtime)


def lift_hold(*, hold_id: UUID, reason: str, by: AbstractUser, runtime: Runtime) -> LegalHold:
    """End a hold that somebody else has placed.

    Raises NotPermittedError, BadReasonError, UnknownHoldError, FourEyesError, and HoldLiftedError
    if it was lifted before: so repeating does no harm.
    """
    check_permission(by, PERMISSION)
    said = read_reason(reason)
    with transaction.atomic():
        wait_for_destructions()
        row = _lock_open(hold_id, by)
        row.lift_reason, row.lifted_by_id, row.lifted_at = said, by.pk, runtime.now()
        row.save(update_fields=["lift_reason", "lifted_by", "lifted_at"])
        stage([lifted_entry(row, at=row.lifted_at, reason=said, by=by.get_username())])
    return row


def refuse_held(attempt_id: UUID) -> None:
    """Raise EvidenceHeldError if an attempt is under hold; belongs behind the shared lock."""
    if held_attempts([attempt_id]):
        raise EvidenceHeldError(_("The evidence is under a legal hold: it must stay."))


def _on_subject(subject: str, reason: str, runtime: Runtime) -> LegalHold:
    digest = subject_digest(subject, digest_key=runtime.conf.digest_key)
    check = hashlib.sha256(digest + subject.encode()).digest()
    return LegalHold(subject_digest=digest, subject_check=check, reason=reason)


def _place(row: LegalHold, by: AbstractUser, runtime: Runtime) -> LegalHold:
    with transaction.atomic():
        wait_for_destructions()
        same = LegalHold.objects.filter(
            attempt_id=row.attempt_id, subject_digest=row.subject_digest, lifted_at=None
        )
        if same.exists():
            raise HoldStandsError(_("This hold is in place already."))
        row.placed_by_id, row.placed_at = by.pk, runtime.now()
        row.id = uuid7(row.placed_at)
        row.save(force_insert=True)
        stage([placed_entry(row, by=by.get_username())])
    return row


def _lock_open(hold_id: UUID, by: AbstractUser) -> LegalHold:
    row = LegalHold.objects.select_for_update().filter(pk=hold_id).first()
    if row is None:
        raise UnknownHoldError(_("There is no such hold."))
    if row.lifted_at is not None:
        raise HoldLiftedError(_("The hold was lifted before."))
    if row.placed_by_id == by.pk:
        raise FourEyesError(_("You placed this hold: somebody else must lift it."))
    return row
