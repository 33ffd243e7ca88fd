"""Reconciliation: move an attempt out of doubt on kept evidence, or close it. Never a guess."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from verification.faceid.answers import verify_answer
from verification.faceid.errors import InDoubt
from verification.lifecycle import State
from verification.models import Evidence, Review, VerificationAttempt
from verification.models.evidence import LATE_ANSWER, RAW_ANSWER
from verification.models.review import ReviewState
from verification.services.entries import NOTHING, Added, Texts, key_of, reconciled_entry, utc_text
from verification.services.errors import NotInDoubtError
from verification.services.judging import (
    basis_now,
    judgement_columns,
    open_reviews,
    opening_of,
)
from verification.services.runtime import Runtime
from verification.services.sealing import add_evidence, open_evidence
from verification.services.settlement import Settlement, settlement_of_answer
from verification.services.staging import stage
from verification.vault.errors import ErasedError


def attempts_in_doubt() -> QuerySet[VerificationAttempt]:
    """Return the attempts that wait for reconciliation, oldest first."""
    return VerificationAttempt.objects.filter(state=State.IN_DOUBT).order_by("created_at", "id")


def reconcile(*, attempt_id: UUID, runtime: Runtime) -> bool:
    """Settle an attempt in doubt by the vendor's own answer, if one was kept and can be read.

    Such an answer came after the reaper had given the send up, or did not fit the contract as it
    was known then. Returns whether the attempt is answered now. Raises NotInDoubtError.
    """
    with transaction.atomic():
        attempt = _lock_in_doubt(attempt_id)
        settlement = _kept_settlement(attempt, runtime)
        if settlement is None:
            return False
        now = runtime.now()
        basis = basis_now(attempt.subject_failures, attempt.biz_no_failures)
        judged = judgement_columns(State.ANSWERED, settlement.columns, basis)
        settlement = replace(settlement, columns={**settlement.columns, **judged})
        columns = {"error_code": None, "error_argument": None, **settlement.columns}
        VerificationAttempt.objects.filter(pk=attempt_id).update(
            state=State.ANSWERED, reconciled_at=now, **columns
        )
        items = {k: v for k, v in settlement.evidence.items() if k != RAW_ANSWER}
        added = add_evidence(
            attempt_id=attempt_id, items=items, keyring=runtime.conf.keyring, at=now
        )
        _stage(attempt, State.ANSWERED, now, settlement.texts(), added)
        if opening := opening_of(judged, basis, now):
            # One that its doubt has opened stays open: somebody looks at the answer, too.
            open_reviews([(attempt_id, attempt.client_id)], judged["reasons"], opening, at=now)
            if opening.needs_second:
                _ask_for_two(attempt_id)
    return True


def close_attempt(*, attempt_id: UUID, reason: str, runtime: Runtime) -> None:
    """Close an attempt whose answer will never be known, saying why. Raises NotInDoubtError."""
    with transaction.atomic():
        attempt = _lock_in_doubt(attempt_id)
        now = runtime.now()
        VerificationAttempt.objects.filter(pk=attempt_id).update(
            state=State.CLOSED, reconciled_at=now, closing_reason=reason
        )
        _stage(attempt, State.CLOSED, now, {"closing_reason": reason})


def _stage(
    attempt: VerificationAttempt, state: State, now: datetime, texts: Texts, added: Added = NOTHING
) -> None:
    entry = reconciled_entry(
        key=key_of(attempt),
        at=utc_text(now),
        attempt=str(attempt.pk),
        state=state.value,
        texts=texts,
        added=added,
    )
    stage([entry])


def _ask_for_two(attempt_id: UUID) -> None:
    """Let two people decide where the answer asks for it and its doubt alone did not."""
    opened = Review.objects.filter(pk=attempt_id, state=ReviewState.OPEN, needs_second=False)
    opened.update(needs_second=True)


def _lock_in_doubt(attempt_id: UUID) -> VerificationAttempt:
    found = attempts_in_doubt().filter(pk=attempt_id).select_for_update().first()
    if found is None:
        raise NotInDoubtError("Only an attempt in doubt can be reconciled.", attempt_id=attempt_id)
    return found


def _kept_settlement(attempt: VerificationAttempt, runtime: Runtime) -> Settlement | None:
    """Return the settlement of the first kept answer that fits the contract.

    None as well if the evidence was erased: then nobody will ever know.
    """
    kept = Evidence.objects.filter(attempt=attempt, kind__in=[LATE_ANSWER, RAW_ANSWER])
    for evidence in kept.select_related("attempt__evidence_key").order_by("created_at", "id"):
        try:
            body = open_evidence(evidence=evidence, keyring=runtime.conf.keyring)
            settlement = settlement_of_answer(verify_answer(body))
        except (ErasedError, InDoubt):
            continue
        if settlement.state == State.ANSWERED:
            return settlement
    return None
