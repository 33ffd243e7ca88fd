"""Which pill stands for which state, outcome and risk."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from verification.admin.fragments import pill, text
from verification.lifecycle import State
from verification.models import VerificationAttempt
from verification.models.review import ReviewState
from verification.outcomes import Outcome
from verification.policy.terms import Verdict
from verification.selectors.decisions import current_decision, review_of

OUTCOMES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        Outcome.VERIFIED: (gettext_noop("Verified"), "good", "check"),
        Outcome.DIFFERENT_PERSON: (gettext_noop("Different person"), "bad", "cross"),
        Outcome.LIVENESS_FAILED: (gettext_noop("Liveness failed"), "bad", "shield"),
        Outcome.NOT_COMPLETED: (gettext_noop("Not completed"), "quiet", "dash"),
        Outcome.SOURCE_FAILED: (gettext_noop("Source failed"), "warn", "triangle"),
        Outcome.UNRECOGNISED: (gettext_noop("Unrecognised"), "doubt", "question"),
    }
)
STATES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        State.ACCEPTED: (gettext_noop("Accepted"), "busy", "clock"),
        State.SENDING: (gettext_noop("Sending"), "busy", "clock"),
        State.ANSWERED: (gettext_noop("Answered"), "plain", "dot"),
        State.REJECTED: (gettext_noop("Rejected"), "warn", "cross"),
        State.NOT_SENT: (gettext_noop("Not sent"), "quiet", "dash"),
        State.IN_DOUBT: (gettext_noop("In doubt"), "doubt", "question"),
        State.CLOSED: (gettext_noop("Closed"), "quiet", "lock"),
    }
)
DECISIONS: Mapping[str, tuple[Promise, str, str]] = MappingProxyType(
    {
        Verdict.APPROVED: (_("Approved"), "good", "check"),
        Verdict.REJECTED: (_("Rejected"), "bad", "cross"),
        Verdict.RETRY: (_("Try again"), "quiet", "dash"),
        Verdict.REVIEW: (_("To be reviewed"), "warn", "clock"),
    }
)
"""Verdicts and decisions: what waits for people is a verdict and no decision."""

TAGS_IN_A_LIST = 2


def outcome_pill(attempt: VerificationAttempt) -> SafeString | None:
    """Return the outcome's pill; None before there is an outcome."""
    return _drawn(OUTCOMES[attempt.outcome]) if attempt.outcome else None


def state_pill(attempt: VerificationAttempt) -> SafeString:
    """Return the state's pill."""
    return _drawn(STATES[attempt.state])


def decision_pill(attempt: VerificationAttempt) -> SafeString | None:
    """Return the pill of what holds now, or that people must decide; None before the judgement."""
    if attempt.verdict is None:
        return None
    label, tone, shape = DECISIONS[current_decision(attempt) or Verdict.REVIEW]
    return pill(str(label), tone=tone, shape=shape)


def decided_by(attempt: VerificationAttempt) -> str | None:
    """Say who that is from: people or the policy, or that one of two people has decided."""
    review = review_of(attempt)
    if review is not None and review.state == ReviewState.PROPOSED:
        return str(_("waits for a second person"))
    if current_decision(attempt) is None:
        return None
    return str(_("by the policy") if review is None else _("by officers"))


def risk_pills(attempt: VerificationAttempt) -> list[SafeString]:
    """Return a pill for a suspected attack and for each raised device tag, the first few.

    One quiet pill says that risks were looked for and none reported; nothing says that nobody
    looked, or that what was reported has been erased.
    """
    tags = raised_tags(attempt)
    pills = (
        [pill(gettext("Attack suspected"), tone="bad", shape="shield")] if attempt.is_attack else []
    )
    pills += [pill(text(each), tone="warn", shape="triangle") for each in tags[:TAGS_IN_A_LIST]]
    if len(tags) > TAGS_IN_A_LIST:
        pills.append(pill(f"+{len(tags) - TAGS_IN_A_LIST}", tone="warn", shape="triangle"))
    looked = attempt.is_attack is not None or attempt.device_tags is not None
    is_known = looked and attempt.commitment_key is not None
    return pills or (
        [pill(gettext("No risk reported"), tone="plain", shape="check")] if is_known else []
    )


def raised_tags(attempt: VerificationAttempt) -> list[str]:
    """Return the names of the device tags whose value is 1."""
    tags = attempt.device_tags
    return [name for name, value in tags.items() if value == 1] if isinstance(tags, dict) else []


def _drawn(choice: tuple[str, str, str]) -> SafeString:
    label, tone, shape = choice
    return pill(gettext(label), tone=tone, shape=shape)
