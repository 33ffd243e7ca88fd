"""The steps of an attempt's life and the time between them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.safestring import SafeString

from verification.admin.fragments import moment
from verification.lifecycle import SETTLED, State
from verification.models import VerificationAttempt

SETTLED_LABELS = {
    State.ANSWERED: "FaceID answered",
    State.REJECTED: "FaceID refused",
    State.IN_DOUBT: "Found in doubt",
    State.CLOSED: "Found in doubt",
}
RECONCILED_LABELS = {
    State.ANSWERED: "Reconciled: the answer was found",
    State.CLOSED: "Reconciled: closed without an answer",
}
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
    again = f" (send {attempt.send_no})" if attempt.send_no > 1 else ""
    moments: list[tuple[str, datetime | None]] = [("Accepted from the client", attempt.created_at)]
    if attempt.sent_at or state in {State.ACCEPTED, State.SENDING}:
        moments.append((f"Sent to FaceID{again}", attempt.sent_at))
    if state in SETTLED or state in {State.ACCEPTED, State.SENDING}:
        found = state if not attempt.reconciled_at else State.IN_DOUBT
        moments.append((SETTLED_LABELS.get(found, "Answer"), attempt.settled_at))
    if attempt.reconciled_at:
        moments.append((RECONCILED_LABELS.get(state, "Reconciled"), attempt.reconciled_at))
    return moments


def _between(earlier: datetime | None, later: datetime | None) -> str | None:
    if earlier is None or later is None:
        return None
    return duration(later - earlier)


def duration(span: timedelta) -> str:
    """Return a span for people: `340 ms`, `1.42 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`."""
    seconds = span.total_seconds()
    whole = round(seconds)
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if whole < MINUTE_S:
        return f"{seconds:.2f} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"
    if whole < DAY_S:
        return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"
    return f"{whole // DAY_S} d {whole % DAY_S // HOUR_S} h"
