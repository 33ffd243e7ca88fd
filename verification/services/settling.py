"""Settle a send: once, by whoever holds its number; a late second writer changes nothing.

One statement settles: it updates the row if it is still this send's, and stores the judgement, the
entry, the sealed evidence and the review that is due with it or not at all.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DataError, IntegrityError, OperationalError, connection, transaction

from verification.ledger.errors import CanonicalError
from verification.lifecycle import SETTLED, State
from verification.models import Evidence, EvidenceKey, Review, VerificationAttempt
from verification.models.evidence import LATE_ANSWER, RAW_ANSWER
from verification.models.fields import ExactJSONField, exact_jsonb, load_exact
from verification.models.review import ReviewState
from verification.services.entries import kept_entry, settled_entry, utc_text
from verification.services.judging import Basis, Opening, judgement_columns, opening_of
from verification.services.runtime import Runtime
from verification.services.sealing import SealedEvidence, add_evidence, seal_evidence
from verification.services.settlement import Settlement, settlement_of_unstorable
from verification.services.staging import stage
from verification.services.statements import fetch_row

logger = logging.getLogger(__name__)

PAUSES_S = (0.1, 0.3, 1.0, 2.0)
FIELDS = VerificationAttempt._meta.concrete_fields  # noqa: SLF001  documented in spite of its name
NAMES = [each.attname for each in FIELDS]
REVIEW_FIELD = VerificationAttempt._meta.get_field("review")  # noqa: SLF001  the same
JSON_COLUMNS = frozenset(each.column for each in FIELDS if isinstance(each, ExactJSONField))
RETURNED = ", ".join(f"settled.{each.column}" for each in FIELDS)
SETTLE = """
    WITH settled AS (
        UPDATE verification_attempt SET {columns}
        WHERE id = %(id)s AND send_no = %(send_no)s AND state = 'sending'
        RETURNING *
    ), staged AS (
        INSERT INTO verification_ledger_stage (raw) SELECT %(entry)b FROM settled
    ){review}{evidence}
    SELECT {returned} FROM settled
"""
REVIEW = """, opened AS (
        INSERT INTO verification_review (attempt_id, client_id, reasons, needs_second, state,
            round, priority, opened_at, due_at, glass_broken)
        SELECT id, client_id, reasons, %(needs_second)s, 'open', 1, %(priority)s, settled_at,
            %(due_at)s, false
        FROM settled
    )"""
EVIDENCE = """, wrapped AS (
        INSERT INTO verification_evidence_key (attempt_id, kek_id, sealed, created_at)
        SELECT id, %(kek_id)s, %(key)b, %(now)s FROM settled
    ), kept AS (
        INSERT INTO verification_evidence
            (id, attempt_id, kind, size_bytes, sha256, sealed, created_at)
        SELECT item.id, settled.id, item.kind, item.size_bytes, item.sha256, item.sealed, %(now)s
        FROM settled, (VALUES {items}) AS item (id, kind, size_bytes, sha256, sealed)
    )"""
ITEM = (
    "(%(id{0})s::uuid, %(kind{0})s::text, %(size{0})s::int,"
    " %(sha256{0})b::bytea, %(sealed{0})b::bytea)"
)


@dataclass(frozen=True, slots=True)
class Send:
    """One intention to send, fenced by its number: the attempt's `send_no` when it was made."""

    attempt_id: UUID
    send_no: int
    sent_at: datetime
    commitment_key: bytes = field(repr=False)
    basis: Basis | None = None


def settle(
    send: Send,
    settlement: Settlement,
    *,
    runtime: Runtime,
    sleep: Callable[[float], None] = time.sleep,
) -> VerificationAttempt | None:
    """Commit what came of a send; return the row as it stands now, None if it was not ours.

    A database that restarts meanwhile is waited for, briefly. Raises OperationalError when it
    stays away: the reaper will then find the attempt and put it in doubt.
    """
    for pause_s in PAUSES_S:
        try:
            return _settle_storable(send, settlement, runtime)
        except OperationalError:
            # What broke stays with this thread until it is closed; only then comes another.
            connection.close()
            sleep(pause_s)
    return _settle_storable(send, settlement, runtime)


def _settle_storable(
    send: Send, settlement: Settlement, runtime: Runtime
) -> VerificationAttempt | None:
    try:
        return _settle_once(send, settlement, runtime)
    except (DataError, IntegrityError, CanonicalError) as error:
        # What our columns or an entry refuse must not cost us the record: the raw answer is kept.
        name = type(error).__name__  # never its text: PostgreSQL quotes values in it
        logger.error("attempt %s: answer not storable: %s", send.attempt_id, name)  # noqa: TRY400 - no values
        return _settle_once(send, settlement_of_unstorable(settlement), runtime)


def _settle_once(
    send: Send, settlement: Settlement, runtime: Runtime
) -> VerificationAttempt | None:
    now = runtime.now()
    judged = judgement_columns(settlement.state, settlement.columns, send.basis)
    settlement = replace(settlement, columns={**settlement.columns, **judged})
    evidence = seal_evidence(
        attempt_id=send.attempt_id,
        items=settlement.evidence,
        keyring=runtime.conf.keyring,
        at=now,
    )
    opening = opening_of(judged, send.basis, now)
    row = _execute(send, settlement, evidence, opening, now)
    if row is not None:
        return _as_attempt(row, evidence, opening, now)
    if RAW_ANSWER in settlement.evidence:
        _keep_late_answer(send, settlement.evidence[RAW_ANSWER], runtime, now)
    return None


def _execute(
    send: Send,
    settlement: Settlement,
    evidence: SealedEvidence,
    opening: Opening | None,
    now: datetime,
) -> Sequence[Any] | None:
    columns = {
        **settlement.columns,
        "state": settlement.state.value,
        "settled_at": now if settlement.state in SETTLED else None,
    }
    assignments = ", ".join(f"{name} = %({name})s" for name in columns)
    values = {
        **{name: _bindable(name, value) for name, value in columns.items()},
        "id": send.attempt_id,
        "send_no": send.send_no,
        "entry": _entry(send, settlement, evidence, now),
    }
    kept = review = ""
    if evidence.items:
        kept, more = _keeping(evidence, now)
        values |= more
    if opening is not None:
        review = REVIEW
        values |= asdict(opening)
    statement = SETTLE.format(columns=assignments, review=review, evidence=kept, returned=RETURNED)
    return fetch_row(statement, values)


def _entry(send: Send, settlement: Settlement, evidence: SealedEvidence, now: datetime) -> bytes:
    return settled_entry(
        key=send.commitment_key,
        at=utc_text(now),
        attempt=str(send.attempt_id),
        send_no=send.send_no,
        sent_at=utc_text(send.sent_at),
        state=settlement.state.value,
        texts=settlement.texts(),
        added=evidence.added,
    )


def _keeping(evidence: SealedEvidence, now: datetime) -> tuple[str, dict[str, object]]:
    """Return the part of the statement that stores evidence, with its values."""
    values: dict[str, object] = {
        "now": now,
        "kek_id": evidence.key.kek_id,
        "key": evidence.key.sealed,
    }
    for place, item in enumerate(evidence.items):
        values |= {
            f"id{place}": item.id,
            f"kind{place}": item.kind,
            f"size{place}": item.size_bytes,
            f"sha256{place}": item.sha256,
            f"sealed{place}": item.sealed,
        }
    items = ", ".join(ITEM.format(place) for place in range(len(evidence.items)))
    return EVIDENCE.format(items=items), values


def _bindable(name: str, value: object) -> object:
    return exact_jsonb(value) if name in JSON_COLUMNS and value is not None else value


def _as_attempt(
    row: Sequence[Any], evidence: SealedEvidence, opening: Opening | None, now: datetime
) -> VerificationAttempt:
    """Return the row as the ORM would have read it, with all that was stored with it."""
    values = [
        value if value is None or each.column not in JSON_COLUMNS else load_exact(value)
        for each, value in zip(FIELDS, row, strict=True)
    ]
    attempt = VerificationAttempt.from_db(connection.alias, NAMES, values)
    attempt.shown_evidence = [
        Evidence(id=each.id, kind=each.kind, size_bytes=each.size_bytes, sha256=each.sha256)
        for each in evidence.items
    ]
    attempt.evidence_key = EvidenceKey(attempt=attempt, kek_id=evidence.key.kek_id, created_at=now)
    REVIEW_FIELD.set_cached_value(attempt, _opened(attempt, opening, now))
    return attempt


def _opened(attempt: VerificationAttempt, opening: Opening | None, now: datetime) -> Review | None:
    if opening is None:
        return None
    return Review(
        attempt=attempt,
        client_id=attempt.client_id,
        reasons=attempt.reasons or [],
        state=ReviewState.OPEN,
        round=1,
        opened_at=now,
        **asdict(opening),
    )


def _keep_late_answer(send: Send, raw_answer: bytes, runtime: Runtime, now: datetime) -> None:
    """Keep an answer whose send was given up as in doubt meanwhile, if nobody has one."""
    with transaction.atomic():
        given_up = VerificationAttempt.objects.select_for_update().filter(
            pk=send.attempt_id, send_no=send.send_no, state=State.IN_DOUBT
        )
        kinds = [RAW_ANSWER, LATE_ANSWER]
        kept = Evidence.objects.filter(attempt_id=send.attempt_id, kind__in=kinds)
        if given_up.exists() and not kept.exists():
            added = add_evidence(
                attempt_id=send.attempt_id,
                items={LATE_ANSWER: raw_answer},
                keyring=runtime.conf.keyring,
                at=now,
            )
            key, attempt = send.commitment_key, str(send.attempt_id)
            stage([kept_entry(key=key, at=utc_text(now), attempt=attempt, added=added)])
