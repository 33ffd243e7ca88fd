"""The entries of the log about exports that are asked for, and files; docs/formats/events.md."""

import json
from datetime import datetime
from uuid import UUID

from verification.ledger.canonical import Json, canonical
from verification.models import ExportJob, ExportRequest
from verification.models.export import (
    EXPORT_APPROVED,
    EXPORT_COMPLETED,
    EXPORT_DELIVERED,
    EXPORT_ENDED,
    EXPORT_REFUSED,
    EXPORT_REQUESTED,
    EXPORT_TAKEN,
    EXPORT_WITHDRAWN,
    ExportDecision,
)
from verification.services.entries import utc_text
from verification.services.policy_entries import text_sha256

DECIDED = {
    ExportDecision.APPROVED: EXPORT_APPROVED,
    ExportDecision.REFUSED: EXPORT_REFUSED,
    ExportDecision.WITHDRAWN: EXPORT_WITHDRAWN,
}


def requested_entry(row: ExportRequest, *, by: str) -> bytes:
    """Say who asks for what; of filters and reason, which may be about a person, digests."""
    said = _about(row, EXPORT_REQUESTED, by, str(row.requested_by_id), utc_text(row.requested_at))
    return canonical({
        **said,
        "filters_sha256": text_sha256(filters_text(row.filters)),
        "form": row.form,
        "place": row.place,
        "purpose": row.purpose,
        "reason_sha256": text_sha256(row.reason),
        "repeats": row.repeats,
        "rows": row.rows,
    })  # fmt: skip


def decided_entry(row: ExportRequest, *, by: str) -> bytes:
    """Say what was decided, and until when it is good."""
    assert row.decided_at is not None  # noqa: S101  (narrows the type)
    kind = DECIDED[ExportDecision(str(row.decision))]
    said = _about(row, kind, by, str(row.decided_by_id), utc_text(row.decided_at))
    return canonical({**said, "expires": utc_text(row.expires_at) if row.expires_at else None})


def completed_entry(
    *, export: UUID, rows: int, sha256: str, size_bytes: int, at: datetime
) -> bytes:
    """Say what an export came to: its rows, and digest and size of their file."""
    return canonical({
        "at": utc_text(at),
        "export": str(export),
        "kind": EXPORT_COMPLETED,
        "rows": rows,
        "sha256": sha256,
        "size_bytes": size_bytes,
    })  # fmt: skip


def ended_entry(row: ExportRequest, *, by: str) -> bytes:
    """Say that a schedule was ended."""
    assert row.ended_at is not None  # noqa: S101  (narrows the type)
    said = _about(row, EXPORT_ENDED, by, str(row.ended_by_id), utc_text(row.ended_at))
    return canonical(said)


def taken_entry(job: ExportJob, *, by: str, at: datetime) -> bytes:
    """Say who is handed a file."""
    return canonical({
        "at": utc_text(at),
        "by": by,
        "client": str(job.client_id) if job.client_id else None,
        "export": str(job.pk),
        "kind": EXPORT_TAKEN,
    })  # fmt: skip


def delivered_entry(job: ExportJob, *, sha256: str, at: datetime) -> bytes:
    """Say to which place a file went."""
    return canonical({
        "at": utc_text(at),
        "export": str(job.pk),
        "kind": EXPORT_DELIVERED,
        "place": job.place,
        "sha256": sha256,
    })  # fmt: skip


def filters_text(filters: dict[str, object]) -> str:
    """Return stored filters as the text that is digested: names in order, no white space."""
    return json.dumps(filters, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _about(row: ExportRequest, kind: str, by: str, by_id: str, at: str) -> dict[str, Json]:
    return {"at": at, "by": by, "by_id": by_id, "kind": kind, "request": str(row.pk)}
