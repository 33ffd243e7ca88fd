"""The worker knows our periodic jobs, and runs them as often as we promise."""

from itertools import islice, pairwise

from procrastinate.contrib.django import app

REAPER = "verification.jobs.reap_attempts"
START = 1_700_000_003.0


def test_the_reaper_is_due_every_ten_seconds() -> None:
    (reaper,) = (
        each for each in app.periodic_registry.periodic_tasks.values() if each.task.name == REAPER
    )
    times = list(islice(reaper.croniter.all_next(float, start_time=START), 400))
    assert times[0] - START <= 10
    assert {later - earlier for earlier, later in pairwise(times)} == {10.0}
