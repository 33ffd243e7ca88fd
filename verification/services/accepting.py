"""Accept an attempt: after this commit it cannot be lost, and its token has one row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from verification.conf import Conf
from verification.identifiers import uuid7
from verification.ledger.commitment import new_key
from verification.lifecycle import SENDABLE, State
from verification.models import ApiClient, VerificationAttempt
from verification.services.entries import accepted_entry, utc_text
from verification.services.errors import (
    ForeignTokenError,
    IdempotencyKeyReusedError,
    PacketMismatchError,
)
from verification.services.runtime import Runtime
from verification.services.statements import fetch_row
from verification.vault.digest import keyed_digest

FIND_SESSION = """
    SELECT client_id, id, biz_no, subject FROM verification_session
    WHERE token_digest = %(token)s ORDER BY client_id <> %(client)s LIMIT 1
"""
ACCEPT = """
    WITH accepted AS (
        INSERT INTO verification_attempt
            (id, client_id, session_id, region, token_digest, idempotency_key, packet_sha256,
             packet_size_bytes, commitment_key, state, send_no, created_at, biz_no, subject)
        VALUES (%(id)s, %(client)s, %(session)s, %(region)s, %(token)s, %(key)s, %(packet)s,
                %(size)s, %(commitment_key)s, %(state)s, 0, %(now)s, %(biz_no)s, %(subject)s)
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    INSERT INTO verification_ledger_stage (raw) SELECT %(entry)b FROM accepted RETURNING no
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
class Issued:
    """What the session of a token says about the attempt; nothing where it was issued elsewhere."""

    session_id: UUID | None = None
    biz_no: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The attempt that a submission is about, and its state when that was found out."""

    attempt_id: UUID
    state: State


def accept(submission: Submission, *, runtime: Runtime) -> Accepted:
    """Commit the attempt's row and its entry, or return the row that the token already has.

    One statement writes, so that of any number of equal requests exactly one inserts. Raises
    ForeignTokenError, IdempotencyKeyReusedError and PacketMismatchError.
    """
    now = runtime.now()
    attempt_id = uuid7(now)
    values = {
        **_values(submission, _issued(submission)),
        "id": attempt_id,
        "region": runtime.conf.faceid_region,
        "now": now,
    }
    values["entry"] = _entry(values)
    if fetch_row(ACCEPT, values) is not None:
        return Accepted(attempt_id, State.ACCEPTED)
    existing = _existing(submission)
    return Accepted(existing.pk, State(existing.state))


def _issued(submission: Submission) -> Issued:
    """Return what the client's session said; a token is for the client it was issued to."""
    client_id = submission.client.pk
    row = fetch_row(FIND_SESSION, {"token": submission.token_digest, "client": client_id})
    if row is None:
        return Issued()
    owner, *issued = row
    if owner != client_id:
        raise ForeignTokenError("This biz_token was not issued to this client.")
    return Issued(*issued)


def _values(submission: Submission, issued: Issued) -> dict[str, Any]:
    return {
        "client": submission.client.pk,
        "session": issued.session_id,
        "biz_no": issued.biz_no,
        "subject": issued.subject,
        "token": submission.token_digest,
        "key": submission.idempotency_key,
        "packet": submission.packet_sha256,
        "size": len(submission.packet),
        "commitment_key": new_key(),
        "state": State.ACCEPTED.value,
    }


def _entry(values: Mapping[str, Any]) -> bytes:
    return accepted_entry(
        key=values["commitment_key"],
        at=utc_text(values["now"]),
        attempt=str(values["id"]),
        client=str(values["client"]),
        region=values["region"],
        session=str(values["session"]) if values["session"] else None,
        packet_sha256=values["packet"].hex(),
        packet_size_bytes=values["size"],
        texts={
            "biz_no": values["biz_no"],
            "subject": values["subject"],
            "idempotency_key": values["key"],
            "token_digest": values["token"].hex(),
        },
    )


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
