"""Decide on reviews: alone where the policy lets one person, else one proposes, another seconds.

The database checks all of it again (migration 0007): who may, who did what before, and that two
people are two.
"""

import logging
import re
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.translation import gettext_noop as _

from verification.models import Mention, Review, ReviewStep, VerificationAttempt
from verification.models.review import ReviewState, StepKind
from verification.policy.judging import priority
from verification.policy.terms import Decision, Reason
from verification.selectors.policies import policy_in_force
from verification.services.errors import (
    BadDecisionError,
    FourEyesError,
    ReviewStateError,
    UnknownAttemptError,
    UnknownReviewError,
)
from verification.services.judging import Opening, due_at, open_reviews
from verification.services.reasons import check_permission
from verification.services.review_steps import (
    Act,
    is_open,
    lock_review,
    read_note,
    refuse_if_changed,
    refuse_if_taken,
    take_step,
)
from verification.services.runtime import Runtime

alerts = logging.getLogger("verification.alerts")

MENTION = re.compile(r"(?<![\w@.+-])@([\w.@+-]{1,150})")
UNDECIDED = ("decision", "reason_code", "proposed_by", "proposed_at", "decided_by", "decided_at")


def note(*, attempt_id: UUID, text: str, by: AbstractUser, runtime: Runtime) -> ReviewStep:
    """Keep a note; who is named in it by @username and may work on reviews will find it.

    Notes may be added to what is decided, and by whoever has the permission, lease or not.
    """
    check_permission(by, "work_review")
    said = read_note(text, is_needed=True)
    with transaction.atomic():
        review = lock_review(attempt_id)
        step = take_step(review, StepKind.NOTED, Act(by, runtime.now()), note=said)
        _mention(step)
    return step


def decide(
    *,
    attempt_id: UUID,
    decision: Decision,
    reason_code: str,
    note: str,
    by: AbstractUser,
    runtime: Runtime,
    seen: str | None = None,
) -> Review:
    """Decide, or propose where a second person is due: then the review is `proposed`.

    `seen` is the `standing` of the review as the person has read it. Raises NotPermittedError,
    UnknownReviewError, ReviewTakenError, BadDecisionError, BadReasonError, and ReviewStateError
    if it is decided or proposed already, or not as it was seen.
    """
    check_permission(by, "work_review")
    check_reason_code(decision, reason_code)
    act, said = Act(by, runtime.now()), read_note(note, is_needed=False)
    with transaction.atomic():
        review = lock_review(attempt_id)
        refuse_if_taken(review, act)
        if review.state != ReviewState.OPEN:
            raise ReviewStateError(_("Somebody has proposed or decided meanwhile."))
        refuse_if_changed(review, seen)
        kind = StepKind.PROPOSED if review.needs_second else StepKind.DECIDED
        step = take_step(review, kind, act, note=said, decision=decision, reason_code=reason_code)
        _mention(step)
        if review.needs_second:
            review.proposed_by_id, review.proposed_at = by.pk, act.at
            _move(review, ReviewState.PROPOSED, decision, reason_code)
        else:
            review.decided_by_id, review.decided_at = by.pk, act.at
            _move(review, ReviewState.DECIDED, decision, reason_code)
    return review


def second(
    *, attempt_id: UUID, note: str, by: AbstractUser, runtime: Runtime, seen: str | None = None
) -> Review:
    """Agree to what somebody else proposed, which decides it. FourEyesError for one's own.

    ReviewStateError if it is not as it was seen: nobody agrees to what they have not read.
    """
    check_permission(by, "second_review")
    act, said = Act(by, runtime.now()), read_note(note, is_needed=False)
    with transaction.atomic():
        review = _lock_proposed(attempt_id, act)
        if review.proposed_by_id == by.pk:
            raise FourEyesError(_("You proposed this: somebody else must agree."))
        refuse_if_changed(review, seen)
        decision, code = Decision(str(review.decision)), str(review.reason_code)
        step = take_step(
            review, StepKind.DECIDED, act, note=said, decision=decision, reason_code=code
        )
        _mention(step)
        review.decided_by_id, review.decided_at = by.pk, act.at
        _move(review, ReviewState.DECIDED, decision, code)
    return review


def give_back(
    *, attempt_id: UUID, note: str, by: AbstractUser, runtime: Runtime, seen: str | None = None
) -> Review:
    """Return a proposal, saying why; who proposed may take it back. It is open again."""
    if not by.has_perm("verification.second_review"):
        check_permission(by, "work_review")
    said = read_note(note, is_needed=True)
    act = Act(by, runtime.now())
    with transaction.atomic():
        review = _lock_proposed(attempt_id, act)
        check_permission(by, "work_review" if review.proposed_by_id == by.pk else "second_review")
        refuse_if_changed(review, seen)
        step = take_step(review, StepKind.RETURNED, act, note=said)
        _mention(step)
        _undecide(review)
    return review


def reopen(*, attempt_id: UUID, note: str, by: AbstractUser, runtime: Runtime) -> Review:
    """Open what was decided, by people or by the policy alone; two people decide then.

    Raises UnknownAttemptError, and ReviewStateError if it is open or was never judged.
    """
    check_permission(by, "reopen_review")
    said = read_note(note, is_needed=True)
    act = Act(by, runtime.now())
    with transaction.atomic():
        try:
            review = lock_review(attempt_id)
        except UnknownReviewError:
            return _open_by_hand(attempt_id, act, said)
        if is_open(review):
            raise ReviewStateError(_("It is open already."))
        review.round += 1
        step = take_step(review, StepKind.REOPENED, act, note=said)
        _mention(step)
        review.needs_second, review.glass_broken = True, False
        review.snoozed_until = None
        _undecide(review, "round", "needs_second", "glass_broken", "snoozed_until")
    return review


def break_glass(
    *,
    attempt_id: UUID,
    decision: Decision,
    reason_code: str,
    note: str,
    by: AbstractUser,
    runtime: Runtime,
    seen: str | None = None,
) -> Review:
    """Decide alone where two people are due. It raises an alert and has to be reviewed by another.

    Raises as `decide`; ReviewStateError as well where one person may decide anyway.
    """
    check_permission(by, "break_glass")
    check_reason_code(decision, reason_code)
    act, said = Act(by, runtime.now()), read_note(note, is_needed=True)
    with transaction.atomic():
        review = lock_review(attempt_id)
        if review.state == ReviewState.DECIDED or not review.needs_second:
            raise ReviewStateError(_("No second person is due here."))
        refuse_if_changed(review, seen)
        if review.state == ReviewState.PROPOSED:
            take_step(review, StepKind.RETURNED, act, note=said)
            _undecide(review)
            act = Act(
                by, act.at + timedelta.resolution
            )  # the order of steps is that of their times
        take_step(
            review, StepKind.GLASS_BROKEN, act, note=said, decision=decision,
            reason_code=reason_code,
        )  # fmt: skip
        review.decided_by_id, review.decided_at, review.glass_broken = by.pk, act.at, True
        _move(review, ReviewState.DECIDED, decision, reason_code, "glass_broken")
    alerts.critical("glass broken: attempt %s decided alone by person %s", attempt_id, by.pk)
    return review


def review_glass(*, attempt_id: UUID, note: str, by: AbstractUser, runtime: Runtime) -> ReviewStep:
    """Say that a decision by broken glass was looked at, by somebody else. It stays as it is."""
    check_permission(by, "second_review")
    said = read_note(note, is_needed=True)
    with transaction.atomic():
        review = lock_review(attempt_id)
        if not review.glass_broken:
            raise ReviewStateError(_("No glass was broken here."))
        if review.decided_by_id == by.pk:
            raise FourEyesError(_("You broke the glass: somebody else must review it."))
        done = ReviewStep.objects.filter(
            review=review, round=review.round, kind=StepKind.GLASS_REVIEWED
        )
        if done.exists():
            raise ReviewStateError(_("Somebody has reviewed it meanwhile."))
        return take_step(review, StepKind.GLASS_REVIEWED, Act(by, runtime.now()), note=said)


def check_reason_code(decision: Decision, reason_code: str) -> None:
    """Raise BadDecisionError unless the policy in force has the code for this decision."""
    found = policy_in_force()
    codes = found.policy.reason_codes if found else ()
    if not any(each.code == reason_code and decision in each.decisions for each in codes):
        raise BadDecisionError(_("Choose a reason that explains this decision."))


def _lock_proposed(attempt_id: UUID, act: Act) -> Review:
    review = lock_review(attempt_id)
    refuse_if_taken(review, act)
    if review.state != ReviewState.PROPOSED:
        raise ReviewStateError(_("There is no proposal: somebody has returned or decided it."))
    return review


def _move(
    review: Review, state: ReviewState, decision: Decision, reason_code: str, *more: str
) -> None:
    review.state, review.decision, review.reason_code = state, decision.value, reason_code
    review.leased_by = review.leased_until = None
    review.save(update_fields=["state", "leased_by", "leased_until", *UNDECIDED, *more])


def _undecide(review: Review, *more: str) -> None:
    review.state = ReviewState.OPEN
    for name in UNDECIDED:
        setattr(review, name, None)
    review.leased_by = review.leased_until = None
    review.save(update_fields=["state", "leased_by", "leased_until", *UNDECIDED, *more])


def _open_by_hand(attempt_id: UUID, act: Act, said: str | None) -> Review:
    """Open a review of what the policy decided alone."""
    attempt = VerificationAttempt.objects.filter(pk=attempt_id).first()
    if attempt is None:
        raise UnknownAttemptError(_("There is no such attempt."))
    found = policy_in_force()
    if attempt.verdict is None or found is None:
        raise ReviewStateError(_("No policy has judged this attempt."))
    reasons = [Reason(each) for each in attempt.reasons or []]
    rank = priority(found.policy, reasons)
    opening = Opening(
        needs_second=True, priority=rank.value, due_at=due_at(found.policy, rank, act.at)
    )
    open_reviews([(attempt_id, attempt.client_id)], attempt.reasons or [], opening, at=act.at)
    review = lock_review(attempt_id)
    _mention(take_step(review, StepKind.OPENED, act, note=said))
    return review


def _mention(step: ReviewStep) -> None:
    """Leave a hint to everybody who is named, may work on reviews, and is not who wrote it."""
    people = _named(step.note or "", without=step.by_id)
    Mention.objects.bulk_create([Mention(step=step, person_id=each.pk) for each in people])


def _named(text: str, *, without: int) -> Iterable[AbstractBaseUser]:
    names = {name.rstrip(".") for name in MENTION.findall(text)}
    if not names:
        return []
    model = get_user_model()
    field = f"{model.USERNAME_FIELD}__in"
    found = model.objects.filter(is_active=True, is_staff=True, **{field: names})
    return [each for each in found.exclude(pk=without) if each.has_perm("verification.work_review")]
