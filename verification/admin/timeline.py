"""The steps of an attempt's life and the time between them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from verification.admin.fragments import moment
from verification.admin.numbers import localised
from verification.lifecycle import SETTLED, State
from verification.models import VerificationAttempt

SETTLED_LABELS = {
    State.ANSWERED: gettext_noop("FaceID answered"),
    State.REJECTED: gettext_noop("FaceID refused"),
    State.IN_DOUBT: gettext_noop("Found in doubt"),
    State.CLOSED: gettext_noop("Found in doubt"),
}
RECONCILED_LABELS = {
    State.ANSWERED: gettext_noop("Reconciled: the answer was found"),
    State.CLOSED: gettext_noop("Reconciled: closed without an answer"),
}
ANSWER, RECONCILED = gettext_noop("Answer"), gettext_noop("Reconciled")
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `after` is the time since the step before, None for the first."""

    label: str
    at: SafeString
    after: str | None
    is_reached: bool


def timeline_of(attempt: VerificationAttempt) -> tuple[Step, ...]:
    """Return the steps so far, and the next ones that are still open, in order."""
    steps: list[Step] = []
    last: datetime | None = None
    for label, at in _moments(attempt):
        steps.append(Step(label, moment(at), _between(last, at), is_reached=at is not None))
        last = at or last
    return tuple(steps)


def _moments(attempt: VerificationAttempt) -> list[tuple[str, datetime | None]]:
    state = State(attempt.state)
    moments: list[tuple[str, datetime | None]] = [
        (_("Accepted from the client"), attempt.created_at)
    ]
    if attempt.sent_at or state in {State.ACCEPTED, State.SENDING}:
        moments.append((_sending(attempt.send_no), attempt.sent_at))
    if state in SETTLED or state in {State.ACCEPTED, State.SENDING}:
        found = state if not attempt.reconciled_at else State.IN_DOUBT
        moments.append((_(SETTLED_LABELS.get(found, ANSWER)), attempt.settled_at))
    if attempt.reconciled_at:
        moments.append((_(RECONCILED_LABELS.get(state, RECONCILED)), attempt.reconciled_at))
    return moments


def _sending(send_no: int) -> str:
    if send_no > 1:
        return _("Sent to FaceID (send %(n)d)") % {"n": send_no}
    return _("Sent to FaceID")


def _between(earlier: datetime | None, later: datetime | None) -> str | None:
    if earlier is None or later is None:
        return None
    return duration(later - earlier)


def duration(span: timedelta) -> str:
    """Return a span for people: `340 ms`, `1.42 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`."""
    seconds = span.total_seconds()
    whole = round(seconds)
    if seconds < 1:
        return _("%(n)d ms") % {"n": round(seconds * 1000)}
    if whole < MINUTE_S:
        return _("%(n)s s") % {"n": localised(f"{seconds:.2f}")}
    if whole < HOUR_S:
        return _("%(m)d min %(s)d s") % {"m": whole // MINUTE_S, "s": whole % MINUTE_S}
    if whole < DAY_S:
        hours, rest = divmod(whole, HOUR_S)
        return _("%(h)d h %(m)d min") % {"h": hours, "m": rest // MINUTE_S}
    days, rest = divmod(whole, DAY_S)
    return _("%(d)d d %(h)d h") % {"d": days, "h": rest // HOUR_S}
