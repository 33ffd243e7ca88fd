"""The pool of threads that serves the web process."""

import time
from concurrent.futures import CancelledError
from threading import Event, current_thread

import pytest

from project.thread_pool import ThreadPool

WAIT_S = 5.0


def wait_until_count(pool: ThreadPool, count: int) -> None:
    """Wait for threads to end."""
    end = time.monotonic() + WAIT_S
    while pool.count != count and time.monotonic() < end:
        time.sleep(0.01)
    assert pool.count == count


def test_a_job_gives_its_result_or_its_error() -> None:
    pool = ThreadPool(max_threads=2, idle_s=0.05)
    assert pool.submit(divmod, 7, 2).result(WAIT_S) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result(WAIT_S)


def test_jobs_beyond_the_threads_wait_and_all_are_done() -> None:
    pool = ThreadPool(max_threads=3, idle_s=0.05)
    release, begun = Event(), []

    def job(number: int) -> int:
        begun.append(number)
        release.wait(WAIT_S)
        return number

    futures = [pool.submit(job, number) for number in range(10)]
    time.sleep(0.1)
    assert sorted(begun) == [0, 1, 2]
    assert pool.count == 3
    release.set()
    assert [future.result(WAIT_S) for future in futures] == list(range(10))


def test_one_job_after_the_other_runs_in_one_thread() -> None:
    pool = ThreadPool(max_threads=50, idle_s=WAIT_S)
    names = set()
    for _ in range(30):
        names.add(pool.submit(lambda: current_thread().name).result(WAIT_S))
        time.sleep(0.005)  # until the thread has put itself back
    assert len(names) == 1
    assert pool.count == 1


def test_idle_threads_end_and_new_ones_come_when_needed() -> None:
    pool = ThreadPool(max_threads=20, idle_s=0.05)
    release = Event()
    futures = [pool.submit(release.wait, WAIT_S) for _ in range(20)]
    assert pool.count == 20
    release.set()
    assert all(future.result(WAIT_S) for future in futures)
    wait_until_count(pool, 0)
    assert pool.submit(int, "7").result(WAIT_S) == 7


def test_a_job_handed_over_while_its_thread_gives_up_is_still_done() -> None:
    pool = ThreadPool(max_threads=1, idle_s=0.001)
    for number in range(300):
        assert pool.submit(int, number).result(WAIT_S) == number
        time.sleep(0.0005 * (number % 4))


def test_a_job_that_was_cancelled_while_it_waited_is_not_done() -> None:
    pool = ThreadPool(max_threads=1, idle_s=0.05)
    release = Event()
    pool.submit(release.wait, WAIT_S)
    waiting = pool.submit(pytest.fail, "it ran")
    assert waiting.cancel()
    release.set()
    with pytest.raises(CancelledError):
        waiting.result(WAIT_S)
    wait_until_count(pool, 0)


def test_after_its_end_it_takes_no_jobs_and_finishes_those_it_has() -> None:
    pool = ThreadPool(max_threads=1, idle_s=0.05)
    release = Event()
    running, waiting = pool.submit(release.wait, WAIT_S), pool.submit(int, "7")
    pool.shutdown(wait=False)
    with pytest.raises(RuntimeError):
        pool.submit(int, "8")
    release.set()
    assert running.result(WAIT_S)
    assert waiting.result(WAIT_S) == 7
