"""What the dashboard reads, at its largest: `python -m bench.child dashboard_rows ATTEMPTS HOURS`.

Moves ATTEMPTS into one hour and counts them, as the job does at the end of such an hour; fills
rollups for HOURS hours, every member in each of them; reads the page. Prints milliseconds as JSON.
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
from verification.services.rollups import rebuild
from verification.services.runtime import get_runtime

PAGE = "/admin/verification/rollup/"
DAYS = (7, 30, 100)
ROUNDS = 5

# The guards refuse it; the database is dropped after the benchmark.
UNGUARDED = "ALTER TABLE verification_attempt DISABLE TRIGGER USER"
ONE_HOUR = """
    UPDATE verification_attempt SET created_at = '2026-01-05T10:00:00Z'::timestamptz
        + (extract(epoch FROM created_at)::bigint %% 3600) * interval '1 s'
"""
ROLLUPS = """
    INSERT INTO verification_rollup (hour, client_id, region, figure, member, count)
    SELECT date_trunc('hour', now()) - n * interval '1 hour', c.id, r.region, m.figure, m.member,
        1 + (n + length(m.member)) %% 40
    FROM generate_series(0, %(hours)s) AS n, verification_client AS c,
        (VALUES ('sgp'), ('idn')) AS r (region),
        (SELECT DISTINCT figure, member FROM verification_rollup) AS m
    ON CONFLICT DO NOTHING
"""


def main(arguments: list[str]) -> None:
    """Fill, count, read, print."""
    attempts, hours = (int(each) for each in arguments)
    insert_attempts(attempts, every=attempts)
    with connection.cursor() as cursor:
        cursor.execute(UNGUARDED)
        cursor.execute(ONE_HOUR, {})
        cursor.execute("VACUUM (ANALYZE)")
        counting = _ms(lambda: rebuild(runtime=get_runtime()))
        cursor.execute(ROLLUPS, {"hours": hours})
        rows = cursor.rowcount
        cursor.execute("VACUUM (ANALYZE)")
    print(json.dumps({"counting": counting, "rows": rows, "pages": _pages()}), flush=True)


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
