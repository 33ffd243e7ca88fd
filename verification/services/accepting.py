"""Accept an attempt: after this commit it cannot be lost, and its token has one row."""

from dataclasses import dataclass, field
from uuid import UUID

from verification.conf import Conf
from verification.identifiers import uuid7
from verification.lifecycle import SENDABLE, State
from verification.models import ApiClient, VerificationAttempt
from verification.services.errors import IdempotencyKeyReusedError, PacketMismatchError
from verification.services.runtime import Runtime
from verification.services.statements import fetch_row
from verification.vault.digest import keyed_digest

ACCEPT = """
    INSERT INTO verification_attempt
        (id, client_id, session_id, region, token_digest, idempotency_key, packet_sha256,
         packet_size_bytes, state, send_no, created_at, biz_no, subject)
    SELECT %(id)s, %(client)s, session.id, %(region)s, %(token)s, %(key)s, %(packet)s,
           %(size)s, %(state)s, 0, %(now)s, session.biz_no, session.subject
    FROM (SELECT 1) AS once
    LEFT JOIN verification_session AS session
        ON session.client_id = %(client)s AND session.token_digest = %(token)s
    ON CONFLICT DO NOTHING
    RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a client hands in, with the digests by which it is known from here on."""

    client: ApiClient
    biz_token: str = field(repr=False)
    packet: memoryview = field(repr=False)
    idempotency_key: str | None
    token_digest: bytes = field(repr=False)
    packet_sha256: bytes


def receive(
    *,
    client: ApiClient,
    biz_token: str,
    packet: memoryview,
    packet_sha256: bytes,
    idempotency_key: str | None,
    conf: Conf,
) -> Submission:
    """Digest the token, under a key, because it is a credential."""
    return Submission(
        client=client,
        biz_token=biz_token,
        packet=packet,
        idempotency_key=idempotency_key,
        token_digest=keyed_digest(conf.digest_key, biz_token),
        packet_sha256=packet_sha256,
    )


@dataclass(frozen=True, slots=True)
class Accepted:
    """The attempt that a submission is about, and its state when that was found out."""

    attempt_id: UUID
    state: State


def accept(submission: Submission, *, runtime: Runtime) -> Accepted:
    """Commit the attempt's row, or return the row that this client's token already has.

    One statement, so that of any number of equal requests exactly one inserts. Raises
    IdempotencyKeyReusedError and PacketMismatchError.
    """
    now = runtime.now()
    attempt_id = uuid7(now)
    values = {
        "id": attempt_id,
        "client": submission.client.pk,
        "region": runtime.conf.faceid_region,
        "token": submission.token_digest,
        "key": submission.idempotency_key,
        "packet": submission.packet_sha256,
        "size": len(submission.packet),
        "state": State.ACCEPTED.value,
        "now": now,
    }
    if fetch_row(ACCEPT, values) is not None:
        return Accepted(attempt_id, State.ACCEPTED)
    existing = _existing(submission)
    return Accepted(existing.pk, State(existing.state))


def _existing(submission: Submission) -> VerificationAttempt:
    """Return the row that stood in the way, if it is the same request."""
    attempts = VerificationAttempt.objects.filter(client=submission.client)
    if submission.idempotency_key is not None:
        keyed = attempts.filter(idempotency_key=submission.idempotency_key).first()
        if keyed is not None and not _is_same(keyed, submission):
            raise IdempotencyKeyReusedError(
                "This Idempotency-Key was used with another biz_token or packet.",
                attempt_id=keyed.pk,
            )
    attempt = attempts.get(token_digest=submission.token_digest)
    is_other_packet = bytes(attempt.packet_sha256) != submission.packet_sha256
    if attempt.state in SENDABLE and is_other_packet:
        raise PacketMismatchError(
            "This biz_token was accepted with another packet, which was not sent yet.",
            attempt_id=attempt.pk,
        )
    return attempt


def _is_same(attempt: VerificationAttempt, submission: Submission) -> bool:
    return (
        bytes(attempt.token_digest) == submission.token_digest
        and bytes(attempt.packet_sha256) == submission.packet_sha256
    )
