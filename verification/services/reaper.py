"""The reaper: what a dead process left open is told apart by what the vendor can have seen."""

from dataclasses import dataclass
from datetime import timedelta

from verification.lifecycle import State
from verification.models import VerificationAttempt
from verification.services.runtime import Runtime

ACCEPTED_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Reaped:
    """How many attempts were moved on."""

    not_sent: int
    in_doubt: int


def reap(*, runtime: Runtime) -> Reaped:
    """Move overdue attempts on; safe to repeat and to run beside live requests.

    `accepted` for long: its process died before the intention was written, so no byte left.
    `sending` past its deadline and grace: its process died, a byte may have left.
    """
    now = runtime.now()
    unsent = VerificationAttempt.objects.filter(
        state=State.ACCEPTED, created_at__lt=now - timedelta(seconds=ACCEPTED_LIMIT_S)
    )
    overdue = VerificationAttempt.objects.filter(
        state=State.SENDING,
        deadline_at__lt=now - timedelta(seconds=runtime.conf.reaper_grace_s),
    )
    return Reaped(
        not_sent=unsent.update(state=State.NOT_SENT, error_code="process_lost"),
        in_doubt=overdue.update(state=State.IN_DOUBT, settled_at=now, error_code="process_lost"),
    )
