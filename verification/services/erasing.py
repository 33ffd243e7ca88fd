"""Destroy the key of an attempt's evidence: one person asks on a legal basis, another decides.

What was sealed under the key stays where it is and cannot be opened by anyone; entries, hashes and
proofs hold as before.
"""

from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import BinaryField, F, Func
from django.utils.translation import gettext_noop as _

from verification.identifiers import uuid7
from verification.ledger.canonical import Json, canonical
from verification.models import Erasure, Evidence, EvidenceKey, SubjectErasure
from verification.models.erasure import (
    ERASED,
    ERASURE_REFUSED,
    ERASURE_REQUESTED,
    Decision,
    LegalBasis,
)
from verification.services.entries import commitments, key_of, utc_text
from verification.services.errors import (
    ErasureDecidedError,
    ErasurePendingError,
    EvidenceErasedError,
    FourEyesError,
    NothingToEraseError,
    UnknownErasureError,
)
from verification.services.holding import refuse_held
from verification.services.reasons import check_permission, read_reason
from verification.services.retention_lock import share_destructions
from verification.services.runtime import Runtime
from verification.services.staging import stage


def request_erasure(
    *, attempt_id: UUID, legal_basis: LegalBasis, reason: str, by: AbstractUser, runtime: Runtime
) -> Erasure:
    """Put on record that the evidence of an attempt is to be destroyed; destroys nothing.

    Raises NotPermittedError, BadReasonError, NothingToEraseError, EvidenceErasedError, and
    ErasurePendingError if a request waits already: so repeating does no harm.
    """
    check_permission(by, "request_erasure")
    said = read_reason(reason)
    with transaction.atomic():
        key = _lock_key(attempt_id)
        if Erasure.objects.filter(attempt_id=attempt_id, decision=None).exists():
            raise ErasurePendingError(_("A request for this attempt waits for its decision."))
        now = runtime.now()
        row = Erasure.objects.create(
            id=uuid7(now),
            attempt=key.attempt,
            legal_basis=legal_basis.value,
            reason=said,
            requested_by_id=by.pk,
            requested_at=now,
        )
        stage([_requested_entry(row)])
    return row


def decide_erasure(
    *, erasure_id: UUID, approve: bool, by: AbstractUser, runtime: Runtime
) -> Erasure:
    """Approve a request, which destroys the key for ever, or refuse it. All or nothing.

    Raises NotPermittedError, UnknownErasureError, FourEyesError, EvidenceHeldError for an approval
    while a legal hold covers the attempt, and ErasureDecidedError if it was decided before: so
    repeating does no harm.
    """
    check_permission(by, "decide_erasure")
    with transaction.atomic():
        share_destructions()
        row = _lock_open(erasure_id, by)
        if approve:
            refuse_held(row.attempt_id)
        row.decision = (Decision.APPROVED if approve else Decision.REFUSED).value
        row.decided_by_id = by.pk
        row.decided_at = runtime.now()
        row.save(update_fields=["decision", "decided_by", "decided_at"])
        if approve:
            _destroy_key(row.attempt_id, row.decided_at)
        say = _erased_entry if approve else _refused_entry
        stage([say(row, by.get_username(), utc_text(row.decided_at))])
    return row


def erase_for_person(*, attempt_id: UUID, request: SubjectErasure, at: datetime) -> Erasure:
    """Destroy the key of one attempt that an approved request of a person names.

    It is an erasure of its own, in the names of the two people, with the entries of one. Belongs
    inside a transaction, behind the shared lock. Raises as `request_erasure`, EvidenceHeldError,
    and the database's errors if one of the two may no longer do it.
    """
    refuse_held(attempt_id)
    key = _lock_key(attempt_id)
    if Erasure.objects.filter(attempt_id=attempt_id, decision=None).exists():
        raise ErasurePendingError(_("A request for this attempt waits for its decision."))
    row = Erasure.objects.create(
        id=uuid7(at),
        attempt=key.attempt,
        legal_basis=request.legal_basis,
        reason=request.reason,
        requested_by=request.requested_by,
        requested_at=at,
    )
    asked = _requested_entry(row)
    row.decision, row.decided_by, row.decided_at = Decision.APPROVED, request.decided_by, at
    row.save(update_fields=["decision", "decided_by", "decided_at"])
    _destroy_key(attempt_id, at)
    name = request.decided_by.get_username() if request.decided_by else ""
    stage([asked, _erased_entry(row, name, utc_text(at))])
    return row


def _lock_key(attempt_id: UUID) -> EvidenceKey:
    """Lock what is to be destroyed, against another request and decision about it."""
    key = (
        EvidenceKey.objects.select_for_update(of=("self",))
        .select_related("attempt")
        .defer("sealed")
        .filter(pk=attempt_id)
        .first()
    )
    if key is None:
        raise NothingToEraseError(_("No evidence was kept with this attempt."))
    if key.erased_at is not None:
        raise EvidenceErasedError(
            _("The evidence was erased on %(at)s."),
            erased_at=key.erased_at,
        )
    return key


def _lock_open(erasure_id: UUID, by: AbstractUser) -> Erasure:
    row = (
        Erasure.objects.select_for_update(of=("self",))
        .select_related("attempt", "requested_by")
        .filter(pk=erasure_id)
        .first()
    )
    if row is None:
        raise UnknownErasureError(_("There is no such request."))
    if row.decision is not None:
        raise ErasureDecidedError(
            _("The request was approved before.")
            if row.decision == Decision.APPROVED
            else _("The request was refused before.")
        )
    if row.requested_by_id == by.pk:
        raise FourEyesError(_("You asked for this erasure: somebody else must decide."))
    return row


def _destroy_key(attempt_id: UUID, at: datetime) -> None:
    """Overwrite the wrapped key; the database refuses it without an approved request."""
    _lock_key(attempt_id)
    EvidenceKey.objects.filter(pk=attempt_id).update(sealed=None, erased_at=at)


def _requested_entry(row: Erasure) -> bytes:
    return canonical(
        {
            "at": utc_text(row.requested_at),
            "attempt": str(row.attempt_id),
            "by": row.requested_by.get_username(),
            "by_id": str(row.requested_by_id),
            "commitments": _reason(row),
            "erasure": str(row.pk),
            "kind": ERASURE_REQUESTED,
            "legal_basis": row.legal_basis,
        }
    )


def _refused_entry(row: Erasure, by: str, at: str) -> bytes:
    return canonical(
        {
            "at": at,
            "attempt": str(row.attempt_id),
            "by": by,
            "by_id": str(row.decided_by_id),
            "erasure": str(row.pk),
            "kind": ERASURE_REFUSED,
            "requested_by": row.requested_by.get_username(),
        }
    )


def _erased_entry(row: Erasure, by: str, at: str) -> bytes:
    return canonical(
        {
            "approved_by": by,
            "approved_by_id": str(row.decided_by_id),
            "at": at,
            "attempt": str(row.attempt_id),
            "commitments": _reason(row),
            "erasure": str(row.pk),
            "evidence": _destroyed(row.attempt_id),
            "kind": ERASED,
            "legal_basis": row.legal_basis,
            "requested_by": row.requested_by.get_username(),
            "requested_by_id": str(row.requested_by_id),
        }
    )


def _reason(row: Erasure) -> dict[str, Json]:
    return commitments(key_of(row.attempt), {"reason": row.reason})


def _destroyed(attempt_id: UUID) -> list[Json]:
    """Return which ciphertexts can no longer be opened; they are digested where they are stored."""
    digest = Func(F("sealed"), function="sha256", output_field=BinaryField())
    found = Evidence.objects.filter(attempt_id=attempt_id).order_by("kind")
    rows = found.annotate(digest=digest).values_list("id", "kind", "digest")
    return [
        {"id": str(id_), "kind": kind, "sealed_sha256": bytes(sealed).hex()}
        for id_, kind, sealed in rows
    ]
