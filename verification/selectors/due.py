"""What is due by the rules: counted for people, and page by page for the worker."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from verification.identifiers import EPOCH
from verification.models import EvidenceKey
from verification.selectors.retention import rules_in_force

SETTLED = ("answered", "closed", "rejected")
"""States that nothing follows: any other attempt is in doubt, or still under way."""

SLACK = timedelta(days=1)
"""An id begins with the time of its attempt; never trusted more closely than this."""

# Rules are looked up once for each kind and region that occurs.
COUNTED = """
    WITH live AS MATERIALIZED (
        SELECT a.id, a.region, a.created_at, a.subject, a.state = ANY(%(settled)s) AS is_settled
        FROM verification_evidence_key AS k JOIN verification_attempt AS a ON a.id = k.attempt_id
        WHERE k.erased_at IS NULL AND k.attempt_id < %(before)s
    ), item AS MATERIALIZED (
        SELECT l.id, l.region, e.kind
        FROM live AS l JOIN verification_evidence AS e ON e.attempt_id = l.id
    ), ruled AS MATERIALIZED (
        SELECT p.kind, p.region, r.days
        FROM (SELECT DISTINCT kind, region FROM item) AS p
        JOIN verification_retention_rule AS r
            ON r.id = verification_rule_of('evidence', p.kind, p.region)
    ), due AS MATERIALIZED (
        SELECT l.id, l.region, l.created_at, CASE
            WHEN EXISTS (
                SELECT FROM verification_legal_hold AS h
                WHERE h.attempt_id = l.id AND h.lifted_at IS NULL
            ) OR EXISTS (
                SELECT FROM verification_legal_hold AS h
                WHERE h.attempt_id IS NULL AND h.lifted_at IS NULL AND h.subject_check
                    = sha256(h.subject_digest || convert_to(l.subject, 'UTF8'))
            ) THEN 'held'
            WHEN NOT l.is_settled THEN 'doubtful'
            ELSE 'free' END AS fate
        FROM live AS l JOIN (
            SELECT i.id, max(r.days) AS days
            FROM item AS i JOIN ruled AS r ON r.kind = i.kind AND r.region = i.region
            GROUP BY i.id
        ) AS longest ON longest.id = l.id
        WHERE l.created_at + longest.days * interval '24 hours' <= %(at)s
    )
    SELECT 'attempts', d.fate, NULL, NULL, count(*) FROM due AS d GROUP BY d.fate
    UNION ALL
    SELECT i.kind, d.fate, d.region,
        to_char(d.created_at AT TIME ZONE 'UTC', 'YYYY-MM'), count(*)
    FROM due AS d JOIN item AS i ON i.id = d.id WHERE d.fate = 'free' GROUP BY 1, 2, 3, 4
    ORDER BY 4 NULLS FIRST, 3, 1
"""


@dataclass(frozen=True, slots=True)
class DueItems:
    """How many items of evidence of a kind and region are due, by the month (UTC) of creation."""

    month: str
    region: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What is due at a moment, by attempts; `items` are those of the ones that would expire."""

    due: int
    expiring: int
    held: int
    doubtful: int
    items: tuple[DueItems, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what a run keeps of it."""
        return {**asdict(self), "items": [asdict(each) for each in self.items]}


def preview_of(at: datetime) -> Preview:
    """Count what is due; changes nothing."""
    values: dict[str, Any] = {"at": at, "before": first_id_after(at), "settled": list(SETTLED)}
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, values)
        rows = cursor.fetchall()
    fates = {fate: count for _, fate, region, _month, count in rows if region is None}
    held, doubtful, free = (fates.get(each, 0) for each in ("held", "doubtful", "free"))
    items = tuple(
        DueItems(month, region, kind, count)
        for kind, _fate, region, month, count in rows
        if region is not None
    )
    return Preview(held + doubtful + free, free, held, doubtful, items)


def read_preview(said: dict[str, Any]) -> Preview:
    """Read what `Preview.to_json` has written."""
    items = tuple(DueItems(**each) for each in said["items"])
    return Preview(said["due"], said["expiring"], said["held"], said["doubtful"], items)


def keys_from(position: UUID | None, at: datetime) -> QuerySet[EvidenceKey]:
    """Return the keys after a position that can be due at a moment, with what decides on that."""
    rows = EvidenceKey.objects.filter(erased_at=None, attempt_id__lt=first_id_after(at))
    if position is not None:
        rows = rows.filter(attempt_id__gt=position)
    return rows.order_by("attempt_id")


def first_id_after(at: datetime) -> UUID:
    """Return an id behind which no attempt has evidence that is due."""
    newest = at - timedelta(days=rules_in_force().least_evidence_days()) + SLACK
    return UUID(int=((newest - EPOCH) // timedelta(milliseconds=1)) << 80)


Page = Sequence[tuple[UUID, datetime, str, str]]
"""Attempt, creation, region and state of each key of a page."""
