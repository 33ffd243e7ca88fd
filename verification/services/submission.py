"""The corridor of a verify attempt: accept, intend, call, settle (`docs/architecture.md`).

Each step that commits does so before the next begins, so that a process killed anywhere leaves
a row from which the truth can be told. No database connection is held during the call.
"""

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.db.transaction import TransactionManagementError

from verification.faceid.errors import FaceIdError, NotProcessed
from verification.lifecycle import SENDABLE, SETTLED, State
from verification.models import ApiClient, VerificationAttempt
from verification.selectors.attempts import read_attempt
from verification.services.accepting import Submission, accept, receive
from verification.services.errors import AttemptInFlightError, AttemptNotSentError
from verification.services.judging import FAILURES, MOST_FAILURES, basis_of_send
from verification.services.runtime import Runtime
from verification.services.settlement import (
    Settlement,
    settlement_of_answer,
    settlement_of_error,
    settlement_of_unread,
)
from verification.services.settling import Send, settle
from verification.services.statements import fetch_row

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 2.0
OUR_FAULT = frozenset({401, 403})

# Failures stand there by name: a plan that is kept can use the index of their condition only so.
EARLIER = """(SELECT count(*) FROM (
        SELECT FROM verification_attempt AS f
        WHERE f.client_id = a.client_id AND f.{same} = a.{same}
            AND f.outcome IN ({failures}) AND f.settled_at > policy.since
        LIMIT {most}) AS failed)"""
FAILED = ", ".join(f"'{each}'" for each in FAILURES)
INTEND = """
    UPDATE verification_attempt AS a
    SET state = %(state)s, send_no = send_no + 1, sent_at = %(now)s, deadline_at = %(deadline)s,
        http_status = NULL, request_id = NULL, error_code = NULL, error_argument = NULL
    FROM (
        SELECT max(version) AS version, max(document) AS document,
            %(now)s - max((document::json->'failures'->>'hours')::int) * interval '1 hour' AS since
        FROM verification_review_policy WHERE state = 'active'
    ) AS policy
    WHERE a.id = %(id)s AND a.state = ANY(%(sendable)s) AND a.commitment_key IS NOT NULL
    RETURNING a.send_no, a.commitment_key, policy.version, policy.document,
        {subject}, {biz_no}
""".format(  # noqa: S608 - our own constants
    subject=EARLIER.format(same="subject", failures=FAILED, most=MOST_FAILURES),
    biz_no=EARLIER.format(same="biz_no", failures=FAILED, most=MOST_FAILURES),
)


@dataclass(frozen=True, slots=True)
class Submitted:
    """The attempt as it stands. `raw_answer` are the vendor's bytes if this call fetched them."""

    attempt: VerificationAttempt
    is_replay: bool
    raw_answer: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Called:
    """What came of one call: how to settle it, and what to tell the caller."""

    settlement: Settlement
    raw_answer: bytes | None = field(default=None, repr=False)
    error: FaceIdError | None = None


def submit(
    *,
    client: ApiClient,
    biz_token: str,
    packet: memoryview,
    packet_sha256: bytes,
    idempotency_key: str | None,
    runtime: Runtime,
) -> Submitted:
    """Verify one packet, or return what this token already led to, without a second call.

    `packet_sha256` is the packet's digest, 32 bytes; it becomes part of the record. Blocks up to
    `faceid_timeout_s` and a little. Repeating is always safe: the client's token is the natural
    key. Raises ForeignTokenError, AttemptInFlightError, IdempotencyKeyReusedError,
    PacketMismatchError and AttemptNotSentError. Must not run inside a transaction: its steps
    commit on their own.
    """
    if connection.in_atomic_block:
        raise TransactionManagementError("a submission commits its own steps")
    submission = receive(
        client=client,
        biz_token=biz_token,
        packet=packet,
        packet_sha256=packet_sha256,
        idempotency_key=idempotency_key,
        conf=runtime.conf,
    )
    accepted = accept(submission, runtime=runtime)
    attempt_id = accepted.attempt_id
    if accepted.state not in SENDABLE:
        return _replay(client, attempt_id)
    send = intend(attempt_id, runtime=runtime)
    if send is None:
        return _replay(client, attempt_id)
    called = call(submission, runtime=runtime)
    settled = settle(send, called.settlement, runtime=runtime)
    if settled is None:
        settled = read_attempt(client=client, attempt_id=attempt_id)
    settled.client = client
    return _conclude(settled, called)


def intend(attempt_id: UUID, *, runtime: Runtime) -> Send | None:
    """Commit the intention to send, before the first byte; None if somebody else has it.

    The same statement reads what the answer will be judged by, so that settling need not.
    """
    now = runtime.now()
    values = {
        "state": State.SENDING.value,
        "now": now,
        "deadline": now + timedelta(seconds=runtime.conf.faceid_timeout_s),
        "id": attempt_id,
        "sendable": [each.value for each in SENDABLE],
    }
    row = fetch_row(INTEND, values)
    return Send(attempt_id, row[0], now, row[1], basis_of_send(*row[2:])) if row else None


def call(submission: Submission, *, runtime: Runtime) -> Called:
    """Send the packet; every way it can end becomes a settlement. Holds no connection."""
    connection.close()  # back to the pool: the vendor takes seconds, others need it meanwhile
    try:
        answer = runtime.upstream.verify(biz_token=submission.biz_token, packet=submission.packet)
    except FaceIdError as error:
        if error.http_status in OUR_FAULT:
            status = error.http_status
            logger.error("the vendor refused us: HTTP %s", status)  # noqa: TRY400 - no values
        return Called(settlement_of_error(error), error.raw, error)
    try:
        return Called(settlement_of_answer(answer), answer.raw)
    except Exception as error:  # noqa: BLE001 - whatever we got wrong, a paid answer is kept
        name = type(error).__name__  # never its text, which may quote the answer
        logger.error("an answer was not understood: %s", name)  # noqa: TRY400 - no values
        return Called(settlement_of_unread(answer), answer.raw)


def _replay(client: ApiClient, attempt_id: UUID) -> Submitted:
    attempt = read_attempt(client=client, attempt_id=attempt_id)
    if attempt.state not in SETTLED:
        raise AttemptInFlightError(
            "Another request is sending this biz_token now.", attempt_id=attempt_id
        )
    return Submitted(attempt, is_replay=True, raw_answer=None)


def _conclude(attempt: VerificationAttempt, called: Called) -> Submitted:
    if attempt.state != State.NOT_SENT:
        return Submitted(attempt, is_replay=False, raw_answer=called.raw_answer)
    if isinstance(called.error, NotProcessed):
        pause_s = called.error.retry_after_s or RETRY_AFTER_S
        raise AttemptNotSentError(attempt, code="upstream_busy", retry_after_s=pause_s)
    raise AttemptNotSentError(attempt, code="upstream_unreachable", retry_after_s=RETRY_AFTER_S)
