"""What was concluded about an attempt: by officers where there is a review, else by the policy."""

from django.db.models import Q

from verification.models import Review, VerificationAttempt
from verification.models.review import ReviewState
from verification.policy.terms import Decision, Verdict


def review_of(attempt: VerificationAttempt) -> Review | None:
    """Return the attempt's review; it costs a query unless it was loaded with the attempt."""
    return getattr(attempt, "review", None)


def current_decision(attempt: VerificationAttempt) -> Decision | None:
    """Return what holds now: None while nobody judged, and as long as a review is not decided.

    So a review that officers open over a policy's decision suspends that at once.
    """
    review = review_of(attempt)
    if review is not None:
        if review.state != ReviewState.DECIDED or review.decision is None:
            return None
        return Decision(review.decision)
    if attempt.verdict is None or attempt.verdict == Verdict.REVIEW:
        return None
    return Decision(attempt.verdict)


def decided_as(decision: Decision) -> Q:
    """Return the condition that `current_decision` of an attempt is this one."""
    return Q(review__isnull=True, verdict=decision.value) | Q(
        review__state=ReviewState.DECIDED, review__decision=decision.value
    )
