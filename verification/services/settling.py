"""Settle a send: once, by whoever holds its number; a late second writer changes nothing."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import DataError, IntegrityError, OperationalError, transaction

from verification.lifecycle import SETTLED, State
from verification.models import Evidence, VerificationAttempt
from verification.models.evidence import LATE_ANSWER, RAW_ANSWER
from verification.services.runtime import Runtime
from verification.services.sealing import store_evidence
from verification.services.settlement import Settlement, settlement_of_unstorable

logger = logging.getLogger(__name__)

PAUSES_S = (0.1, 0.3, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Send:
    """One intention to send, fenced by its number: the attempt's `send_no` when it was made."""

    attempt_id: UUID
    send_no: int


def settle(
    send: Send,
    settlement: Settlement,
    *,
    runtime: Runtime,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Commit what came of a send. A database that restarts meanwhile is waited for, briefly.

    Raises OperationalError when the database stays away: the reaper will then find the attempt
    and put it in doubt.
    """
    for pause_s in PAUSES_S:
        try:
            return _settle_storable(send, settlement, runtime)
        except OperationalError:
            sleep(pause_s)
    return _settle_storable(send, settlement, runtime)


def _settle_storable(send: Send, settlement: Settlement, runtime: Runtime) -> None:
    try:
        _settle_once(send, settlement, runtime)
    except (DataError, IntegrityError) as error:
        # A figure that our columns refuse must not cost us the record: the raw answer is kept.
        name = type(error).__name__  # never its text: PostgreSQL quotes values in it
        logger.error("attempt %s: answer not storable: %s", send.attempt_id, name)  # noqa: TRY400 - no values
        _settle_once(send, settlement_of_unstorable(settlement), runtime)


def _settle_once(send: Send, settlement: Settlement, runtime: Runtime) -> None:
    now = runtime.now()
    with transaction.atomic():
        if _write(send, settlement, now):
            _seal(send, settlement.evidence, runtime, now)
        elif RAW_ANSWER in settlement.evidence and _is_awaited(send):
            late = {LATE_ANSWER: settlement.evidence[RAW_ANSWER]}
            _seal(send, late, runtime, now)


def _write(send: Send, settlement: Settlement, now: datetime) -> bool:
    """Update the row if it is still this send's; return whether it was."""
    settled_at = now if settlement.state in SETTLED else None
    columns = dict(settlement.columns)
    mine = VerificationAttempt.objects.filter(
        pk=send.attempt_id, send_no=send.send_no, state=State.SENDING
    )
    return mine.update(state=settlement.state, settled_at=settled_at, **columns) == 1


def _is_awaited(send: Send) -> bool:
    """Return whether this send was given up as in doubt, so that its answer still matters."""
    given_up = VerificationAttempt.objects.select_for_update().filter(
        pk=send.attempt_id, send_no=send.send_no, state=State.IN_DOUBT
    )
    kept = Evidence.objects.filter(attempt_id=send.attempt_id, kind__in=[RAW_ANSWER, LATE_ANSWER])
    return given_up.exists() and not kept.exists()


def _seal(send: Send, items: Mapping[str, bytes], runtime: Runtime, now: datetime) -> None:
    store_evidence(attempt_id=send.attempt_id, items=items, keyring=runtime.conf.keyring, at=now)
