"""Judge attempts as they are settled, by the policy that was in force when they were sent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from verification.faceid.contract import COMPARISON_NAMES
from verification.lifecycle import State
from verification.models import Review
from verification.models.attempt import threshold_column
from verification.models.review import ReviewState
from verification.outcomes import Outcome
from verification.policy.document import Policy
from verification.policy.judging import (
    Facts,
    has_unread_risk,
    judge,
    needs_second,
    priority,
    raised_tags,
)
from verification.policy.terms import Priority, Reason, Verdict
from verification.selectors.policies import policy_in_force, read_document

FAILURES = (Outcome.DIFFERENT_PERSON.value, Outcome.LIVENESS_FAILED.value)
"""Outcomes that count as failures of a subject or business number."""

MOST_FAILURES = 1000
"""Counting stops here."""

JUDGED = frozenset({State.ANSWERED, State.REJECTED, State.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class Basis:
    """What a judgement stands on beside the answer; failures are None where nobody counted."""

    version: int
    policy: Policy
    subject_failures: int | None = None
    biz_no_failures: int | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """A review to be opened with the judgement."""

    needs_second: bool
    priority: int
    due_at: datetime


def basis_of_send(
    version: int | None, document: str | None, subject_failures: int, biz_no_failures: int
) -> Basis | None:
    """Return the basis that was read when an attempt was sent; None without a policy."""
    if version is None or document is None:
        return None
    return Basis(version, read_document(document), subject_failures, biz_no_failures)


def basis_now(
    subject_failures: int | None = None, biz_no_failures: int | None = None
) -> Basis | None:
    """Return the basis for what is judged without a send of its own."""
    found = policy_in_force()
    if found is None:
        return None
    return Basis(found.version, found.policy, subject_failures, biz_no_failures)


def judgement_columns(
    state: State, columns: Mapping[str, Any], basis: Basis | None
) -> dict[str, Any]:
    """Return the columns that say how an attempt was judged; empty if it is not to be judged."""
    if basis is None or state not in JUDGED:
        return {}
    judged = judge(basis.policy, facts_of(state, columns, basis))
    return {
        "policy_version": basis.version,
        "verdict": judged.verdict.value,
        "reasons": [each.value for each in judged.reasons],
        "subject_failures": basis.subject_failures,
        "biz_no_failures": basis.biz_no_failures,
    }


def facts_of(state: State, columns: Mapping[str, Any], basis: Basis) -> Facts:
    """Return what the policy looks at, from the columns of an attempt."""
    outcome = columns.get("outcome")
    return Facts(
        state=state,
        outcome=Outcome(outcome) if outcome else None,
        result_code=columns.get("result_code"),
        is_attack=columns.get("is_attack"),
        compared=tuple(_compared(columns, basis.policy.threshold)),
        device_level=columns.get("device_level"),
        device_tags=raised_tags(columns.get("device_tags")),
        verify_tags=raised_tags(columns.get("verify_tags")),
        has_unread_risk=has_unread_risk(columns.get("unknown_fields")),
        subject_failures=basis.subject_failures,
        biz_no_failures=basis.biz_no_failures,
    )


def opening_of(judged: Mapping[str, Any], basis: Basis | None, at: datetime) -> Opening | None:
    """Return the review that these judgement columns ask for."""
    if basis is None or judged.get("verdict") != Verdict.REVIEW:
        return None
    reasons = [Reason(each) for each in judged["reasons"]]
    rank = priority(basis.policy, reasons)
    return Opening(
        needs_second=needs_second(basis.policy, reasons),
        priority=rank.value,
        due_at=due_at(basis.policy, rank, at),
    )


def due_at(policy: Policy, rank: Priority, at: datetime) -> datetime:
    """Return when a review that is opened now is due."""
    return at + timedelta(minutes=policy.sla_minutes[rank])


def open_reviews(
    attempts: Iterable[tuple[UUID, UUID]],
    reasons: Sequence[str],
    opening: Opening,
    *,
    at: datetime,
) -> None:
    """Open a review for each attempt (given with its client) that has none."""
    Review.objects.bulk_create(
        [
            Review(
                attempt_id=attempt_id,
                client_id=client_id,
                reasons=list(reasons),
                state=ReviewState.OPEN,
                round=1,
                opened_at=at,
                **asdict(opening),
            )
            for attempt_id, client_id in attempts
        ],
        ignore_conflicts=True,
    )


def _compared(
    columns: Mapping[str, Any], threshold: str
) -> Iterator[tuple[Decimal, Decimal | None]]:
    for reference in COMPARISON_NAMES:
        confidence = columns.get(f"{reference}_confidence")
        if confidence is not None:
            yield confidence, columns.get(threshold_column(reference, threshold))
