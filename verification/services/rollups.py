"""Count attempts for the dashboard, by following the log: what it tells of is counted anew.

The entries after the last position name the attempts that changed; every hour and client that
they belong to is counted again from the attempts themselves. So nothing that was committed late is
missed, and repeating changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from verification.models import RollupPosition, VerificationAttempt
from verification.selectors.ledger import log_size
from verification.selectors.listing import span_of
from verification.services.runtime import Runtime

LOCK = "verification.rollups"
BATCH = 50_000
"""Entries at a time."""

LATENCY_MS = (250, 500, 750, 1000, 1250, 1500, 2000, 2500, 3000, 4000, 6000, 10_000, 15_000, 25_000)
"""Upper ends of the buckets of the time that the vendor took as we saw it; the last one is open."""

UTC_HOUR = "date_trunc('hour', {0} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
TOUCHED = f"""
    SELECT DISTINCT {UTC_HOUR.format("a.created_at")} AS hour, a.client_id
    FROM verification_ledger_entry AS e JOIN verification_attempt AS a ON a.id = e.attempt_id
    WHERE e.index >= %(first)s AND e.index < %(end)s AND e.kind LIKE 'attempt.%%'
"""  # noqa: S608 - our own expression
OF_DAY = f"""
    SELECT DISTINCT {UTC_HOUR.format("a.created_at")} AS hour, a.client_id
    FROM verification_attempt AS a
    WHERE a.created_at >= %(first)s AND a.created_at < %(end)s
"""  # noqa: S608 - our own expression
FORGET = """
    DELETE FROM verification_rollup AS r
    USING unnest(%(hours)s::timestamptz[], %(clients)s::uuid[]) AS t (hour, client_id)
    WHERE r.hour = t.hour AND r.client_id = t.client_id
"""
# Attempts that are alike are put together first: a busy hour has hundreds of thousands of
# attempts, and few hundred kinds of them to take apart.
COUNT = """
    WITH alike AS (
        SELECT t.hour, t.client_id, a.region, a.state, a.outcome, a.verdict, a.reasons,
            a.result_code, a.result_message, a.http_status, a.error_code, a.is_attack, a.billable,
            a.device_tags, a.verify_tags,
            CASE WHEN a.state = 'answered' AND a.settled_at >= a.sent_at THEN width_bucket(
                extract(epoch FROM a.settled_at - a.sent_at) * 1000, %(latency)s::numeric[])
                END AS bucket,
            count(*) AS number
        FROM unnest(%(hours)s::timestamptz[], %(clients)s::uuid[]) AS t (hour, client_id)
        JOIN verification_attempt AS a ON a.client_id = t.client_id
            AND a.created_at >= t.hour AND a.created_at < t.hour + interval '1 hour'
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    )
    INSERT INTO verification_rollup (hour, client_id, region, figure, member, count)
    SELECT a.hour, a.client_id, a.region, f.figure, left(f.member, 200), sum(a.number)
    FROM alike AS a
    CROSS JOIN LATERAL (
        VALUES ('state', a.state), ('outcome', a.outcome), ('verdict', a.verdict),
            ('result', a.result_code || ' ' || a.result_message),
            ('error', concat_ws(' ', a.http_status::text, a.error_code)),
            ('attack', CASE WHEN a.is_attack THEN 'yes' WHEN NOT a.is_attack THEN 'no' END),
            ('billable', CASE
                WHEN a.state <> 'answered' THEN NULL WHEN a.billable THEN 'yes'
                WHEN NOT a.billable THEN 'no' ELSE 'unknown' END),
            ('latency', CASE WHEN a.bucket IS NOT NULL THEN
                coalesce((%(latency)s::int[])[1 + a.bucket]::text, 'more') END)
        UNION ALL SELECT 'reason', unnest(a.reasons)
        UNION ALL SELECT 'device_tag', key FROM jsonb_each(
            CASE WHEN jsonb_typeof(a.device_tags) = 'object' THEN a.device_tags END)
            WHERE value NOT IN ('0', 'false', 'null', '""')
        UNION ALL SELECT 'verify_tag', key FROM jsonb_each(
            CASE WHEN jsonb_typeof(a.verify_tags) = 'object' THEN a.verify_tags END)
            WHERE value NOT IN ('0', 'false', 'null', '""')
    ) AS f (figure, member)
    WHERE f.member IS NOT NULL AND (f.figure <> 'error' OR a.error_code IS NOT NULL)
    GROUP BY a.hour, a.client_id, a.region, f.figure, left(f.member, 200)
"""

# The planner expects many kinds and would sort every attempt on disk, at five times the cost.
HASHED = "SET LOCAL enable_sort = off; SET LOCAL work_mem = '64MB'"

Report = Callable[[int, int], None]
"""Told how many days of how many are done."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How far a run came: entries read, and whether there are more."""

    entries: int
    is_behind: bool


def count_changes(*, runtime: Runtime) -> Counted:
    """Count what the log tells since the last run, at most BATCH entries; safe to repeat.

    Somebody else who counts at the same moment is not waited for.
    """
    with transaction.atomic():
        if not _lock("pg_try_advisory_xact_lock"):
            return Counted(0, is_behind=False)
        position = RollupPosition.objects.filter(pk=1).first()
        first, size = position.index if position else 0, log_size()
        end = min(size, first + BATCH)
        if end <= first:
            return Counted(0, is_behind=False)
        _count(TOUCHED, {"first": first, "end": end})
        _move(end, runtime)
    return Counted(end - first, is_behind=end < size)


def rebuild(*, runtime: Runtime, report: Report = lambda _done, _total: None) -> None:
    """Count every attempt anew, a day a transaction; then go on from where the log ended before."""
    size = log_size()
    days = _days()
    for number, day in enumerate(days, 1):
        with transaction.atomic():
            _lock("pg_advisory_xact_lock")
            _count(OF_DAY, {"first": day, "end": day + timedelta(days=1)})
        report(number, len(days))
    with transaction.atomic():
        _lock("pg_advisory_xact_lock")
        _move(size, runtime)


def _days() -> list[datetime]:
    """Return the midnights of UTC from the first attempt to the last."""
    span = span_of(VerificationAttempt.objects.all())
    if span is None:
        return []
    first = span.first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [first + timedelta(days=each) for each in range((span.last - first).days + 1)]


def _lock(function: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtextextended(%s, 0))", [LOCK])
        return cursor.fetchone()[0] is not False


def _count(touched: str, values: Mapping[str, int | datetime]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(touched, values)
        pairs = cursor.fetchall()
        if not pairs:
            return
        hours, clients = (list(each) for each in zip(*pairs, strict=True))
        which = {"hours": hours, "clients": clients}
        cursor.execute(FORGET, which)
        cursor.execute(HASHED)
        cursor.execute(COUNT, {**which, "latency": list(LATENCY_MS)})


def _move(index: int, runtime: Runtime) -> None:
    RollupPosition.objects.update_or_create(
        pk=1, defaults={"index": index, "counted_at": runtime.now()}
    )
