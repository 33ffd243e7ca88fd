"""What was concluded about an attempt: by officers where there is a review, else by the policy."""

from django.db.models import Case, F, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

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


def decided_as(decision: Decision) -> Exact:
    """Return the condition on attempts that `current_decision` is this one.

    A subquery for each row, because a page reads few: of a join PostgreSQL expects next to no
    rows, and so it would join and sort them all. Counting by it is slow: no index knows it.
    """
    said = Case(When(state=ReviewState.DECIDED, then=F("decision")), default=Value(""))
    review = Review.objects.filter(attempt_id=OuterRef("pk")).values(said=said)
    return Exact(Coalesce(Subquery(review), F("verdict")), decision.value)
