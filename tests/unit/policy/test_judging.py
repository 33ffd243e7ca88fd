"""Every outcome and state, every reason, and what must hold for any policy and any facts."""

import itertools
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.ledger.canonical import Json
from verification.lifecycle import State
from verification.outcomes import OUTCOMES, Outcome
from verification.policy.document import BUILT_IN, JUDGED_STATES, Policy, make_policy
from verification.policy.judging import (
    COMPARED,
    Facts,
    Judgement,
    has_unread_risk,
    judge,
    needs_second,
    priority,
    raised_tags,
)
from verification.policy.terms import Decision, Priority, Reason, Verdict

POLICY = make_policy(BUILT_IN)


def policy(**changes: Json) -> Policy:
    """Return the built-in policy with other members."""
    return make_policy({**BUILT_IN, **changes})


def answered(outcome: Outcome | None, **more: Any) -> Facts:
    """Return the facts of an answered attempt, its code that of the outcome."""
    code = next((code for code, each in OUTCOMES.items() if each is outcome), 7321)
    return Facts(**{"state": State.ANSWERED, "outcome": outcome, "result_code": code, **more})


ENDINGS: Mapping[str, tuple[Facts, Reason | None, Verdict]] = {
    "verified": (answered(Outcome.VERIFIED), None, Verdict.APPROVED),
    "different person": (
        answered(Outcome.DIFFERENT_PERSON),
        Reason.DIFFERENT_PERSON,
        Verdict.REVIEW,
    ),
    "liveness failed": (
        answered(Outcome.LIVENESS_FAILED),
        Reason.LIVENESS_FAILED,
        Verdict.REJECTED,
    ),
    "not completed": (answered(Outcome.NOT_COMPLETED), Reason.NOT_COMPLETED, Verdict.RETRY),
    "source failed": (answered(Outcome.SOURCE_FAILED), Reason.SOURCE_FAILED, Verdict.REVIEW),
    "unrecognised": (answered(Outcome.UNRECOGNISED), Reason.UNRECOGNISED, Verdict.REVIEW),
    "no outcome": (answered(None), Reason.UNRECOGNISED, Verdict.REVIEW),
    "rejected": (Facts(State.REJECTED), Reason.REFUSED, Verdict.RETRY),
    "in doubt": (Facts(State.IN_DOUBT), Reason.IN_DOUBT, Verdict.REVIEW),
}
"""Where an attempt ends: the reason that tells it, and the built-in verdict."""

NEAR = (Decimal("70.1"), Decimal("69.315"))
BELOW = (Decimal("12.5"), Decimal("69.315"))
OBJECTIONS: Mapping[Reason, Mapping[str, Any]] = {
    Reason.NEAR_THRESHOLD: {"compared": (NEAR,)},
    Reason.DEVICE_TAG: {"device_tags": frozenset({"is_hook"})},
    Reason.DEVICE_LEVEL: {"device_level": "3"},
    Reason.VERIFY_TAG: {"verify_tags": frozenset({"mask"})},
    Reason.SUBJECT_FAILURES: {"subject_failures": 3},
    Reason.BIZ_NO_FAILURES: {"biz_no_failures": 3},
    Reason.UNREAD_RISK: {"has_unread_risk": True},
}
"""What speaks against an attempt, wherever it ended."""

ALWAYS = {
    Reason.ATTACK_BESIDE_COMPARISON,
    Reason.SUBJECT_FAILURES,
    Reason.BIZ_NO_FAILURES,
}
LEVELS = policy(device_levels=["3"])


@pytest.mark.parametrize(("facts", "reason", "verdict"), ENDINGS.values(), ids=ENDINGS)
def test_where_it_ended_gives_the_first_verdict(
    facts: Facts, reason: Reason | None, verdict: Verdict
) -> None:
    assert judge(POLICY, facts) == Judgement(verdict, (reason,) if reason else ())


@pytest.mark.parametrize("objection", OBJECTIONS)
@pytest.mark.parametrize(("facts", "reason", "verdict"), ENDINGS.values(), ids=ENDINGS)
def test_each_objection_beside_each_ending(
    facts: Facts, reason: Reason | None, verdict: Verdict, objection: Reason
) -> None:
    judged = judge(LEVELS, facts._replace(**OBJECTIONS[objection]))
    becomes_review = verdict is Verdict.APPROVED or objection in ALWAYS
    assert judged.verdict is (Verdict.REVIEW if becomes_review else verdict)
    assert judged.reasons == tuple(each for each in Reason if each in {reason, objection})


@pytest.mark.parametrize("two", list(itertools.combinations(OBJECTIONS, 2)), ids="+".join)
def test_all_that_was_found_is_listed_in_one_order(two: tuple[Reason, Reason]) -> None:
    facts = answered(Outcome.VERIFIED)
    for each in two:
        facts = facts._replace(**OBJECTIONS[each])
    judged = judge(LEVELS, facts)
    assert judged == Judgement(Verdict.REVIEW, tuple(each for each in Reason if each in two))


@pytest.mark.parametrize("code", [*OUTCOMES, 7321, None])
@pytest.mark.parametrize("is_attack", [True, False, None])
def test_an_attack_counts_beside_a_comparison_only(
    code: int | None, is_attack: bool | None
) -> None:
    outcome = OUTCOMES.get(code or 0, Outcome.UNRECOGNISED)
    facts = Facts(State.ANSWERED, outcome, code, is_attack)
    found = Reason.ATTACK_BESIDE_COMPARISON in judge(POLICY, facts).reasons
    assert found == bool(is_attack and code in COMPARED)


def test_a_code_is_compared_if_and_only_if_its_outcome_is() -> None:
    assert {OUTCOMES[code] for code in COMPARED} == {Outcome.VERIFIED, Outcome.DIFFERENT_PERSON}
    others = set(OUTCOMES) - COMPARED
    assert not {OUTCOMES[code] for code in others} & {Outcome.VERIFIED, Outcome.DIFFERENT_PERSON}


@pytest.mark.parametrize(
    ("confidence", "due", "reasons"),
    [
        ("71.315", "69.315", {Reason.NEAR_THRESHOLD}),
        ("71.316", "69.315", set()),
        ("69.315", "69.315", {Reason.NEAR_THRESHOLD}),
        ("69.314", "69.315", {Reason.NEAR_THRESHOLD, Reason.BELOW_THRESHOLD}),
        ("67.315", "69.315", {Reason.NEAR_THRESHOLD, Reason.BELOW_THRESHOLD}),
        ("67.314", "69.315", {Reason.BELOW_THRESHOLD}),
        ("67.314", None, set()),
    ],
)
def test_a_confidence_is_held_against_the_threshold_of_its_answer(
    confidence: str, due: str | None, reasons: set[Reason]
) -> None:
    compared = ((Decimal(confidence), Decimal(due) if due else None),)
    judged = judge(POLICY, answered(Outcome.VERIFIED, compared=compared))
    assert set(judged.reasons) == reasons


def test_below_the_threshold_is_told_of_the_verified_only() -> None:
    judged = judge(POLICY, answered(Outcome.DIFFERENT_PERSON, compared=(BELOW,)))
    assert judged.reasons == (Reason.DIFFERENT_PERSON,)


def test_the_worst_of_several_references_counts() -> None:
    far = (Decimal(99), Decimal("69.315"))
    judged = judge(POLICY, answered(Outcome.VERIFIED, compared=(far, BELOW)))
    assert judged.reasons == (Reason.BELOW_THRESHOLD,)


@pytest.mark.parametrize(
    ("raised", "listed", "found"),
    [
        ({"is_hook"}, ["is_hook"], True),
        ({"is_new"}, ["is_hook"], False),
        ({"is_new"}, ["*"], True),
        (set(), ["*"], False),
        ({"*"}, ["is_hook"], False),
        ({"is_new"}, [], False),
    ],
)
@pytest.mark.parametrize("member", ["device_tags", "verify_tags"])
def test_a_tag_counts_if_it_is_listed(
    member: str, raised: set[str], listed: list[Json], found: bool
) -> None:
    facts = answered(Outcome.VERIFIED, **{member: frozenset(raised)})
    assert bool(judge(policy(**{member: listed}), facts).reasons) == found


@pytest.mark.parametrize("count", [None, 0, 2])
def test_few_failures_are_no_reason(count: int | None) -> None:
    facts = answered(Outcome.VERIFIED, subject_failures=count, biz_no_failures=count)
    assert judge(POLICY, facts) == Judgement(Verdict.APPROVED, ())


@pytest.mark.parametrize("value", [1, True, "1", "0", 2, -1, [], {}, Decimal("0.5")], ids=repr)
def test_a_value_that_is_not_nothing_counts_as_raised(value: object) -> None:
    assert raised_tags({"tag": value}) == {"tag"}


@pytest.mark.parametrize("value", [0, False, None, "", Decimal("0.0")], ids=repr)
def test_nothing_in_any_form_is_not_raised(value: object) -> None:
    assert raised_tags({"tag": value}) == frozenset()


@pytest.mark.parametrize("value", [None, [], ["is_root"], "is_root", 1])
def test_what_is_no_object_raises_nothing(value: object) -> None:
    assert raised_tags(value) == frozenset()
    assert not has_unread_risk(value)


@pytest.mark.parametrize(
    ("unknown", "found"),
    [
        ({"risk_info.device": 1}, True),
        ({"images.x": 1}, False),
        ({"risk_info": 1}, False),
        ({}, False),
    ],
)
def test_unread_risk_is_told_by_its_path(unknown: dict[str, int], found: bool) -> None:
    assert has_unread_risk(unknown) == found


def test_the_most_pressing_reason_gives_the_priority() -> None:
    assert priority(POLICY, []) is Priority.NORMAL
    assert priority(POLICY, [Reason.SOURCE_FAILED]) is Priority.NORMAL
    assert priority(POLICY, [Reason.SOURCE_FAILED, Reason.DEVICE_TAG]) is Priority.HIGH
    everything = list(Reason)
    assert priority(POLICY, everything) is Priority.URGENT


def test_two_people_decide_if_one_reason_asks_for_it() -> None:
    assert not needs_second(POLICY, [])
    assert not needs_second(POLICY, [Reason.SOURCE_FAILED])
    assert needs_second(POLICY, [Reason.SOURCE_FAILED, Reason.DEVICE_TAG])


REASONS = st.lists(st.sampled_from([each.value for each in Reason]), unique=True)
NAMES = st.lists(st.sampled_from(["*", "is_root", "mask", "3"]), unique=True)
VERDICTS = st.sampled_from([each.value for each in Verdict])
CHANGES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "outcomes": st.fixed_dictionaries({each.value: VERDICTS for each in Outcome}),
        "states": st.fixed_dictionaries({each.value: VERDICTS for each in JUDGED_STATES}),
        "margin": st.sampled_from(["0", "0.5", "2", "100"]),
        "device_tags": NAMES,
        "device_levels": NAMES,
        "verify_tags": NAMES,
        "failures": st.fixed_dictionaries(
            {"count": st.integers(1, 5), "hours": st.integers(1, 48)}
        ),
        "always_review": REASONS,
        "second_person": REASONS,
        "priorities": st.dictionaries(
            st.sampled_from([each.value for each in Reason]),
            st.sampled_from(["urgent", "high", "normal"]),
        ),
    }
)
POLICIES = CHANGES.map(lambda changes: policy(**changes))
SCORES = st.decimals(0, 100, places=3)
TAGS = st.frozensets(st.sampled_from(["is_root", "mask", "new"]))
COUNTS = st.none() | st.integers(0, 6)
FACTS = st.builds(
    Facts,
    state=st.sampled_from([State.ANSWERED, *JUDGED_STATES]),
    outcome=st.none() | st.sampled_from(Outcome),
    result_code=st.none() | st.sampled_from([*OUTCOMES, 7321]),
    is_attack=st.none() | st.booleans(),
    compared=st.lists(st.tuples(SCORES, st.none() | SCORES), max_size=3).map(tuple),
    device_level=st.none() | st.sampled_from(["0", "3"]),
    device_tags=TAGS,
    verify_tags=TAGS,
    has_unread_risk=st.booleans(),
    subject_failures=COUNTS,
    biz_no_failures=COUNTS,
)


@given(POLICIES, FACTS)
def test_every_attempt_is_judged_and_always_alike(any_policy: Policy, facts: Facts) -> None:
    judged = judge(any_policy, facts)
    assert judged == judge(any_policy, facts)
    assert judged.verdict in set(Verdict)
    assert list(judged.reasons) == [each for each in Reason if each in judged.reasons]
    if judged.verdict is Verdict.APPROVED:
        assert not any_policy.always_review & set(judged.reasons)


@given(POLICIES, FACTS, st.lists(st.sampled_from(list(OBJECTIONS)), min_size=1))
def test_more_objections_never_make_a_judgement_milder(
    any_policy: Policy, facts: Facts, more: list[Reason]
) -> None:
    """What becomes of an attempt is its own verdict or a review; nothing added undoes a review."""
    before = judge(any_policy, facts)
    for each in more:
        facts = _with(facts, each)
    after = judge(any_policy, facts)
    assert set(before.reasons) <= set(after.reasons)
    assert after.verdict in {before.verdict, Verdict.REVIEW}
    assert priority(any_policy, after.reasons) <= priority(any_policy, before.reasons)
    assert needs_second(any_policy, after.reasons) >= needs_second(any_policy, before.reasons)


def _with(facts: Facts, objection: Reason) -> Facts:
    """Add what speaks against it to what is there."""
    added = OBJECTIONS[objection]
    match objection:
        case Reason.NEAR_THRESHOLD:
            return facts._replace(compared=(*facts.compared, NEAR))
        case Reason.DEVICE_TAG | Reason.VERIFY_TAG:
            [(name, tags)] = added.items()
            return facts._replace(**{name: getattr(facts, name) | tags})
        case Reason.DEVICE_LEVEL:
            return facts if facts.device_level is not None else facts._replace(**added)
        case Reason.SUBJECT_FAILURES | Reason.BIZ_NO_FAILURES:
            [(name, count)] = added.items()
            return facts._replace(**{name: max(getattr(facts, name) or 0, count)})
    return facts._replace(**added)


def test_decisions_are_verdicts_but_the_review() -> None:
    assert {each.value for each in Decision} == {each.value for each in Verdict} - {"review"}
