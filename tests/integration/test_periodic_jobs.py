"""The worker knows our periodic jobs, runs them as often as we promise, and cleans up."""

from itertools import islice, pairwise

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.factories import make_attempt
from verification.jobs import tend_queue, verify_log
from verification.models import LedgerVerification
from verification.services.runtime import Runtime

REAPER = "verification.jobs.reap_attempts"
START = 1_700_000_003.0


def test_the_reaper_is_due_every_ten_seconds() -> None:
    (reaper,) = (
        each for each in app.periodic_registry.periodic_tasks.values() if each.task.name == REAPER
    )
    times = list(islice(reaper.croniter.all_next(float, start_time=START), 400))
    assert times[0] - START <= 10
    assert {later - earlier for earlier, later in pairwise(times)} == {10.0}


def insert_job(status: str) -> int:
    """Put a job into the queue's table, in a status."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts)"
            " VALUES ('default', 'some.task', %s, 1) RETURNING id",
            [status],
        )
        (job_id,) = cursor.fetchone()
    return int(job_id)


def insert_succeeded(*, days_ago: int) -> int:
    """Make a job that succeeded some days ago."""
    job_id = insert_job("succeeded")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_events WHERE job_id = %s", [job_id])
        cursor.execute(
            "INSERT INTO procrastinate_events (job_id, type, at)"
            " VALUES (%s, 'succeeded', now() - %s * interval '1 day')",
            [job_id, days_ago],
        )
    return job_id


@pytest.mark.django_db(transaction=True)
def test_a_job_of_a_killed_worker_is_taken_up_and_finished_ones_are_forgotten() -> None:
    finished, recent = insert_succeeded(days_ago=2), insert_succeeded(days_ago=0)
    stalled = insert_job("doing")
    async_to_sync(tend_queue.func)(timestamp=0)
    left = {job.pk: job.status for job in ProcrastinateJob.objects.all()}
    assert left == {recent: "succeeded", stalled: "todo"}
    assert finished not in left


@pytest.mark.django_db(transaction=True)
def test_a_stalled_job_whose_successor_waits_stands_in_nobodys_way() -> None:
    first, other = insert_job("doing"), insert_job("doing")
    waiting = insert_job("todo")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET queueing_lock = 'one' WHERE id = ANY(%s)",
            [[first, waiting]],
        )
    async_to_sync(tend_queue.func)(timestamp=0)
    jobs = ProcrastinateJob.objects.filter(pk__in=[first, other, waiting])
    left = {job.pk: job.status for job in jobs}
    assert left == {first: "failed", other: "todo", waiting: "todo"}


@pytest.mark.django_db(transaction=True)
def test_the_daily_verification_is_kept_and_alerts_when_it_finds_something(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    verify_log.func(timestamp=0)
    make_attempt()
    verify_log.func(timestamp=0)
    results = LedgerVerification.objects.order_by("finished_at").values_list("result", flat=True)
    assert list(results) == ["held", "broken"]
    assert "row_without_entry" in caplog.text
