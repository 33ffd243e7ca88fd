"""The entries of the log about versions of the review policy; docs/formats/events.md."""

import hashlib

from verification.ledger.canonical import Json, canonical, parse
from verification.models import ReviewPolicy
from verification.models.policy import (
    POLICY_ACTIVATED,
    POLICY_PROPOSED,
    POLICY_REFUSED,
    POLICY_WITHDRAWN,
    PolicyState,
)
from verification.services.entries import utc_text

DECIDED = {
    PolicyState.ACTIVE: POLICY_ACTIVATED,
    PolicyState.REFUSED: POLICY_REFUSED,
    PolicyState.WITHDRAWN: POLICY_WITHDRAWN,
}
"""The kind that tells of each decision."""


def text_sha256(text: str) -> str:
    """Return the digest of a stored text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def proposed_entry(row: ReviewPolicy, *, by: str) -> bytes:
    """Say that a version was proposed: all of its document, of the note the digest only.

    Raises CanonicalError if the document is too long for an entry.
    """
    said = _about(row, POLICY_PROPOSED, by, str(row.proposed_by_id), utc_text(row.proposed_at))
    return canonical({**said, "note_sha256": text_sha256(row.note)})


def decided_entry(row: ReviewPolicy, *, by: str, retired: ReviewPolicy | None = None) -> bytes:
    """Say that a version was put in force, refused or withdrawn, and which one it has retired.

    Of a note that says why, the digest.
    """
    assert row.decided_at is not None  # noqa: S101  (narrows the type)
    kind = DECIDED[PolicyState(row.state)]
    said = _about(row, kind, by, str(row.decided_by_id), utc_text(row.decided_at))
    if kind == POLICY_ACTIVATED:
        said["retired"] = None if retired is None else policy_facts(retired)
    if row.decision_note is not None:
        said["note_sha256"] = text_sha256(row.decision_note)
    return canonical(said)


def policy_facts(row: ReviewPolicy) -> dict[str, Json]:
    """Return which version it is, and the digest of what it says."""
    return {"sha256": text_sha256(row.document), "version": row.version}


def _about(row: ReviewPolicy, kind: str, by: str, by_id: str, at: str) -> dict[str, Json]:
    return {
        "at": at,
        "by": by,
        "by_id": by_id,
        "document": parse(row.document.encode()),
        "kind": kind,
        **policy_facts(row),
    }
