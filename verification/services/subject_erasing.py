"""Erase what is held about a person: one person asks, another decides, the worker does.

Of each attempt the key of its evidence is destroyed; of those whose records need not be kept any
longer the texts are erased as well: `record_erasing`.

The attempts are fixed when it is asked. The worker takes one after the other, each in a
transaction of its own: killed anywhere, it goes on with the next one. What is under legal hold
keeps its key, and stands so in the answer.
"""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as _

from verification.identifiers import uuid7
from verification.ledger.canonical import canonical
from verification.lifecycle import OPEN
from verification.models import (
    Erasure,
    EvidenceKey,
    SubjectErasure,
    SubjectErasureItem,
    VerificationAttempt,
)
from verification.models.erasure import Decision, LegalBasis
from verification.models.subject import (
    SUBJECT_ERASED,
    SUBJECT_ERASURE_APPROVED,
    SUBJECT_ERASURE_REFUSED,
    SUBJECT_ERASURE_REQUESTED,
    ItemOutcome,
)
from verification.selectors.holds import held_attempts
from verification.selectors.subject_erasures import erasures_to_do, items_to_do
from verification.selectors.subjects import find_subject
from verification.services.entries import utc_text
from verification.services.erasing import erase_for_person
from verification.services.errors import (
    ErasureDecidedError,
    ErasurePendingError,
    FourEyesError,
    NothingToEraseError,
    ServiceError,
    UnknownErasureError,
)
from verification.services.policy_entries import text_sha256
from verification.services.reasons import check_permission, read_reason
from verification.services.record_erasing import erase_record
from verification.services.retention_lock import share_destructions
from verification.services.runtime import Runtime
from verification.services.staging import stage
from verification.services.subject_reports import read_client, subject_digest

logger = logging.getLogger(__name__)

SLICE_S = 4.0
BATCH = 100


def request_subject_erasure(
    *,
    subject: str,
    client_id: UUID | None,
    legal_basis: LegalBasis,
    reason: str,
    by: AbstractUser,
    runtime: Runtime,
) -> SubjectErasure:
    """Put on record that all evidence of a subject is to be destroyed; destroys nothing.

    No `client_id` is every client. Attempts that come later are not meant. Raises
    NotPermittedError, BadReasonError, BadSubjectError, NothingToEraseError if no attempt stands
    under the reference, and ErasurePendingError if the same request waits already.
    """
    check_permission(by, "request_erasure")
    said, client = read_reason(reason), read_client(subject, client_id)
    digest, at = subject_digest(subject, runtime), runtime.now()
    open_ones = SubjectErasure.objects.filter(subject_digest=digest, client=client, decision=None)
    if open_ones.exists():
        raise ErasurePendingError(_("A request for this person waits for its decision."))
    with transaction.atomic():
        found = find_subject(subject, client_id)
        if not found.attempts:
            raise NothingToEraseError(_("No attempt stands under this reference."))
        row = SubjectErasure.objects.create(
            id=uuid7(at),
            subject_digest=digest,
            client=client,
            legal_basis=legal_basis.value,
            reason=said,
            requested_by_id=by.pk,
            requested_at=at,
        )
        items = [SubjectErasureItem(erasure=row, attempt_id=each) for each in found.attempts]
        SubjectErasureItem.objects.bulk_create(items, batch_size=1000)
        stage([requested_entry(row, found.attempts)])
    return row


def decide_subject_erasure(
    *, erasure_id: UUID, approve: bool, by: AbstractUser, runtime: Runtime
) -> SubjectErasure:
    """Approve a request, which the worker then carries out for ever, or refuse it.

    Raises NotPermittedError, UnknownErasureError, FourEyesError, and ErasureDecidedError if it
    was decided before: so repeating does no harm.
    """
    check_permission(by, "decide_erasure")
    with transaction.atomic():
        row = _lock_open(erasure_id, by)
        row.decision = (Decision.APPROVED if approve else Decision.REFUSED).value
        row.decided_by_id, row.decided_at = by.pk, runtime.now()
        row.save(update_fields=["decision", "decided_by", "decided_at"])
        stage([decided_entry(row, by.get_username())])
    return row


def continue_subject_erasures(
    *,
    runtime: Runtime,
    slice_s: float = SLICE_S,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Work on approved requests for a while; return whether there is more to do.

    Safe to repeat, to kill and to run beside another: an attempt is locked while its key is
    destroyed. What cannot be done now, such as an attempt that is being sent, is left for later.
    """
    until = monotonic() + slice_s
    for row in erasures_to_do():
        for batch in _batches(row):
            held = held_attempts(batch)
            for attempt_id in batch:
                if monotonic() > until:
                    return True
                _try(row, attempt_id, is_held=attempt_id in held, runtime=runtime)
        _finish(row, runtime)
    return erasures_to_do().exists()


def _batches(row: SubjectErasure) -> Iterable[list[UUID]]:
    after = UUID(int=0)
    while batch := items_to_do(row, after, BATCH):
        yield batch
        after = batch[-1]


def _try(row: SubjectErasure, attempt_id: UUID, *, is_held: bool, runtime: Runtime) -> None:
    """Do one attempt; what the database refuses must not hold up the others."""
    try:
        with transaction.atomic():
            _do(row, attempt_id, is_held=is_held, runtime=runtime)
    except (ServiceError, IntegrityError) as error:
        name = type(error).__name__
        logger.warning("erasure %s, attempt %s is left: %s", row.pk, attempt_id, name)


def _do(row: SubjectErasure, attempt_id: UUID, *, is_held: bool, runtime: Runtime) -> None:
    share_destructions()
    items = SubjectErasureItem.objects.select_for_update(skip_locked=True)
    item = items.filter(erasure=row, attempt_id=attempt_id, outcome=None).first()
    # The row of the attempt waits for nobody: its settlement brings the key.
    state = VerificationAttempt.objects.values_list("state", flat=True).get(pk=attempt_id)
    if item is None or state in OPEN:
        return
    at, erased = runtime.now(), None
    outcome = _standing(attempt_id, is_held=is_held)
    if outcome is None:
        erased = erase_for_person(attempt_id=attempt_id, request=row, at=at)
    if not is_held:
        erase_record(attempt_id=attempt_id, basis=row, at=at)
    _write(item, outcome or ItemOutcome.ERASED, erased, runtime)


def _standing(attempt_id: UUID, *, is_held: bool) -> ItemOutcome | None:
    """Return why no key is to be destroyed, None if one is."""
    keys = EvidenceKey.objects.select_for_update().defer("sealed")
    key = keys.filter(pk=attempt_id).first()
    if key is None:
        return ItemOutcome.NOTHING
    if key.erased_at is not None:
        return ItemOutcome.GONE
    return ItemOutcome.HELD if is_held else None


def _write(
    item: SubjectErasureItem, outcome: ItemOutcome, erased: Erasure | None, runtime: Runtime
) -> None:
    item.outcome, item.done_at, item.evidence_erasure = outcome, runtime.now(), erased
    item.save(update_fields=["outcome", "done_at", "evidence_erasure"])


def _finish(row: SubjectErasure, runtime: Runtime) -> None:
    """End a request all of whose attempts have their outcome; once."""
    with transaction.atomic():
        locked = SubjectErasure.objects.select_for_update().get(pk=row.pk)
        if locked.finished_at is not None or items_to_do(row, UUID(int=0), 1):
            return
        locked.finished_at = runtime.now()
        locked.save(update_fields=["finished_at"])
        stage([erased_entry(locked)])


def _lock_open(erasure_id: UUID, by: AbstractUser) -> SubjectErasure:
    rows = SubjectErasure.objects.select_for_update()
    row = rows.filter(pk=erasure_id).first()
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


def requested_entry(row: SubjectErasure, attempts: Iterable[UUID]) -> bytes:
    """Say who asked for what; of the attempts their number and a digest."""
    lines = sorted(str(each) for each in attempts)
    return canonical(
        {
            "at": utc_text(row.requested_at),
            "attempts": len(lines),
            "attempts_sha256": lines_sha256(lines),
            "by": row.requested_by.get_username(),
            "by_id": str(row.requested_by_id),
            "client": str(row.client_id) if row.client_id else None,
            "erasure": str(row.pk),
            "kind": SUBJECT_ERASURE_REQUESTED,
            "legal_basis": row.legal_basis,
            "reason_sha256": text_sha256(row.reason),
            "subject_digest": bytes(row.subject_digest).hex(),
        }
    )


def decided_entry(row: SubjectErasure, by: str) -> bytes:
    """Say who decided."""
    is_approved = row.decision == Decision.APPROVED
    return canonical(
        {
            "at": utc_text(row.decided_at) if row.decided_at else None,
            "by": by,
            "by_id": str(row.decided_by_id),
            "erasure": str(row.pk),
            "kind": SUBJECT_ERASURE_APPROVED if is_approved else SUBJECT_ERASURE_REFUSED,
        }
    )


def erased_entry(row: SubjectErasure) -> bytes:
    """Say that every attempt had its outcome: how many of each, and a digest of all."""
    found = list(row.items.values_list("attempt_id", "outcome"))
    counted = Counter(str(outcome) for _attempt, outcome in found)
    return canonical(
        {
            "at": utc_text(row.finished_at) if row.finished_at else None,
            "erasure": str(row.pk),
            "kind": SUBJECT_ERASED,
            "outcomes": {each.value: counted[each.value] for each in ItemOutcome},
            "outcomes_sha256": lines_sha256(f"{attempt} {outcome}" for attempt, outcome in found),
        }
    )


def lines_sha256(lines: Iterable[str]) -> str:
    """Return the SHA-256, in hex, of sorted lines that each end with a line feed."""
    return hashlib.sha256("".join(f"{each}\n" for each in sorted(lines)).encode()).hexdigest()
