"""What people read of a policy is all of it, and what the form sends is what it showed."""

from typing import Any

import pytest
from django.forms import CheckboxInput
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.policies.changing import NOTE, document, outcomes
from tests.unit.policy.test_judging import FACTS, POLICIES
from verification.admin.policy_form import PolicyForm, fields_of
from verification.admin.policy_text import differences, duration, sections
from verification.admin.policy_wording import DECISIONS, ENDINGS, PRIORITIES, REASONS, VERDICTS
from verification.outcomes import Outcome
from verification.policy.document import BUILT_IN, JUDGED_STATES, Policy, make_policy
from verification.policy.judging import Facts, judge, needs_second, priority
from verification.policy.terms import Decision, Priority, Reason, Verdict

POLICY = make_policy(BUILT_IN)


def sent(policy: Policy) -> dict[str, Any]:
    """Return what a browser sends for the form of a policy as it is shown."""
    form = PolicyForm(initial=fields_of(policy))
    data: dict[str, Any] = {"note": NOTE}
    for field in form:
        if field.name == "note" or (
            isinstance(field.field.widget, CheckboxInput) and not field.value()
        ):
            continue
        value = field.value()
        data[field.name] = "on" if value is True else str(value).replace("\n", "\r\n")
    return data


@given(POLICIES)
def test_a_form_that_is_sent_as_shown_says_the_policy(policy: Policy) -> None:
    form = PolicyForm(sent(policy))
    assert form.is_valid(), form.errors
    said = make_policy(form.document())
    assert _without_normal(said) == _without_normal(policy)


def _without_normal(policy: Policy) -> Any:
    """Return the policy's members, its priorities without those that are normal anyway."""
    values = {name: getattr(policy, name) for name in Policy.__dataclass_fields__}
    named = {k: v for k, v in policy.priorities.items() if v is not Priority.NORMAL}
    return {**values, "priorities": named}


@given(POLICIES, POLICIES, FACTS)
def test_policies_without_a_difference_to_read_judge_alike(
    one: Policy, other: Policy, facts: Facts
) -> None:
    if differences(one, other):
        return
    judged = judge(one, facts)
    assert judge(other, facts) == judged
    assert priority(other, judged.reasons) == priority(one, judged.reasons)
    assert needs_second(other, judged.reasons) == needs_second(one, judged.reasons)


CHANGES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "an outcome": (
        {"outcomes": outcomes(verified="review")},
        ("Verified: a live person, the same as the reference",),
    ),
    "a state": (
        {"states": {"rejected": "review", "in_doubt": "review"}},
        ("FaceID refused the request",),
    ),
    "the threshold": ({"threshold": "1e-6"}, ("Threshold",)),
    "the margin": ({"margin": "0"}, ("Near the threshold",)),
    "device tags": ({"device_tags": ["*"]}, ("Device tags",)),
    "device levels": ({"device_levels": ["3"]}, ("Device levels",)),
    "verification tags": ({"verify_tags": []}, ("Verification tags",)),
    "failures": ({"failures": {"count": 3, "hours": 48}}, ("Repeated failures",)),
    "always": ({"always_review": []}, ("Reasons",)),
    "two people": ({"second_person": ["device_tag"]}, ("Reasons",)),
    "priorities": ({"priorities": {"in_doubt": "urgent"}}, ("Urgent", "High")),
    "time": ({"sla_minutes": {"urgent": 60, "high": 240, "normal": 60}}, ("Normal",)),
    "the lease": ({"lease_minutes": 60}, ("Taking",)),
    "reason codes": ({"reason_codes": BUILT_IN["reason_codes"][1:]}, ("Reason codes",)),  # type: ignore[index]
}


@pytest.mark.parametrize(("changes", "labels"), CHANGES.values(), ids=CHANGES)
def test_each_change_is_a_difference_where_it_belongs(
    changes: dict[str, Any], labels: tuple[str, ...]
) -> None:
    found = differences(POLICY, make_policy(document(**changes)))
    assert tuple(each.label for each in found) == labels


def test_every_member_can_differ() -> None:
    changed = {name for changes, _ in CHANGES.values() for name in changes}
    assert changed == set(Policy.__dataclass_fields__)


def test_a_difference_names_only_what_one_of_the_two_has() -> None:
    [found] = differences(POLICY, make_policy(document(device_tags=["is_root", "is_new"])))
    assert found.before == ("is_hook", "is_injection", "is_virtual_environment")
    assert found.after == ("is_new",)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(1, "1 minute"), (59, "59 minutes"), (60, "1 hour"), (90, "90 minutes"), (1440, "1 day"),
     (2880, "2 days"), (1500, "25 hours")],
)  # fmt: skip
def test_durations_are_said_in_the_largest_unit_that_fits(minutes: int, words: str) -> None:
    assert duration(minutes) == words


def test_everything_has_its_word() -> None:
    assert set(ENDINGS) == {*Outcome, *JUDGED_STATES}
    assert set(REASONS) == set(Reason)
    assert set(VERDICTS) == set(Verdict)
    assert set(DECISIONS) == set(Decision)
    assert set(PRIORITIES) == set(Priority)
    assert all(rule.lines for each in sections(POLICY) for rule in each.rules)


@given(st.text(max_size=30), st.sampled_from(["reason_codes", "margin", "device_tags"]))
def test_whatever_is_typed_is_refused_or_read(text: str, name: str) -> None:
    form = PolicyForm({**sent(POLICY), name: text})
    if form.is_valid():
        assert set(form.document()) == {"schema", *Policy.__dataclass_fields__}
