"""What is due by the rules: counted for people, and page by page for the worker."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q

from verification.identifiers import EPOCH
from verification.models import EvidenceKey, Review, VerificationAttempt
from verification.models.retention import Kept
from verification.models.review import ReviewState
from verification.selectors.retention import rules_in_force

SETTLED = ("answered", "closed", "rejected")
"""States that nothing follows: any other attempt is in doubt, or still under way."""

ENDED = (*SETTLED, "not_sent")
"""Those, and the one that has no evidence."""

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

# The evidence goes first: a record whose key is there waits for it. People must decide before they
# can no longer read what about.
COUNTED_RECORDS = """
    WITH old AS MATERIALIZED (
        SELECT a.id, a.region, a.created_at, a.subject, a.state = ANY(%(settled)s)
            AND NOT EXISTS (
                SELECT FROM verification_review AS r
                WHERE r.attempt_id = a.id AND r.state <> 'decided'
            ) AS is_settled
        FROM verification_attempt AS a
        WHERE a.commitment_key IS NOT NULL AND a.id < %(before)s
    ), ruled AS MATERIALIZED (
        SELECT p.region, r.days FROM (SELECT DISTINCT region FROM old) AS p
        JOIN verification_retention_rule AS r
            ON r.id = verification_rule_of('record', NULL, p.region)
    ), due AS MATERIALIZED (
        SELECT o.region, o.created_at, CASE
            WHEN EXISTS (
                SELECT FROM verification_evidence_key AS k
                WHERE k.attempt_id = o.id AND k.erased_at IS NULL
            ) THEN 'waiting'
            WHEN EXISTS (
                SELECT FROM verification_legal_hold AS h
                WHERE h.attempt_id = o.id AND h.lifted_at IS NULL
            ) OR EXISTS (
                SELECT FROM verification_legal_hold AS h
                WHERE h.attempt_id IS NULL AND h.lifted_at IS NULL AND h.subject_check
                    = sha256(h.subject_digest || convert_to(o.subject, 'UTF8'))
            ) THEN 'held'
            WHEN NOT o.is_settled THEN 'doubtful'
            ELSE 'free' END AS fate
        FROM old AS o JOIN ruled AS r ON r.region = o.region
        WHERE o.created_at + r.days * interval '24 hours' <= %(at)s
    )
    SELECT 'attempts', d.fate, NULL, NULL, count(*) FROM due AS d GROUP BY d.fate
    UNION ALL
    SELECT 'record', d.fate, d.region,
        to_char(d.created_at AT TIME ZONE 'UTC', 'YYYY-MM'), count(*)
    FROM due AS d WHERE d.fate = 'free' GROUP BY 1, 2, 3, 4
    ORDER BY 4 NULLS FIRST, 3, 1
"""


class Standing(NamedTuple):
    """A key, or a record, that may be due; `is_over` if nothing follows any more."""

    attempt_id: UUID
    created_at: datetime
    region: str
    is_over: bool


Page = Sequence[Standing]


@dataclass(frozen=True, slots=True)
class DueItems:
    """How many items of evidence of a kind, or records, of a region are due, by month (UTC)."""

    month: str
    region: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What is due at a moment, by attempts; `items` are those of the ones that would expire.

    `waiting` are records that are old enough, but whose evidence can be opened: not due yet.
    """

    due: int
    expiring: int
    held: int
    doubtful: int
    items: tuple[DueItems, ...]
    waiting: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what a run keeps of it."""
        return {**asdict(self), "items": [asdict(each) for each in self.items]}


def preview_of(at: datetime, what: str = Kept.EVIDENCE) -> Preview:
    """Count what is due; changes nothing."""
    is_evidence = what == Kept.EVIDENCE
    values: dict[str, Any] = {
        "at": at,
        "before": first_id_after(at, what),
        "settled": list(SETTLED if is_evidence else ENDED),
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNTED if is_evidence else COUNTED_RECORDS, values)
        rows = cursor.fetchall()
    fates = {fate: count for _, fate, region, _month, count in rows if region is None}
    held, doubtful, free, waiting = (
        fates.get(each, 0) for each in ("held", "doubtful", "free", "waiting")
    )
    items = tuple(
        DueItems(month, region, kind, count)
        for kind, _fate, region, month, count in rows
        if region is not None
    )
    return Preview(held + doubtful + free, free, held, doubtful, items, waiting)


def read_preview(said: dict[str, Any]) -> Preview:
    """Read what `Preview.to_json` has written."""
    items = tuple(DueItems(**each) for each in said["items"])
    counts = {each: said[each] for each in ("due", "expiring", "held", "doubtful")}
    return Preview(**counts, items=items, waiting=said.get("waiting", 0))


def keys_page(position: UUID | None, at: datetime, size: int) -> Page:
    """Lock and return the keys after a position that can be due at a moment."""
    keys = EvidenceKey.objects.filter(erased_at=None, attempt_id__lt=first_id_after(at))
    if position is not None:
        keys = keys.filter(attempt_id__gt=position)
    rows = keys.order_by("attempt_id").select_for_update(of=("self",))
    is_over = ExpressionWrapper(Q(attempt__state__in=SETTLED), BooleanField())
    columns = ("attempt_id", "attempt__created_at", "attempt__region", "is_over")
    return [Standing(*row) for row in rows.annotate(is_over=is_over).values_list(*columns)[:size]]


def records_page(position: UUID | None, at: datetime, size: int) -> Page:
    """Lock and return the attempts after a position whose records can be due at a moment.

    Not those that were erased, nor those whose evidence can still be opened.
    """
    keys = EvidenceKey.objects.filter(attempt_id=OuterRef("pk"), erased_at=None)
    reviews = Review.objects.filter(pk=OuterRef("pk")).exclude(state=ReviewState.DECIDED)
    rows = VerificationAttempt.objects.filter(pk__lt=first_id_after(at, Kept.RECORD))
    rows = rows.exclude(commitment_key=None).exclude(Exists(keys))
    if position is not None:
        rows = rows.filter(pk__gt=position)
    rows = rows.order_by("pk").select_for_update(of=("self",))
    is_over = ExpressionWrapper(Q(state__in=ENDED) & ~Exists(reviews), BooleanField())
    columns = ("pk", "created_at", "region", "is_over")
    return [Standing(*row) for row in rows.annotate(is_over=is_over).values_list(*columns)[:size]]


def first_id_after(at: datetime, what: str = Kept.EVIDENCE) -> UUID:
    """Return an id behind which no attempt has evidence that is due, or no record is."""
    newest = at - timedelta(days=rules_in_force().least_days(what)) + SLACK
    return UUID(int=((newest - EPOCH) // timedelta(milliseconds=1)) << 80)
