"""A policy in sentences, and what differs between two, for people who read no JSON."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from verification.admin.fragments import plain
from verification.admin.policy_wording import (
    DECISIONS,
    ENDINGS,
    ERROR_RATES,
    PRIORITIES,
    REASONS,
    VERDICTS,
    code_name,
)
from verification.faceid.contract import DEVICE_TAGS
from verification.outcomes import Outcome
from verification.policy.document import EVERY, Policy
from verification.policy.terms import Priority, Reason

MINUTES_OF_HOUR = 60
MINUTES_OF_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a policy says: what it is about, and each line of what it says."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Rules that belong together."""

    title: str
    intro: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One rule that another version has otherwise; lines that only one of the two has."""

    section: str
    label: str
    before: tuple[str, ...]
    after: tuple[str, ...]


def sections(policy: Policy) -> list[Section]:
    """Return everything that a policy says."""
    return [Section(title, intro, tuple(rules(policy))) for title, intro, rules in _parts()]


def differences(before: Policy, after: Policy) -> list[Difference]:
    """Return what the second says otherwise, in the order of its page."""
    return [
        Difference(
            new.title,
            rule.label,
            tuple(line for line in known.lines if line not in rule.lines),
            tuple(line for line in rule.lines if line not in known.lines),
        )
        for old, new in zip(sections(before), sections(after), strict=True)
        for known, rule in zip(old.rules, new.rules, strict=True)
        if known != rule
    ]


def duration(minutes: int) -> str:
    """Return a number of minutes in the largest unit that divides it."""
    if minutes % MINUTES_OF_DAY == 0:
        days = minutes // MINUTES_OF_DAY
        return ngettext("%(number)d day", "%(number)d days", days) % {"number": days}
    if minutes % MINUTES_OF_HOUR == 0:
        hours = minutes // MINUTES_OF_HOUR
        return ngettext("%(number)d hour", "%(number)d hours", hours) % {"number": hours}
    return ngettext("%(number)d minute", "%(number)d minutes", minutes) % {"number": minutes}


def _parts() -> list[tuple[str, str, Callable[[Policy], Iterator[Rule]]]]:
    return [
        (
            _("What an attempt leads to"),
            _("By where it ended, if nothing speaks against it."),
            _of_endings,
        ),
        (
            _("What speaks against an approval"),
            _("Any of these turns an approval into a review, so that people decide."),
            _of_objections,
        ),
        (
            _("What people always look at"),
            _("These turn even a rejection or another try into a review."),
            lambda policy: _of_reasons(policy.always_review),
        ),
        (
            _("When two people must decide"),
            _("One officer proposes a decision, and somebody else agrees or returns it."),
            lambda policy: _of_reasons(policy.second_person),
        ),
        (
            _("How soon"),
            _("A review has the most urgent priority of its reasons, which says when it is due."),
            _of_time,
        ),
        (
            _("What officers choose from"),
            _("Each decision is explained by one of these."),
            _of_codes,
        ),
    ]


def _of_endings(policy: Policy) -> Iterator[Rule]:
    for ending, label in ENDINGS.items():
        verdict = policy.outcomes[ending] if isinstance(ending, Outcome) else policy.states[ending]
        yield Rule(str(label), (str(VERDICTS[verdict]),))


def _of_objections(policy: Policy) -> Iterator[Rule]:
    rate = ERROR_RATES[policy.threshold]
    yield Rule(
        _("Threshold"),
        (
            _("Each confidence is held against the threshold of its own answer for %(rate)s.")
            % {"rate": _("an error rate of %(rate)s") % {"rate": rate}},
        ),
    )
    yield Rule(_("Near the threshold"), (_margin(policy.margin),))
    yield Rule(_("Device tags"), _names(policy.device_tags))
    yield Rule(_("Device levels"), _names(policy.device_levels))
    yield Rule(_("Verification tags"), _names(policy.verify_tags))
    yield Rule(_("Repeated failures"), (_failures(policy),))
    yield Rule(
        _("Always"),
        (
            _("A presentation attack that was suspected although the comparison gave a result."),
            _("Risk figures in a form that the contract does not know."),
        ),
    )


def _margin(margin: Decimal) -> str:
    if not margin:
        return _("Only a confidence that is exactly at the threshold.")
    return _("A confidence within %(margin)s of the threshold, above or below.") % {
        "margin": f"{margin:f}"
    }


def _failures(policy: Policy) -> str:
    count = policy.failures.count
    sentence = ngettext(
        "%(count)d failure of the subject or of the business number within %(hours)s before.",
        "%(count)d failures of the subject or of the business number within %(hours)s before.",
        count,
    )
    return sentence % {"count": count, "hours": duration(policy.failures.hours * MINUTES_OF_HOUR)}


def doubtful_names(policy: Policy) -> list[str]:
    """Return names of tags and levels that are likely typed wrong, and so never match an answer.

    Allowed all the same: the vendor may tell a device tag tomorrow that its contract has not today.
    """
    listed = policy.device_tags | policy.device_levels | policy.verify_tags
    odd = {each for each in listed if each != each.strip() or "," in each}
    return [plain(each) for each in sorted(odd | (policy.device_tags - {EVERY, *DEVICE_TAGS}))]


def _names(names: frozenset[str]) -> tuple[str, ...]:
    if EVERY in names:
        return (_("every one that is raised"),)
    return tuple(plain(each) for each in sorted(names)) or (_("none"),)


def _of_reasons(listed: frozenset[Reason]) -> Iterator[Rule]:
    lines = tuple(str(label) for reason, label in REASONS.items() if reason in listed)
    yield Rule(_("Reasons"), lines or (_("none"),))


def _of_time(policy: Policy) -> Iterator[Rule]:
    for each in Priority:
        due = _("due within %(duration)s") % {"duration": duration(policy.sla_minutes[each])}
        yield Rule(_capital(PRIORITIES[each]), (due, *_of_priority(policy, each)))
    lease = duration(policy.lease_minutes)
    sentence = _("Who takes a review has it for %(duration)s, then others may.")
    yield Rule(_("Taking"), (sentence % {"duration": lease},))


def _of_priority(policy: Policy, priority: Priority) -> Sequence[str]:
    if priority is Priority.NORMAL:
        return [_("every other reason")]
    given = policy.priorities.items()
    named = {reason for reason, each in given if each is priority}
    return [str(label) for reason, label in REASONS.items() if reason in named]


def _of_codes(policy: Policy) -> Iterator[Rule]:
    lines = (
        _("%(label)s (%(code)s): %(decisions)s")
        % {
            "label": code_name(each.label),
            "code": each.code,
            "decisions": pgettext("between words of a list", ", ").join(
                str(label) for word, label in DECISIONS.items() if word in each.decisions
            ),
        }
        for each in policy.reason_codes
    )
    yield Rule(_("Reason codes"), tuple(lines))


def _capital(text: str | Promise) -> str:
    shown = str(text)
    return shown[:1].upper() + shown[1:]
