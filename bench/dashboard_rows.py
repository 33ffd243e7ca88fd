"""What the dashboard reads, at its largest: `python -m bench.child dashboard_rows ATTEMPTS BUSY`.

Spreads ATTEMPTS over a year, the newest BUSY of them within one hour, and lets forty officers
decide the reviews of 8 % of them; counts all, then the busy hour by its log as a backlog, then a
minute of it; fills rollups so that every hour has every member; reads the page. Prints
milliseconds as JSON.
"""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from bench.rows import insert_attempts
from verification.models import RollupPosition
from verification.services.rollups import count_changes, rebuild
from verification.services.runtime import get_runtime

PAGE = "/admin/verification/rollup/"
DAYS = (1, 7, 30, 62, 90, 366)
YEAR = timedelta(days=366)
ROUNDS = 7
OFFICERS_AT_WORK = 40

# The guards refuse it; the database is dropped after the benchmark.
UNGUARDED = """
    ALTER TABLE verification_attempt DISABLE TRIGGER USER;
    ALTER TABLE verification_ledger_entry DISABLE TRIGGER USER;
    ALTER TABLE verification_review DISABLE TRIGGER USER;
    ALTER TABLE verification_review_step DISABLE TRIGGER USER
"""
# One attempt in sixty that nobody had to look at was opened by hand.
OPENED = """
    INSERT INTO verification_review (attempt_id, client_id, reasons, needs_second, state, round,
        priority, opened_at, due_at, glass_broken)
    SELECT id, client_id, '{}', true, 'open', 1, 3, settled_at, settled_at + interval '8 h', false
    FROM verification_attempt WHERE verdict <> 'review' AND packet_size_bytes %% 60 = 0
"""
OFFICERS = """
    INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name,
        last_name, email, date_joined)
    SELECT 'bench-officer-' || n, '!', false, true, true, '', '', '', now()
    FROM generate_series(1, %(officers)s) AS n
"""
# All but those of the last hour are decided, after a time between minutes and days.
DECIDED = """
    UPDATE verification_review SET state = 'decided', decided_by_id = people[1 + n %% %(officers)s],
        decision = (ARRAY['approved', 'approved', 'rejected', 'retry'])[1 + n %% 4],
        reason_code = 'same_person',
        proposed_by_id = CASE WHEN needs_second THEN people[1 + (n + 7) %% %(officers)s] END,
        proposed_at = CASE WHEN needs_second THEN opened_at + took / 2 END,
        decided_at = least(opened_at + took, now() - interval '1 min')
    FROM (SELECT attempt_id AS id, row_number() OVER () AS n,
              interval '1 s' * exp(5 + 1.5 * (random() + random() + random() + random())) AS took
          FROM verification_review) AS r,
        (SELECT array_agg(id) AS people FROM auth_user WHERE username LIKE 'bench-officer-%%') AS u
    WHERE r.id = attempt_id AND opened_at < now() - interval '1 hour'
"""
STEPS = """
    TRUNCATE verification_review_step CASCADE;
    INSERT INTO verification_review_step (id, review_id, round, kind, by_id, by_name, at, decision,
        reason_code)
    SELECT gen_random_uuid(), attempt_id, 1, kind, by_id, 'bench', at, decision, reason_code
    FROM verification_review, LATERAL (
        VALUES ('proposed', proposed_by_id, proposed_at), ('decided', decided_by_id, decided_at)
    ) AS step (kind, by_id, at)
    WHERE state = 'decided' AND by_id IS NOT NULL
"""
BUSY = """
    UPDATE verification_attempt SET created_at = date_trunc('hour', now()) - interval '1 hour'
        + newest.place * interval '1 hour' / %(busy)s
    FROM (SELECT id, row_number() OVER (ORDER BY created_at DESC) - 1 AS place
          FROM verification_attempt ORDER BY created_at DESC LIMIT %(busy)s) AS newest
    WHERE newest.id = verification_attempt.id
"""
ENTRIES = """
    INSERT INTO verification_ledger_entry (index, kind, attempt_id, raw, leaf_hash, sequenced_at)
    SELECT row_number() OVER (ORDER BY created_at) - 1, 'attempt.accepted', id, '', sha256(''),
        now()
    FROM verification_attempt WHERE created_at >= date_trunc('hour', now()) - interval '1 hour'
"""
EVERY_MEMBER = """
    INSERT INTO verification_rollup (hour, client_id, region, figure, member, count)
    SELECT date_trunc('hour', now()) - n * interval '1 hour', c.id, r.region, m.figure, m.member,
        1 + (n + length(m.member)) %% 40
    FROM generate_series(0, 24 * 366) AS n, verification_client AS c,
        (VALUES ('sgp'), ('idn')) AS r (region),
        (SELECT DISTINCT figure, member FROM verification_rollup_day) AS m
    ON CONFLICT DO NOTHING
"""
DAYS_ANEW = """
    DELETE FROM verification_rollup_day;
    INSERT INTO verification_rollup_day (day, client_id, region, figure, member, count)
    SELECT date_trunc('day', hour, 'UTC'), client_id, region, figure, member, sum(count)
    FROM verification_rollup GROUP BY 1, 2, 3, 4, 5
"""
SIZES = """
    SELECT (SELECT count(*) FROM verification_rollup), (SELECT count(*) FROM verification_review),
        (SELECT count(DISTINCT by_id) FROM verification_rollup_review_day)
"""


def main(arguments: list[str]) -> None:
    """Fill, count, read, print."""
    attempts, busy = (int(each) for each in arguments)
    insert_attempts(
        attempts, every=attempts, first=timezone.now() - YEAR,
        every_s=YEAR.total_seconds() / attempts,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(UNGUARDED)
        cursor.execute(BUSY, {"busy": busy})
        for each in (OPENED, OFFICERS, DECIDED, STEPS):
            cursor.execute(each, {"officers": OFFICERS_AT_WORK})
        cursor.execute("VACUUM (ANALYZE)")
        rebuild(runtime=get_runtime())
        cursor.execute(ENTRIES)
        cursor.execute("VACUUM (ANALYZE)")
        counting = _counting(busy)
        cursor.execute(EVERY_MEMBER, {})
        cursor.execute(DAYS_ANEW)
        cursor.execute(SIZES)
        rows, reviewed, people = cursor.fetchone()
        cursor.execute("VACUUM (ANALYZE)")
    sizes = {"rows": rows, "reviews": reviewed, "people": people}
    print(json.dumps({**counting, **sizes, "pages": _pages()}), flush=True)


def _counting(busy: int) -> dict[str, float]:
    def count(left: int) -> None:
        RollupPosition.objects.update(index=busy - left)
        while count_changes(runtime=get_runtime()).is_behind:
            pass

    minute = busy // 60
    backlog = _ms(lambda: count(busy))
    return {
        "backlog": backlog,
        "minute": median(_ms(lambda: count(minute)) for _ in range(ROUNDS)),
    }


def _pages() -> dict[int, float]:
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.create_superuser("bench-reader"))
    today = timezone.localdate()

    def read(days: int) -> None:
        since = today - timedelta(days=days - 1)
        answer = client.get(PAGE, {"since": since.isoformat(), "until": today.isoformat()})
        assert answer.status_code == 200, answer.status_code

    for days in DAYS:
        read(days)
    return {days: median(_ms(lambda d=days: read(d)) for _ in range(ROUNDS)) for days in DAYS}  # type: ignore[misc]


def _ms(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000
