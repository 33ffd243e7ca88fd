"""The reaper: what a dead process left open is told apart by what the vendor can have seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from verification.lifecycle import State
from verification.services.entries import JUDGEMENT, group_texts, settled_entry, utc_text
from verification.services.judging import (
    basis_now,
    judgement_columns,
    open_reviews,
    opening_of,
)
from verification.services.runtime import Runtime
from verification.services.staging import stage

ACCEPTED_LIMIT_S = 10.0
LOST = "process_lost"

NOT_SENT = f"""
    UPDATE verification_attempt SET state = 'not_sent', error_code = '{LOST}'
    WHERE state = 'accepted' AND created_at < %(before)s
    RETURNING id, client_id, commitment_key, send_no, sent_at
"""  # noqa: S608 - our own constant
IN_DOUBT = f"""
    UPDATE verification_attempt SET state = 'in_doubt', settled_at = %(now)s,
        error_code = '{LOST}', policy_version = %(policy_version)s, verdict = %(verdict)s,
        reasons = %(reasons)s
    WHERE state = 'sending' AND deadline_at < %(before)s
    RETURNING id, client_id, commitment_key, send_no, sent_at
"""  # noqa: S608 - our own constant


@dataclass(frozen=True, slots=True)
class Reaped:
    """How many attempts were moved on."""

    not_sent: int
    in_doubt: int


def reap(*, runtime: Runtime) -> Reaped:
    """Move overdue attempts on; safe to repeat and to run beside live requests.

    `accepted` for long: its process died before the intention was written, so no byte left.
    `sending` past its deadline and grace: its process died, a byte may have left. Nobody counts
    failures for these: being in doubt is reason enough to look.
    """
    now = runtime.now()
    accepted_before = now - timedelta(seconds=ACCEPTED_LIMIT_S)
    due_before = now - timedelta(seconds=runtime.conf.reaper_grace_s)
    return Reaped(
        not_sent=len(_give_up(NOT_SENT, State.NOT_SENT, {"before": accepted_before}, now)),
        in_doubt=_put_in_doubt(due_before, now),
    )


def _put_in_doubt(before: datetime, now: datetime) -> int:
    basis = basis_now()
    columns = judgement_columns(State.IN_DOUBT, {}, basis)
    values = {**dict.fromkeys(JUDGEMENT), **columns, "before": before, "now": now}
    with transaction.atomic():
        attempts = _give_up(IN_DOUBT, State.IN_DOUBT, values, now)
        if opening := opening_of(columns, basis, now):
            open_reviews(attempts, values["reasons"], opening, at=now)
    return len(attempts)


def _give_up(
    statement: str, state: State, values: Mapping[str, Any], now: datetime
) -> list[tuple[UUID, UUID]]:
    """Move the attempts on and stage their entries, together; return them with their clients."""
    judgement = {name: values.get(name) for name in JUDGEMENT}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            rows = cursor.fetchall()
        stage(
            settled_entry(
                key=bytes(key),
                at=utc_text(now),
                attempt=str(attempt_id),
                send_no=send_no,
                sent_at=utc_text(sent_at) if sent_at else None,
                state=state.value,
                texts=group_texts({"error_code": LOST, **judgement}),
            )
            for attempt_id, _, key, send_no, sent_at in rows
        )
    return [(attempt_id, client_id) for attempt_id, client_id, *_ in rows]
