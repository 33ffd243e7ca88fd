"""How fast exports are read: slowly beside submissions, without a bound when nobody submits."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection

from bench.rows import CLIENT_ID, insert_attempts
from tests.factories import make_attempt
from tests.integration.ledger.lives import seal
from verification.models import ApiClient, ExportJob
from verification.models.export_job import JobState
from verification.selectors.attempts import AttemptQuery
from verification.selectors.beside import beside
from verification.selectors.exports import attempts_file
from verification.selectors.pace import LOOK_S, QUIET_S, Pace
from verification.selectors.record import AttemptFilter
from verification.services.export_files import ExportFolder
from verification.services.export_jobs import cancel_job, start_client_job
from verification.services.export_shape import Shape
from verification.services.export_work import work_on_exports
from verification.services.runtime import Runtime

RATE = 1_000_000
BLOCK = 10_000


@dataclass
class Site:
    """A clock that only sleep and work move, and a newest attempt."""

    now: float = 100.0
    newest: UUID | None = None
    is_away: bool = False
    looks: list[float] = field(default_factory=list)
    slept_s: float = 0.0

    def pace(self) -> Pace:
        return Pace(RATE, newest=self.look, clock=lambda: self.now, sleep=self.sleep)

    def look(self) -> UUID | None:
        self.looks.append(self.now)
        if self.is_away:
            raise OperationalError("no connection is free")
        return self.newest

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds
        self.slept_s += seconds

    def read(self, pace: Pace, seconds: float, *, attempts: bool = False) -> int:
        """Read blocks, each of which takes a millisecond of work; return how many bytes."""
        until, size_bytes = self.now + seconds, 0
        while self.now < until:
            if attempts:
                self.newest = uuid4()
            self.now += 0.001
            size_bytes += BLOCK
            pace.spend(BLOCK)
        return size_bytes


def test_nothing_is_waited_for_while_nobody_submits() -> None:
    site = Site(newest=uuid4())
    pace = site.pace()
    assert site.read(pace, 60) == pytest.approx(60 / 0.001 * BLOCK, rel=0.01)
    assert site.slept_s == 0


def test_it_is_slow_while_attempts_come_in() -> None:
    site = Site()
    pace = site.pace()
    site.read(pace, 3 * LOOK_S, attempts=True)
    assert site.read(pace, 60, attempts=True) == pytest.approx(60 * RATE, rel=0.01)


def test_one_attempt_is_noticed_within_two_looks_and_forgotten_when_it_is_quiet() -> None:
    site = Site(newest=uuid4())
    pace = site.pace()
    site.read(pace, 1)
    site.newest = uuid4()
    site.read(pace, LOOK_S + 0.01)
    assert site.slept_s > 0
    assert site.read(pace, QUIET_S - 2 * LOOK_S) <= (QUIET_S - LOOK_S) * RATE
    site.read(pace, 3 * LOOK_S)
    slept_s = site.slept_s
    assert site.read(pace, 10) == pytest.approx(10 / 0.001 * BLOCK, rel=0.01)
    assert site.slept_s == slept_s


def test_the_first_attempt_of_all_is_noticed() -> None:
    site = Site()
    pace = site.pace()
    site.read(pace, 1)
    assert site.slept_s == 0
    site.newest = uuid4()
    site.read(pace, 1)
    assert site.slept_s > 0.5


def test_a_site_without_a_free_connection_counts_as_busy() -> None:
    site = Site(is_away=True)
    pace = site.pace()
    assert site.read(pace, 10) < 10.2 * RATE + 3 * LOOK_S / 0.001 * BLOCK


def test_it_does_not_make_up_for_time_in_which_others_held_it_up() -> None:
    site = Site()
    pace = site.pace()
    site.read(pace, 1, attempts=True)
    site.now += 30  # a slow reader
    site.newest = uuid4()
    assert site.read(pace, 1, attempts=True) <= 1.1 * RATE


def test_it_looks_ten_times_a_second_at_most_and_never_for_small_exports() -> None:
    site = Site(newest=uuid4())
    pace = site.pace()
    site.read(pace, LOOK_S - 0.01)
    assert site.looks == []
    site.read(pace, 10)
    assert len(site.looks) <= 10 / LOOK_S + 1


@pytest.mark.django_db(transaction=True)
def test_beside_gives_its_connection_back_and_leaves_this_one_alone() -> None:
    def sessions() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid(), count(*) FROM pg_stat_activity")
            return int(cursor.fetchone()[0])

    mine = sessions()
    assert beside(sessions) != mine
    assert sessions() == mine
    with pytest.raises(ZeroDivisionError):
        beside(lambda: 1 // 0)


def one_more(client: ApiClient) -> None:
    """Let an attempt be accepted now, as another process would."""
    beside(lambda: make_attempt(client=client, created_at=datetime.now(UTC)))


@pytest.mark.django_db(transaction=True)
def test_an_export_beside_submissions_is_slow_and_has_the_same_bytes(
    client_app: ApiClient,
) -> None:
    insert_attempts(2_000)
    before = AttemptQuery(created_before=datetime.now(UTC))
    whole = b"".join(attempts_file(before))
    site = Site()
    pace = Pace(RATE // 100, clock=lambda: site.now, sleep=site.sleep)
    read = b""
    for block in attempts_file(before, block_bytes=BLOCK, pace=pace):
        read += block
        site.now += LOOK_S
        one_more(client_app)
    assert read == whole
    assert site.slept_s > 0.8 * len(whole) / (RATE // 100)


@pytest.mark.django_db(transaction=True)
def test_a_slow_file_keeps_its_lease_and_can_be_cancelled_in_the_middle_of_a_part(
    client_app: ApiClient, runtime: Runtime, tmp_path: Path, settings: Any
) -> None:
    settings.VERIFICATION = {**settings.VERIFICATION, "EXPORT_BUSY_BYTES_PER_S": 100_000}
    insert_attempts(30_000)
    seal(runtime)
    owner = ApiClient.objects.get(pk=CLIENT_ID)
    job = start_client_job(which=AttemptFilter(), shape=Shape(), client=owner, runtime=runtime)
    leases: set[datetime | None] = set()
    is_over = Event()

    def submit_and_look() -> None:
        try:
            while not is_over.wait(0.05):
                make_attempt(client=client_app, created_at=datetime.now(UTC))
                now = ExportJob.objects.get(pk=job.pk)
                leases.add(now.leased_until)
                if len(leases - {None}) == 3:
                    cancel_job(job_id=job.pk, owner=owner, runtime=runtime)
                    return
        finally:
            connection.close()

    watcher = Thread(target=submit_and_look)
    watcher.start()
    try:
        work_on_exports(runtime=runtime, folder=ExportFolder(tmp_path / "exports"), places={})
    finally:
        is_over.set()
        watcher.join()
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert (job.size_bytes, job.rows) == (0, 0), "half a part counts for nothing"
