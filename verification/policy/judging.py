"""Apply a policy to one attempt: the same facts always give the same judgement."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from verification.lifecycle import State
from verification.outcomes import OUTCOMES, Outcome
from verification.policy.document import EVERY, Policy
from verification.policy.terms import Priority, Reason, Verdict

COMPARED = frozenset(
    code
    for code, outcome in OUTCOMES.items()
    if outcome in {Outcome.VERIFIED, Outcome.DIFFERENT_PERSON}
)
RISK_FIELD = "risk_info."
NOT_RAISED = (0, False, None, "")


class Facts(NamedTuple):
    """What a judgement looks at; everything that was not told is None or empty.

    `compared` holds, for each reference with a confidence, that and its threshold at the policy's
    error rate. Tags are the raised ones: `raised_tags`. Failures were counted when the attempt
    was sent, None where nobody counted.
    """

    state: State
    outcome: Outcome | None = None
    result_code: int | None = None
    is_attack: bool | None = None
    compared: Sequence[tuple[Decimal, Decimal | None]] = ()
    device_level: str | None = None
    device_tags: frozenset[str] = frozenset()
    verify_tags: frozenset[str] = frozenset()
    has_unread_risk: bool = False
    subject_failures: int | None = None
    biz_no_failures: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and every reason, in the order of `Reason`; none for a plain approval."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


def judge(policy: Policy, facts: Facts) -> Judgement:
    """Judge an attempt that is answered, rejected or in doubt.

    Where it ended gives the first verdict. What speaks against it turns an approval into a
    review, and what the policy always reviews turns anything into one.
    """
    reasons = tuple(_reasons(policy, facts))
    verdict = _first_verdict(policy, facts)
    objections = reasons if verdict is Verdict.APPROVED else policy.always_review & set(reasons)
    return Judgement(Verdict.REVIEW if objections else verdict, reasons)


def needs_second(policy: Policy, reasons: Sequence[Reason]) -> bool:
    """Return whether two people must decide."""
    return not policy.second_person.isdisjoint(reasons)


def priority(policy: Policy, reasons: Sequence[Reason]) -> Priority:
    """Return the most pressing priority of the reasons."""
    return min((policy.priorities.get(each, Priority.NORMAL) for each in reasons),
               default=Priority.NORMAL)  # fmt: skip


def raised_tags(value: object) -> frozenset[str]:
    """Return the names of tags with a value other than 0, false, null and an empty text.

    The contract says 0 or 1 of device tags and nothing of others: an unknown value counts as
    raised, because somebody should look.
    """
    if not isinstance(value, Mapping):
        return frozenset()
    return frozenset(str(name) for name, each in value.items() if each not in NOT_RAISED)


def has_unread_risk(unknown: object) -> bool:
    """Return whether the answer held risk figures of a shape that the contract does not know."""
    return isinstance(unknown, Mapping) and any(name.startswith(RISK_FIELD) for name in unknown)


def _first_verdict(policy: Policy, facts: Facts) -> Verdict:
    if facts.state in policy.states:
        return policy.states[facts.state]
    return policy.outcomes[facts.outcome or Outcome.UNRECOGNISED]


def _reasons(policy: Policy, facts: Facts) -> Iterator[Reason]:
    yield from _of_ending(facts)
    yield from _of_figures(policy, facts)
    yield from _of_risk(policy, facts)
    if (facts.subject_failures or 0) >= policy.failures.count:
        yield Reason.SUBJECT_FAILURES
    if (facts.biz_no_failures or 0) >= policy.failures.count:
        yield Reason.BIZ_NO_FAILURES
    if facts.has_unread_risk:
        yield Reason.UNREAD_RISK


def _of_ending(facts: Facts) -> Iterator[Reason]:
    if facts.state is State.REJECTED:
        yield Reason.REFUSED
    elif facts.state is State.IN_DOUBT:
        yield Reason.IN_DOUBT
    elif facts.outcome is not Outcome.VERIFIED:
        yield Reason(facts.outcome or Outcome.UNRECOGNISED)
    if facts.is_attack and facts.result_code in COMPARED:
        yield Reason.ATTACK_BESIDE_COMPARISON


def _of_figures(policy: Policy, facts: Facts) -> Iterator[Reason]:
    """Compare each confidence with the threshold of its own answer, never with another one's."""
    gaps = [confidence - due for confidence, due in facts.compared if due is not None]
    if any(gap < 0 for gap in gaps) and facts.outcome is Outcome.VERIFIED:
        yield Reason.BELOW_THRESHOLD
    if any(abs(gap) <= policy.margin for gap in gaps):
        yield Reason.NEAR_THRESHOLD


def _of_risk(policy: Policy, facts: Facts) -> Iterator[Reason]:
    if _listed(facts.device_tags, policy.device_tags):
        yield Reason.DEVICE_TAG
    if facts.device_level is not None and facts.device_level in policy.device_levels:
        yield Reason.DEVICE_LEVEL
    if _listed(facts.verify_tags, policy.verify_tags):
        yield Reason.VERIFY_TAG


@lru_cache(maxsize=4096)
def _listed(raised: frozenset[str], listed: frozenset[str]) -> bool:
    return bool(raised) and (EVERY in listed or not raised.isdisjoint(listed))
