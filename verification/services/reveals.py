"""Show evidence to people, on record: who, what, why. What cannot be recorded is not shown.

The record and its entry are committed before the first byte is decrypted, so that a fault on the
way costs a reveal that nobody saw and never one that nobody knows of.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.utils.translation import gettext_noop as _

from verification.identifiers import uuid7
from verification.ledger.canonical import canonical
from verification.models import Evidence, Reveal
from verification.models.evidence import LATE_ANSWER, RAW_ANSWER, VIDEO_KEY
from verification.models.reveal import REVEAL_REFUSED, REVEALED, Purpose
from verification.services.entries import commitments, key_of, utc_text
from verification.services.errors import (
    EvidenceBrokenError,
    EvidenceErasedError,
    RevealLimitError,
    UnknownEvidenceError,
)
from verification.services.reasons import check_permission, read_reason
from verification.services.runtime import Runtime
from verification.services.sealing import open_evidence
from verification.services.staging import stage
from verification.vault.errors import VaultError

logger = logging.getLogger(__name__)
alerts = logging.getLogger("verification.alerts")

LIMIT_SPAN = timedelta(hours=1)
TEXTS = frozenset({RAW_ANSWER, LATE_ANSWER, VIDEO_KEY})
IMAGES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))
"""The first bytes of what a browser may show, and its type."""


@dataclass(frozen=True, slots=True)
class Revealed:
    """One item in clear. `content_type` is told by its kind and first bytes; nothing is decoded."""

    kind: str
    content: bytes = field(repr=False)
    content_type: str


@dataclass(frozen=True, slots=True)
class _Request:
    """A reveal as it was asked for, with a reason that was found good."""

    evidence_id: UUID
    officer: AbstractUser
    purpose: Purpose
    reason: str


def reveal(
    *, evidence_id: UUID, officer: AbstractUser, purpose: Purpose, reason: str, runtime: Runtime
) -> Revealed:
    """Put on record that the officer is shown one item of evidence, and return it.

    Each call is another reveal and counts against `reveals_per_hour`. Nothing is decrypted unless
    the record is committed. Raises NotPermittedError, BadReasonError, UnknownEvidenceError,
    EvidenceErasedError and RevealLimitError, which is itself on record, before anything is shown;
    EvidenceErasedError and EvidenceBrokenError also after it was recorded, as their texts say.
    Must not run inside a transaction.
    """
    check_permission(officer, "reveal_evidence")
    request = _Request(evidence_id, officer, purpose, read_reason(reason))
    with transaction.atomic(durable=True):
        _lock(officer)
        shown = _record(request, runtime)
    if shown is not None:
        alerts.error("reveal limit reached: officer %s, %d in an hour", officer.pk, shown)
        raise RevealLimitError(
            _(
                "You have revealed %(shown)s items within an hour, which is the limit. "
                "The refusal is on record."
            ),
            {"shown": shown},
        )
    return _open(evidence_id, runtime)


def _lock(officer: AbstractUser) -> None:
    """Let one reveal of an officer be counted and recorded at a time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"verification.reveal {officer.pk}"],
        )


def _record(request: _Request, runtime: Runtime) -> int | None:
    """Record the reveal, or its refusal: then return how many the officer had in the last hour."""
    evidence = _find(request.evidence_id)
    now = runtime.now()
    shown = Reveal.objects.filter(
        officer_id=request.officer.pk, revealed_at__gt=now - LIMIT_SPAN
    ).count()
    if shown >= runtime.conf.reveals_per_hour:
        stage([_refused_entry(request, evidence, now)])
        return shown
    row = Reveal.objects.create(
        id=uuid7(now),
        attempt=evidence.attempt,
        evidence=evidence,
        kind=evidence.kind,
        officer_id=request.officer.pk,
        officer_name=request.officer.get_username(),
        purpose=request.purpose.value,
        reason=request.reason,
        revealed_at=now,
    )
    stage([_entry(row, key_of(evidence.attempt))])
    return None


def _find(evidence_id: UUID) -> Evidence:
    """Return the item without its bytes; EvidenceErasedError if there is nothing to be shown."""
    evidence = (
        Evidence.objects.select_related("attempt", "attempt__evidence_key")
        .defer("sealed", "attempt__evidence_key__sealed")
        .filter(pk=evidence_id)
        .first()
    )
    if evidence is None:
        raise UnknownEvidenceError(_("There is no such evidence."))
    erased_at = evidence.attempt.evidence_key.erased_at
    if erased_at is not None:
        raise EvidenceErasedError(_("It was erased on %(at)s."), erased_at=erased_at)
    return evidence


def _entry(row: Reveal, key: bytes) -> bytes:
    return canonical(
        {
            "at": utc_text(row.revealed_at),
            "attempt": str(row.attempt_id),
            "by": row.officer_name,
            "by_id": str(row.officer_id),
            "commitments": commitments(key, {"reason": row.reason}),
            "evidence": str(row.evidence_id),
            "item": row.kind,
            "kind": REVEALED,
            "purpose": row.purpose,
            "reveal": str(row.pk),
        }
    )


def _refused_entry(request: _Request, evidence: Evidence, at: datetime) -> bytes:
    return canonical(
        {
            "at": utc_text(at),
            "attempt": str(evidence.attempt_id),
            "by": request.officer.get_username(),
            "evidence": str(evidence.pk),
            "item": evidence.kind,
            "kind": REVEAL_REFUSED,
            "why": "limit",
        }
    )


def _open(evidence_id: UUID, runtime: Runtime) -> Revealed:
    evidence = Evidence.objects.select_related("attempt__evidence_key").get(pk=evidence_id)
    erased_at = evidence.attempt.evidence_key.erased_at
    if erased_at is not None:
        raise EvidenceErasedError(
            _("Your request is on record, but the evidence was erased on %(at)s."),
            erased_at=erased_at,
        )
    try:
        content = open_evidence(evidence=evidence, keyring=runtime.conf.keyring)
    except VaultError as error:
        name = type(error).__name__
        logger.error("evidence %s does not open: %s", evidence_id, name)  # noqa: TRY400 - no values
        raise EvidenceBrokenError(
            _("Your request is on record, but the evidence could not be opened. Tell an operator.")
        ) from None
    return Revealed(evidence.kind, content, _content_type(evidence.kind, content))


def _content_type(kind: str, content: bytes) -> str:
    if kind in TEXTS:
        return "text/plain; charset=utf-8"
    return next(
        (name for start, name in IMAGES if content.startswith(start)), "application/octet-stream"
    )
