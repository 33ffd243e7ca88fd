"""What an attempt's page says about its judgement and review, and what its reader can do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from verification.admin.fragments import moment, plain, text
from verification.admin.policy_wording import code_name
from verification.admin.review_fragments import (
    clock,
    decided_pill,
    due_pill,
    is_leased,
    priority_pill,
    reason_label,
    review_pill,
    said,
)
from verification.admin.review_wording import PRIORITIES, SENTENCES
from verification.models import Review, ReviewStep, VerificationAttempt
from verification.models.review import ReviewState, StepKind
from verification.policy.document import Policy
from verification.policy.judging import raised_tags
from verification.policy.terms import Decision, Priority, Reason
from verification.selectors.colleagues import colleagues
from verification.selectors.decisions import review_of
from verification.selectors.policies import find_version, policy_in_force, read_document
from verification.selectors.reviews import standing

Person = AbstractUser | AnonymousUser
KEYS = {Decision.APPROVED: "a", Decision.REJECTED: "r", Decision.RETRY: "t"}
DUTIES = ("work_review", "second_review", "assign_review", "reopen_review", "break_glass")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something was not done, with what had been typed, so that it is not lost."""

    act: str
    sentence: str
    note: str = ""
    decision: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """One reason of a judgement; `names` are the tags that were raised."""

    label: str
    sentence: str
    names: list[SafeString]
    needs_second: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision to choose, with its key and the reason codes that explain it."""

    value: str
    label: SafeString
    key: str
    codes: list[tuple[str, str]]


def review_context(
    attempt: VerificationAttempt,
    steps: Iterable[ReviewStep],
    person: Person,
    trouble: Trouble | None = None,
) -> dict[str, Any]:
    """Return the context of `_judgement.html` and `_review.html`.

    What the person may not do is absent; all of it is checked again when it is done.
    """
    if attempt.verdict is None:
        return {"judged": None}
    policy = _policy_of(attempt)
    review = review_of(attempt)
    # Nothing more is done about a record whose texts were erased.
    duties = DUTIES if attempt.commitment_key is not None else ()
    may = {each for each in duties if person.has_perm(f"verification.{each}")}
    return {
        "judged": {
            "verdict": decided_pill(attempt.verdict),
            "version": attempt.policy_version,
            "why": [_why(each, attempt, policy) for each in attempt.reasons or []],
        },
        "review": _review(review, list(steps), person, may) if review else None,
        "can_reopen": "reopen_review" in may
        and (review is None or review.state == ReviewState.DECIDED),
        "trouble": trouble,
        "works": "work_review" in may,
    }


def choices_now() -> list[Choice]:
    """Return the decisions with the reason codes of the policy in force; one query."""
    found = policy_in_force()
    codes = found.policy.reason_codes if found else ()
    return [
        Choice(
            each.value,
            decided_pill(each.value),
            KEYS[each],
            [(code.code, code_name(code.label)) for code in codes if each in code.decisions],
        )
        for each in Decision
    ]


def code_label(code: str) -> str:
    """Return what the policy in force calls a reason code; one that it does not know as it is."""
    found = policy_in_force()
    labels = {each.code: each.label for each in found.policy.reason_codes} if found else {}
    return code_name(labels.get(code, code))


def _policy_of(attempt: VerificationAttempt) -> Policy | None:
    version = find_version(attempt.policy_version) if attempt.policy_version else None
    return read_document(version.document) if version else None


def _why(reason: str, attempt: VerificationAttempt, policy: Policy | None) -> Why:
    figures = {
        "threshold": policy.threshold if policy else "",
        "margin": policy.margin if policy else "",
        "hours": policy.failures.hours if policy else "",
        "subject_failures": attempt.subject_failures,
        "biz_no_failures": attempt.biz_no_failures,
    }
    return Why(
        reason_label(reason),
        str(SENTENCES.get(reason, "")) % figures,
        [text(each) for each in _names(reason, attempt)],
        needs_second=policy is not None and reason in policy.second_person,
    )


def _names(reason: str, attempt: VerificationAttempt) -> list[str]:
    if reason == Reason.DEVICE_TAG:
        return sorted(raised_tags(attempt.device_tags))
    if reason == Reason.VERIFY_TAG:
        return sorted(raised_tags(attempt.verify_tags))
    if reason == Reason.DEVICE_LEVEL:
        return [attempt.device_level or ""]
    return []


def _review(
    review: Review, steps: list[ReviewStep], person: Person, may: set[str]
) -> dict[str, Any]:
    now = timezone.now()
    is_open, is_proposed = (
        review.state == each for each in (ReviewState.OPEN, ReviewState.PROPOSED)
    )
    taken = is_leased(review, now) and review.leased_by_id != person.pk
    works = "work_review" in may and not taken
    is_own = review.proposed_by_id == person.pk
    return {
        "row": review,
        "seen": standing(review.attempt.state, steps),
        "state": review_pill(review),
        "due": due_pill(review, now),
        "due_at": moment(review.due_at),
        "priority": priority_pill(review.priority),
        "lease": _lease(review, person, now),
        "assignee": text(review.assignee.get_username()) if review.assignee else None,
        "snoozed": _snoozed(review, now),
        "is_open": is_open,
        "is_proposed": is_proposed,
        "is_own": is_own,
        "is_taken": taken,
        "decision": _decision(review, steps),
        "choices": choices_now() if (works and is_open) or "break_glass" in may else [],
        "can_decide": works and is_open,
        "can_second": is_proposed and "second_review" in may and not is_own and not taken,
        "can_take_back": is_proposed and works and is_own,
        "can_break": review.needs_second and not _is_decided(review) and "break_glass" in may,
        "can_review_glass": _waits_for_glass(review, steps)
        and "second_review" in may
        and review.decided_by_id != person.pk,
        "glass_waits": _waits_for_glass(review, steps),
        "can_take": works and (is_open or (is_proposed and "second_review" in may and not is_own)),
        "can_snooze": works and not _is_decided(review),
        "can_steer": "assign_review" in may and not _is_decided(review),
        "people": _people(review) if "assign_review" in may and not _is_decided(review) else [],
        "priorities": [(each.name.lower(), PRIORITIES[each][0]) for each in Priority],
        "by_hand": any(each.kind in {StepKind.OPENED, StepKind.REOPENED} for each in steps),
    }


def _is_decided(review: Review) -> bool:
    return review.state == ReviewState.DECIDED


def _snoozed(review: Review, now: datetime) -> SafeString | None:
    until = review.snoozed_until
    return clock(until, now) if until is not None and until > now else None


def _lease(review: Review, person: Person, now: datetime) -> dict[str, Any] | None:
    if not is_leased(review, now) or not review.leased_by or not review.leased_until:
        return None
    return {
        "is_mine": review.leased_by_id == person.pk,
        "who": text(review.leased_by.get_username()),
        "until": clock(review.leased_until, now),
    }


def _decision(review: Review, steps: list[ReviewStep]) -> dict[str, Any] | None:
    """Return what was proposed or decided, in words, with the notes of both people."""
    if review.decision is None:
        return None
    return {
        "pill": decided_pill(review.decision),
        "code": code_label(review.reason_code or ""),
        "proposed_by": text(review.proposed_by.get_username()) if review.proposed_by else None,
        "proposed_at": moment(review.proposed_at) if review.proposed_at else None,
        "decided_by": text(review.decided_by.get_username()) if review.decided_by else None,
        "decided_at": moment(review.decided_at) if review.decided_at else None,
        "notes": [said(each.note) for each in steps if _explains(each, review)],
    }


def _explains(step: ReviewStep, review: Review) -> bool:
    deciding = {StepKind.PROPOSED, StepKind.DECIDED, StepKind.GLASS_BROKEN}
    return step.round == review.round and step.kind in deciding and bool(step.note)


def _people(review: Review) -> list[tuple[str, str, bool]]:
    anybody = ("", _("Anybody"), review.assignee_id is None)
    them = colleagues()
    return [
        anybody,
        *((str(p.pk), plain(p.get_username()), p.pk == review.assignee_id) for p in them),
    ]


def _waits_for_glass(review: Review, steps: list[ReviewStep]) -> bool:
    looked = any(
        each.kind == StepKind.GLASS_REVIEWED and each.round == review.round for each in steps
    )
    return review.glass_broken and not looked
