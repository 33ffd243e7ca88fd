"""What people did with reviews, counted directly: for the rollups, and for what they lack.

Spans are half-open, and do not overlap. A review counts where it was decided as it stands now: one
that was opened again counts no more.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from verification.models.rollup import HANDLING_S

SPANS = "unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) AS t (begins, ends)"
COUNTS = (
    *("approved", "rejected", "retry", "in_time", "seconded", "glass"),
    *("decided", "proposed", "returned", "noted"),
)
"""What is counted of each person; the first three are all that was decided."""

# OFFSET 0 has each span read off its index.
WORK = f"""
    SELECT date_trunc('day', act.at, 'UTC') AS day, act.client_id, act.by_id,
        count(*) FILTER (WHERE decision = 'approved') AS approved,
        count(*) FILTER (WHERE decision = 'rejected') AS rejected,
        count(*) FILTER (WHERE decision = 'retry') AS retry,
        count(*) FILTER (WHERE is_in_time) AS in_time,
        count(*) FILTER (WHERE is_seconded) AS seconded,
        count(*) FILTER (WHERE is_glass) AS glass,
        count(*) FILTER (WHERE kind IN ('decided', 'glass_broken')) AS decided,
        count(*) FILTER (WHERE kind = 'proposed') AS proposed,
        count(*) FILTER (WHERE kind = 'returned') AS returned,
        count(*) FILTER (WHERE kind = 'noted') AS noted
    FROM {SPANS} CROSS JOIN LATERAL (
        (SELECT decided_at AS at, client_id, decided_by_id AS by_id, NULL AS kind, decision,
            decided_at <= due_at AS is_in_time, proposed_by_id IS NOT NULL AS is_seconded,
            glass_broken AS is_glass
        FROM verification_review
        WHERE state = 'decided' AND decided_at >= t.begins AND decided_at < t.ends OFFSET 0)
        UNION ALL
        SELECT s.at, r.client_id, s.by_id, s.kind, NULL, NULL, NULL, NULL
        FROM (SELECT * FROM verification_review_step
            WHERE at >= t.begins AND at < t.ends OFFSET 0) AS s
        JOIN verification_review AS r ON r.attempt_id = s.review_id
    ) AS act
    GROUP BY 1, 2, 3
"""  # noqa: S608 - our own words
HANDLING = f"""
    SELECT date_trunc('day', r.decided_at, 'UTC') AS day, r.client_id, width_bucket(
            date_part('epoch', r.decided_at - r.opened_at), %(tops)s::float8[]
        ) AS bucket, count(*) AS count
    FROM {SPANS} CROSS JOIN LATERAL (
        SELECT * FROM verification_review
        WHERE state = 'decided' AND decided_at >= t.begins AND decided_at < t.ends OFFSET 0
    ) AS r
    GROUP BY 1, 2, 3
"""  # noqa: S608 - our own words

Stretch = tuple[datetime, datetime]
"""From a time until before another."""


def spans_of(stretches: Iterable[Stretch]) -> dict[str, Any]:
    """Return what WORK and HANDLING are given."""
    listed: Sequence[Stretch] = list(stretches)
    return {
        "begins": [begin for begin, _end in listed],
        "ends": [end for _begin, end in listed],
        "tops": list(HANDLING_S),
    }
