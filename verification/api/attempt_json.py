"""An attempt as JSON: what is absent is null, never missing; figures keep the vendor's digits."""

from collections.abc import Mapping
from datetime import UTC, datetime

from verification.faceid.contract import COMPARISON_NAMES, THRESHOLD_NAMES
from verification.models import VerificationAttempt
from verification.models.attempt import threshold_column
from verification.models.review import ReviewState
from verification.selectors.attempts import LogPlace
from verification.selectors.decisions import current_decision, review_of

Json = dict[str, object]


def attempt_json(attempt: VerificationAttempt, place: LogPlace | None) -> Json:
    """Return the JSON object of an attempt; its client, review and evidence should be loaded.

    `place` is that of its newest entry in the log.
    """
    return {
        "id": str(attempt.id),
        "state": attempt.state,
        "outcome": attempt.outcome,
        "decision": current_decision(attempt),
        "policy": _policy(attempt),
        "client": attempt.client.name,
        "region": attempt.region,
        "biz_no": attempt.biz_no or None,
        "subject": attempt.subject or None,
        "request_id": attempt.request_id,
        "result_code": attempt.result_code,
        "result_message": attempt.result_message,
        "error": _if_any({"code": attempt.error_code, "argument": attempt.error_argument}),
        "billable": attempt.billable,
        "time_used_ms": attempt.time_used_ms,
        "attack": _attack(attempt),
        "comparisons": _comparisons(attempt),
        "risk": _risk(attempt),
        "visual_attributes": attempt.visual_attributes,
        "evidence": _evidence(attempt),
        "packet": {
            "sha256": bytes(attempt.packet_sha256).hex(),
            "size_bytes": attempt.packet_size_bytes,
        },
        "review": _review(attempt),
        "ledger": {"leaf_hash": place.leaf_hash.hex(), "index": place.index} if place else None,
        "created_at": timestamp(attempt.created_at),
        "settled_at": timestamp(attempt.settled_at),
    }


def timestamp(at: datetime | None) -> str | None:
    """Return RFC 3339 in UTC with microseconds and `Z`."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _policy(attempt: VerificationAttempt) -> Json | None:
    """Return how the policy judged it; None where nobody has."""
    if attempt.verdict is None:
        return None
    return {
        "version": attempt.policy_version,
        "verdict": attempt.verdict,
        "reasons": attempt.reasons,
    }


def _review(attempt: VerificationAttempt) -> Json | None:
    """Return where its review is. Notes, people and what is only proposed stay with the staff."""
    review = review_of(attempt)
    if review is None:
        return None
    is_decided = review.state == ReviewState.DECIDED
    return {
        "state": review.state,
        "due_at": timestamp(review.due_at),
        "decided_at": timestamp(review.decided_at),
        "reason_code": review.reason_code if is_decided else None,
    }


def _if_any(members: Json) -> Json | None:
    """Return the object, or None if all its members are absent."""
    return members if any(value is not None for value in members.values()) else None


def _attack(attempt: VerificationAttempt) -> Json | None:
    return _if_any(
        {
            "score": attempt.attack_score,
            "threshold": attempt.attack_threshold,
            "is_attack": attempt.is_attack,
        }
    )


def _comparisons(attempt: VerificationAttempt) -> Json | None:
    """Return the references that were compared, by the vendor's names."""
    compared: Json = {}
    for reference in COMPARISON_NAMES:
        columns = {
            rate: getattr(attempt, threshold_column(reference, rate)) for rate in THRESHOLD_NAMES
        }
        confidence = getattr(attempt, f"{reference}_confidence")
        thresholds = _if_any(dict(columns))
        if confidence is not None or thresholds is not None:
            compared[reference] = {"confidence": confidence, "thresholds": thresholds}
    return compared or None


def _risk(attempt: VerificationAttempt) -> Json | None:
    return _if_any(
        {
            "device_level": attempt.device_level,
            "device_tags": attempt.device_tags,
            "verify_tags": attempt.verify_tags,
        }
    )


def _evidence(attempt: VerificationAttempt) -> list[Mapping[str, object]]:
    """Return what is kept under seal: names and digests, never the bytes."""
    items = sorted(attempt.shown_evidence, key=lambda each: each.kind)
    erased_at = timestamp(attempt.evidence_key.erased_at) if items else None
    return [
        {
            "kind": each.kind,
            "size_bytes": each.size_bytes,
            "sha256": bytes(each.sha256).hex(),
            "erased_at": erased_at,
        }
        for each in items
    ]
