"""What happened to an attempt, in one sentence, with its reason and what to do."""

from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from verification.admin import wording
from verification.admin.fragments import code, joined, text
from verification.admin.pills import OUTCOMES, STATES
from verification.lifecycle import State
from verification.models import VerificationAttempt
from verification.outcomes import Outcome

COMPARED = (1000, 2000)
SAID_BY_OUTCOME = ((1000, "SUCCESS"), (2000, "PASS_LIVING_NOT_THE_SAME"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`title` in two words, `sentence`, then what FaceID said and what it means.

    `caution` is what must not be overlooked, `next_step` what a reader can do.
    """

    title: str
    tone: str
    icon: str
    sentence: str
    said: SafeString | None
    meaning: str | None
    caution: str | None
    next_step: str | None


def verdict_of(attempt: VerificationAttempt) -> Verdict:
    """Return the verdict of an attempt in any state."""
    return _answered(attempt) if attempt.state == State.ANSWERED else _without_answer(attempt)


def _answered(attempt: VerificationAttempt) -> Verdict:
    outcome = attempt.outcome or Outcome.UNRECOGNISED
    title, tone, icon = OUTCOMES[outcome]
    pair = (attempt.result_code or 0, attempt.result_message or "")
    contradicts = attempt.result_code in COMPARED and attempt.is_attack
    return Verdict(
        gettext(title),
        tone,
        icon,
        gettext(wording.OUTCOME_SENTENCES[outcome]),
        said=joined([code(str(attempt.result_code)), code(attempt.result_message)]),
        meaning=None
        if pair in SAID_BY_OUTCOME
        else gettext(wording.MEANINGS.get(pair, wording.UNLISTED_PAIR)),
        caution=gettext(wording.ATTACK_BESIDE_COMPARISON) if contradicts else None,
        next_step=None,
    )


def _without_answer(attempt: VerificationAttempt) -> Verdict:
    title, tone, icon = STATES[attempt.state]
    return Verdict(
        gettext(title),
        tone,
        icon,
        gettext(wording.STATE_SENTENCES[attempt.state]),
        said=_error(attempt),
        meaning=_cause(attempt),
        caution=None,
        next_step=gettext(wording.NEXT_STEPS[attempt.state]),
    )


def _error(attempt: VerificationAttempt) -> SafeString | None:
    parts = [code(f"HTTP {attempt.http_status}")] if attempt.http_status is not None else []
    parts += [code(each) for each in (attempt.error_code, attempt.error_argument) if each]
    parts += [text(attempt.closing_reason)] if attempt.closing_reason else []
    return joined(parts) if parts else None


def _cause(attempt: VerificationAttempt) -> str | None:
    if not attempt.error_code:
        return None
    # A closed attempt keeps the error that had left it in doubt.
    state = State.IN_DOUBT if attempt.state == State.CLOSED else attempt.state
    return gettext(wording.CAUSES.get((state, attempt.error_code), wording.UNLISTED_ERROR))
