"""The entries of the log about requests for rights; docs/formats/events.md."""

from verification.ledger.canonical import Json, canonical
from verification.models import RightsChange, RightsSeal
from verification.models.rights import (
    RIGHTS_APPROVED,
    RIGHTS_GLASS_BROKEN,
    RIGHTS_GLASS_REVIEWED,
    RIGHTS_REFUSED,
    RIGHTS_REQUESTED,
    RIGHTS_SEALED,
    RIGHTS_WITHDRAWN,
    RightsDecision,
)
from verification.services.entries import utc_text
from verification.services.policy_entries import text_sha256

DECIDED = {
    RightsDecision.APPROVED: RIGHTS_APPROVED,
    RightsDecision.REFUSED: RIGHTS_REFUSED,
    RightsDecision.WITHDRAWN: RIGHTS_WITHDRAWN,
}


def requested_entry(row: RightsChange, *, by: str) -> bytes:
    """Say who is to get what, and why as a digest."""
    said = _about(row, RIGHTS_REQUESTED, by, str(row.requested_by_id), utc_text(row.requested_at))
    return canonical({**said, "reason_sha256": text_sha256(row.reason)})


def decided_entry(row: RightsChange, *, by: str) -> bytes:
    """Say what was decided; by one person alone where the glass was broken."""
    assert row.decided_at is not None  # noqa: S101  (narrows the type)
    kind = DECIDED[RightsDecision(str(row.decision))]
    if row.glass_broken:
        kind = RIGHTS_GLASS_BROKEN
    return canonical(_about(row, kind, by, str(row.decided_by_id), utc_text(row.decided_at)))


def glass_reviewed_entry(row: RightsChange, *, by: str) -> bytes:
    """Say who has looked at what one person gave alone."""
    assert row.glass_reviewed_at is not None  # noqa: S101  (narrows the type)
    by_id, at = str(row.glass_reviewed_by_id), utc_text(row.glass_reviewed_at)
    return canonical(_about(row, RIGHTS_GLASS_REVIEWED, by, by_id, at))


def sealed_entry(row: RightsSeal) -> bytes:
    """Say that rights take two people from now on."""
    return canonical({"at": utc_text(row.sealed_at), "kind": RIGHTS_SEALED})


def _about(row: RightsChange, kind: str, by: str, by_id: str, at: str) -> dict[str, Json]:
    return {
        "account": str(row.account_id),
        "at": at,
        "by": by,
        "by_id": by_id,
        "change": str(row.pk),
        "growth": row.growth,
        "kind": kind,
        "role": str(row.role_id) if row.role_id is not None else None,
    }
