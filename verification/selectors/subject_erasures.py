"""Erasures for persons: what waits, how far it is, and what came of each attempt."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, QuerySet

from verification.models import RecordErasure, SubjectErasure, SubjectErasureItem
from verification.models.erasure import Decision
from verification.models.subject import ItemOutcome
from verification.selectors.retention import rules_in_force

SHOWN = 200


@dataclass(frozen=True, slots=True)
class ItemLine:
    """What became of the evidence and of the record of an attempt, and until when one is kept."""

    attempt_id: UUID
    created_at: datetime
    outcome: str
    erased_at: datetime | None
    record_until: datetime
    is_record_erased: bool


def erasures_to_do() -> QuerySet[SubjectErasure]:
    """Return the approved requests that are not finished, oldest first."""
    rows = _whole().filter(decision=Decision.APPROVED, finished_at=None)
    return rows.order_by("requested_at", "id")


def items_to_do(row: SubjectErasure, after: UUID, limit: int) -> list[UUID]:
    """Return attempts of a request without an outcome, in the order of their ids."""
    items = SubjectErasureItem.objects.filter(erasure=row, outcome=None, attempt_id__gt=after)
    return list(items.order_by("attempt_id").values_list("attempt_id", flat=True)[:limit])


def subject_erasures() -> list[SubjectErasure]:
    """Return the last requests: those to decide first, then the newest."""
    rows = _whole().annotate(attempts=Count("items"))
    waiting = rows.filter(decision=None).order_by("requested_at", "id")[:SHOWN]
    return [*waiting, *rows.exclude(decision=None).order_by("-requested_at", "-id")[:SHOWN]]


def find_subject_erasure(erasure_id: UUID) -> SubjectErasure | None:
    """Return a request with its people and its client."""
    return _whole().filter(pk=erasure_id).first()


def outcomes_of(row: SubjectErasure) -> Mapping[str, int]:
    """Return how many attempts had each outcome; the empty one is those still to do."""
    found = Counter(each or "" for each in row.items.values_list("outcome", flat=True))
    return {name: found[name] for name in (*ItemOutcome.values, "")}


def item_lines(row: SubjectErasure) -> list[ItemLine]:
    """Return what came of each attempt of a finished request, oldest first."""
    rules = rules_in_force()
    erased = set(
        RecordErasure.objects.filter(attempt__in=row.items.values("attempt")).values_list(
            "pk", flat=True
        )
    )
    items = row.items.select_related("attempt", "evidence_erasure").only(
        "outcome", "attempt__created_at", "attempt__region", "evidence_erasure__decided_at"
    )
    return [
        ItemLine(
            attempt_id=each.attempt_id,
            created_at=each.attempt.created_at,
            outcome=str(each.outcome),
            erased_at=each.evidence_erasure.decided_at if each.evidence_erasure else None,
            record_until=each.attempt.created_at
            + timedelta(days=rules.record(each.attempt.region).days),
            is_record_erased=each.attempt_id in erased,
        )
        for each in items.order_by("attempt__created_at", "attempt_id")
    ]


def _whole() -> QuerySet[SubjectErasure]:
    return SubjectErasure.objects.select_related("requested_by", "decided_by", "client")
