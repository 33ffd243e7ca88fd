"""Count what people did with reviews, by day: the days that the log tells of are counted anew.

There are no hours: forty people decide some thousand reviews a day at most, so a page reads the
parts of days at its edges from the reviews themselves.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import connection

from verification.selectors.review_counts import COUNTS, HANDLING, WORK, spans_of

DAY = timedelta(days=1)

# All days of a review that changed: what was opened again counts no more where it was decided.
TOUCHED = """
    SELECT DISTINCT date_trunc('day', s.at, 'UTC')
    FROM (
        SELECT DISTINCT attempt_id FROM verification_ledger_entry
        WHERE index >= %(first)s AND index < %(end)s AND kind LIKE 'review.%%'
    ) AS e JOIN verification_review_step AS s ON s.review_id = e.attempt_id
"""
FORGET = (
    "DELETE FROM verification_rollup_review_day WHERE day = ANY(%(begins)s)",
    "DELETE FROM verification_rollup_handling_day WHERE day = ANY(%(begins)s)",
)
COUNT = (
    f"""
    INSERT INTO verification_rollup_review_day (day, client_id, by_id, {", ".join(COUNTS)}) {WORK}
    """,
    f"INSERT INTO verification_rollup_handling_day (day, client_id, bucket, count) {HANDLING}",
)


def days_touched(*, first: int, end: int) -> list[datetime]:
    """Return the midnights of UTC of what entries of the log tell of reviews."""
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED, {"first": first, "end": end})
        return [day for (day,) in cursor.fetchall()]


def count_days(days: Collection[datetime]) -> None:
    """Count days anew, within the caller's transaction and under its lock."""
    if not days:
        return
    spans = spans_of((day, day + DAY) for day in days)
    with connection.cursor() as cursor:
        for statement in (*FORGET, *COUNT):
            cursor.execute(statement, spans)
