"""Reviews as rows, through every stage that the database allows: for tests of what is shown."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User

from verification.identifiers import uuid7
from verification.models import Review, ReviewStep, VerificationAttempt

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DUE = NOW + timedelta(hours=24)
NOTE = "she moved her head"


def open_review(attempt: VerificationAttempt, *, needs_second: bool = False) -> None:
    """Open the review of an attempt."""
    Review.objects.create(
        attempt=attempt,
        client=attempt.client,
        reasons=attempt.reasons or [],
        needs_second=needs_second,
        state="open",
        round=1,
        priority=3,
        opened_at=NOW,
        due_at=DUE,
    )


def officer(name: str = "ines") -> User:
    """Return somebody who may do all."""
    return User.objects.get_or_create(username=name, is_staff=True, is_superuser=True)[0]


def step(attempt: VerificationAttempt, kind: str, by: User, decision: str) -> None:
    """Store a step with a note, as a change of a review needs one."""
    ReviewStep.objects.create(
        id=uuid7(NOW),
        review_id=attempt.pk,
        round=1,
        kind=kind,
        by=by,
        by_name=by.username,
        at=NOW,
        decision=decision,
        reason_code="same_person",
        note=NOTE,
    )


def propose(attempt: VerificationAttempt, decision: str) -> None:
    """Let one of two people decide."""
    step(attempt, "proposed", officer(), decision)
    Review.objects.filter(pk=attempt.pk).update(
        state="proposed",
        decision=decision,
        reason_code="same_person",
        proposed_by=officer(),
        proposed_at=NOW,
    )


def decide(attempt: VerificationAttempt, decision: str, by: str = "ines") -> None:
    """Let somebody decide, or agree."""
    step(attempt, "decided", officer(by), decision)
    Review.objects.filter(pk=attempt.pk).update(
        state="decided",
        decision=decision,
        reason_code="same_person",
        decided_by=officer(by),
        decided_at=NOW,
    )
