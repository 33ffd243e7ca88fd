"""The entries of the log about retention and legal holds; docs/formats/events.md."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from verification.ledger.canonical import Json, canonical
from verification.models import Expiry, LegalHold, RetentionRule, RetentionRun
from verification.models.hold import HOLD_LIFTED, HOLD_PLACED
from verification.models.retention import EXPIRED, RULE_SET, RUN_ENDED, RUN_REQUESTED
from verification.services.entries import utc_text
from verification.services.policy_entries import text_sha256


def rule_entry(row: RetentionRule, *, by: str) -> bytes:
    """Say who has set which rule; of the note, which is free text, the digest."""
    return canonical({
        "at": utc_text(row.recorded_at),
        "by": by,
        "by_id": str(row.recorded_by_id),
        "days": row.days,
        "evidence_kind": row.kind,
        "kind": RULE_SET,
        "note_sha256": text_sha256(row.note),
        "region": row.region,
        "rule": str(row.pk),
        "what": row.what,
    })  # fmt: skip


def requested_entry(row: RetentionRun, *, by: str) -> bytes:
    """Say who has asked for a run, and on which figures."""
    return canonical({
        "at": utc_text(row.asked_at),
        "by": by,
        "by_id": str(row.asked_by_id),
        "kind": RUN_REQUESTED,
        "preview_sha256": preview_sha256(row),
        "reason_sha256": text_sha256(row.reason),
        "run": str(row.pk),
        "what": str(row.what),
    })  # fmt: skip


def decided_entry(row: RetentionRun, *, kind: str, at: datetime, by: str) -> bytes:
    """Say who has approved or refused a run."""
    return canonical({
        "at": utc_text(at),
        "by": by,
        "by_id": str(row.decided_by_id),
        "kind": kind,
        "run": str(row.pk),
    })  # fmt: skip


def ended_entry(row: RetentionRun, *, at: datetime, by: str | None) -> bytes:
    """Say how a run has ended and what it came to; `by` is who has cancelled it, if anybody."""
    return canonical({
        "at": utc_text(at),
        "by": by,
        "by_id": None if row.finished_by_id is None else str(row.finished_by_id),
        "doubtful": row.doubtful,
        "expired": row.expired,
        "held": row.held,
        "kind": RUN_ENDED,
        "run": str(row.pk),
        "state": str(row.state),
    })  # fmt: skip


def expired_entry(row: Expiry, *, evidence: Sequence[Json]) -> bytes:
    """Say that a key was destroyed because its time was over, and what it had opened."""
    return canonical({
        "at": utc_text(row.expired_at),
        "attempt": str(row.attempt_id),
        "evidence": list(evidence),
        "kind": EXPIRED,
        "rule": str(row.rule_id),
        "run": str(row.run_id),
    })  # fmt: skip


def placed_entry(row: LegalHold, *, by: str) -> bytes:
    """Say who has placed a hold; of a subject a digest that tells nothing without the row."""
    return canonical({
        "at": utc_text(row.placed_at),
        "by": by,
        "by_id": str(row.placed_by_id),
        "hold": str(row.pk),
        "kind": HOLD_PLACED,
        "reason_sha256": text_sha256(row.reason),
        **_about(row),
    })  # fmt: skip


def lifted_entry(row: LegalHold, *, at: datetime, reason: str, by: str) -> bytes:
    """Say who has lifted a hold."""
    return canonical({
        "at": utc_text(at),
        "by": by,
        "by_id": str(row.lifted_by_id),
        "hold": str(row.pk),
        "kind": HOLD_LIFTED,
        "placed_by_id": str(row.placed_by_id),
        "reason_sha256": text_sha256(reason),
        **_about(row),
    })  # fmt: skip


def preview_sha256(row: RetentionRun) -> str:
    """Return the digest of a run's preview in its canonical form, in hex."""
    return hashlib.sha256(canonical(row.preview)).hexdigest()


def _about(row: LegalHold) -> dict[str, Json]:
    """Name the attempt, or bind both digests of the subject: of these alone none can be guessed."""
    if row.attempt_id is not None:
        return {"attempt": str(row.attempt_id)}
    both = bytes(row.subject_digest or b"") + bytes(row.subject_check or b"")
    return {"subject_sha256": hashlib.sha256(both).hexdigest()}
