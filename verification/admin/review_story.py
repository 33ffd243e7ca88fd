"""An attempt's life in one order: from the token to the decision, with who did what."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from verification.admin.fragments import joined, moment, text
from verification.admin.review_fragments import clock, decided_pill, priority_pill, said
from verification.admin.review_wording import STEPS
from verification.admin.timeline import Step, duration, timeline_of
from verification.models import ReviewStep, VerificationAttempt


@dataclass(frozen=True, slots=True)
class Told:
    """One step as `Step`, and what people did: `detail`, `who` and their `note`."""

    label: str
    at: SafeString
    after: str | None
    is_reached: bool
    detail: SafeString | None = None
    who: SafeString | None = None
    note: SafeString | None = None


def story_of(attempt: VerificationAttempt, steps: Iterable[ReviewStep]) -> tuple[Told, ...]:
    """Return everything that happened, oldest first."""
    session = attempt.session
    begin = [Told(_("Session issued"), moment(session.created_at), None, True)] if session else []  # noqa: FBT003
    life = [_told(each) for each in timeline_of(attempt)]
    if session:
        life[0] = _first(life[0], session.created_at, attempt.created_at)
    judged = attempt.reconciled_at or attempt.settled_at
    told = [*begin, *life]
    if attempt.verdict and judged:
        label = _("Judged by policy version %(version)s") % {"version": attempt.policy_version}
        told.append(Told(label, moment(judged), None, True, detail=decided_pill(attempt.verdict)))  # noqa: FBT003
    last = judged
    for step in steps:
        told.append(_acted(step, last))
        last = step.at
    return tuple(told)


def _told(step: Step) -> Told:
    return Told(step.label, step.at, step.after, step.is_reached)


def _first(step: Told, issued: datetime, accepted: datetime) -> Told:
    after = duration(accepted - issued) if accepted >= issued else None
    return Told(step.label, step.at, after, step.is_reached)


def _acted(step: ReviewStep, last: datetime | None) -> Told:
    return Told(
        str(STEPS.get(step.kind, step.kind)),
        moment(step.at),
        duration(step.at - last) if last and step.at >= last else None,
        is_reached=True,
        detail=_detail(step),
        who=text(step.by_name),
        note=said(step.note) if step.note else None,
    )


def _detail(step: ReviewStep) -> SafeString | None:
    parts = [decided_pill(step.decision)] if step.decision else []
    parts += [text(step.assignee.get_username())] if step.assignee else []
    parts += [priority_pill(step.priority)] if step.priority else []
    parts += [clock(step.until, step.at)] if step.until else []
    return joined(parts) if parts else None
