"""`worker_run` as a real process on a PostgreSQL of its own, which goes away in every way."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from django.db import InterfaceError, OperationalError

from project.embedded_postgres import Server, start, stop
from verification.ledger.canonical import canonical
from verification.management.rounds import Duty, Rounds, RoundsEndedError
from verification.services.errors import LedgerRefusalError

ROOT = Path(__file__).resolve().parents[2]
REAPER = "verification.jobs.reap_attempts"
READY = "Ready: jobs and the sequencer run"
UNEXPECTED_END = """
import sys, django
django.setup()
from verification.management.rounds import Duty
from verification.management.worker import run_worker
duty = Duty("sequencer", "Entries of the log", lambda: sys.exit(0), 0.1)
sys.exit(0 if run_worker(duties=lambda _: [duty]) else 3)
"""


IDLE_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Database:
    """A durable server that tests stop, kill and start, with the schema in it."""

    home: Path
    url: str

    def start(self) -> Server:
        """Start it, also after a kill."""
        return start(self.home)

    def kill(self) -> None:
        """Kill the postmaster: nothing is shut down in order."""
        os.kill(self.start().pid, signal.SIGKILL)

    def ask(self, query: str, *values: object) -> Any:
        """Return the first column of the first row, or None."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(query, values).fetchone()
        return row[0] if row else None

    def defer(self, *, in_s: float = 0.0) -> int:
        """Defer a job that is due a little later; return its id."""
        statement = (
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at) VALUES"
            """ ('default', %s, '{"timestamp": 0}', now() + %s * interval '1 s') RETURNING id"""
        )
        return int(self.ask(statement, REAPER, in_s))

    def state(self, job: int) -> str:
        """Return the state of a job."""
        return str(self.ask("SELECT status FROM procrastinate_jobs WHERE id = %s", job))

    def stage(self, number: int) -> None:
        """Stage an entry as a business transaction does."""
        raw = canonical({"kind": "test.counted", "number": number})
        self.ask("INSERT INTO verification_ledger_stage (raw) VALUES (%s) RETURNING no", raw)

    def sequenced(self) -> int:
        """Return how many of the staged entries have their place in the log."""
        return int(
            self.ask("SELECT count(*) FROM verification_ledger_entry WHERE kind = 'test.counted'")
        )

    @contextmanager
    def job_held_up(self) -> Iterator[int]:
        """Lend a job, whichever comes first, that waits for a lock until the block ends."""
        waiting = "SELECT true FROM pg_locks WHERE relation = 'verification_attempt'::regclass"
        running = "SELECT id FROM procrastinate_jobs WHERE status = 'doing'"
        with psycopg.connect(self.url) as connection:
            connection.execute("LOCK TABLE verification_attempt IN ACCESS EXCLUSIVE MODE")
            self.defer()
            wait_until(lambda: bool(self.ask(f"{waiting} AND NOT granted")))
            yield int(self.ask(running))


@dataclass(frozen=True, slots=True)
class Process:
    """A worker process and what it has logged."""

    popen: subprocess.Popen[bytes]
    log: Path

    def count(self, text: str) -> int:
        """Return how often a text stands in the log."""
        return self.log.read_text().count(text)

    def wait_until_ready(self) -> None:
        """Return when it says so."""
        wait_until(lambda: self.count(READY) == 1 or self.popen.poll() is not None)
        assert self.popen.poll() is None, self.log.read_text()

    def end(self, within_s: float = 10.0) -> int:
        """Ask it to stop and return its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(within_s)


def wait_until(true: Callable[[], bool], limit_s: float = 30.0) -> None:
    """Return when something has come true."""
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def environment(database: Database, **given: str) -> dict[str, str]:
    """Return the suite's throw-away settings, for the site's own settings module."""
    own = {"DATABASE_URL": database.url, "DJANGO_SETTINGS_MODULE": "project.settings"}
    own |= {"LOG_LEVEL": "INFO", "LOCAL_DIR": str(database.home), "PYTHONPATH": str(ROOT)}
    return os.environ | own | given


def manage(command: str) -> list[str]:
    """Return the command line of a management command."""
    return [sys.executable, "manage.py", command]


@pytest.fixture(scope="module")
def made() -> Iterator[Database]:
    """Make a server and the schema; its folder can be entered by the account that runs it."""
    ground = Path(mkdtemp(prefix="pg-", dir="/tmp"))
    ground.chmod(0o755)
    home = ground / "home"
    database = Database(home, start(home).url())
    try:
        env = environment(database, LOG_LEVEL="WARNING")
        subprocess.run(manage("migrate"), cwd=ROOT, env=env, check=True, capture_output=True)
        yield database
    finally:
        stop(home)
        rmtree(ground)


@pytest.fixture
def database(made: Database) -> Database:
    """Return the server, running, with empty queues."""
    made.start()
    with psycopg.connect(made.url) as connection:
        connection.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    return made


Run = Callable[..., Process]


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Iterator[Run]:
    """Return a function that starts a worker; all are gone in the end."""
    started: list[Process] = []

    def go(*command: str, **given: str) -> Process:
        log = tmp_path / f"worker-{len(started)}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                command or manage("worker_run"),
                cwd=ROOT,
                env=environment(database, **given),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(Process(popen, log))
        return started[-1]

    yield go
    for each in started:
        with suppress(ProcessLookupError):
            each.popen.kill()
        each.popen.wait()


@pytest.mark.parametrize(
    ("end", "away_s"), [(lambda database: stop(database.home), 8.0), (Database.kill, 4.0)]
)
def test_jobs_and_sequencer_go_on_when_the_database_is_back(
    end: Callable[[Database], None], away_s: float, database: Database, run: Run
) -> None:
    worker = run()
    worker.wait_until_ready()
    before = database.sequenced()
    database.stage(1)
    wait_until(lambda: database.sequenced() == before + 1)
    job = database.defer(in_s=2.0)
    end(database)
    time.sleep(away_s)
    database.start()
    database.stage(2)
    last = int(database.ask("SELECT max(id) FROM procrastinate_jobs"))
    wait_until(lambda: database.sequenced() == before + 2 and database.state(job) == "succeeded")
    periodic = "SELECT count(*) FROM procrastinate_jobs WHERE id > %s AND status = 'succeeded'"
    wait_until(lambda: bool(database.ask(periodic, last)))
    assert worker.count("Jobs wait for") == 1
    assert worker.count("Entries of the log wait for") == 1
    assert worker.count("error connecting in") == 1
    assert worker.count("Traceback") == 0
    assert worker.end() == 0


def test_a_job_that_loses_its_database_is_no_failure_to_look_at(
    database: Database, run: Run
) -> None:
    worker = run()
    worker.wait_until_ready()
    with suppress(psycopg.OperationalError), database.job_held_up():
        database.kill()
    database.start()
    later = database.defer()
    wait_until(lambda: database.state(later) == "succeeded")
    assert worker.count("Jobs wait for") == 1
    assert worker.count("ended with status: Error") == 1
    assert worker.count("Traceback") == 0
    assert worker.end() == 0


def test_it_waits_for_a_database_that_is_not_there_yet_and_can_be_stopped_meanwhile(
    database: Database, run: Run
) -> None:
    stop(database.home)
    workers = [run(), run()]
    for each in workers:
        wait_until(lambda each=each: each.count("Jobs wait for") == 1)  # type: ignore[misc]  # bound
    assert workers[0].end() == 0
    assert workers[0].count(READY) == 0
    database.start()
    workers[1].wait_until_ready()
    assert workers[1].end() == 0


def test_a_signal_lets_the_running_job_finish(database: Database, run: Run) -> None:
    worker = run()
    worker.wait_until_ready()
    with database.job_held_up() as job:
        worker.popen.send_signal(signal.SIGTERM)
        worker.popen.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.popen.wait(2)
    assert worker.popen.wait(8) == 0
    assert database.state(job) == "succeeded"
    assert database.ask("SELECT count(*) FROM procrastinate_workers") == 0


def test_a_job_that_does_not_end_is_cut_off_and_stays_to_be_taken_up(
    database: Database, run: Run
) -> None:
    worker = run()
    worker.wait_until_ready()
    with database.job_held_up() as job:
        assert worker.end(within_s=10.0) == 1
    assert database.state(job) == "doing"
    assert worker.count("did not end within 9 s") == 1


def test_two_workers_do_each_job_once_and_one_goes_on_without_the_other(
    database: Database, run: Run
) -> None:
    workers = [run(), run()]
    for each in workers:
        each.wait_until_ready()
    before = database.sequenced()
    jobs = [database.defer() for _ in range(20)]
    for number in range(20):
        database.stage(number)
    done = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded' AND id = ANY(%s)"
    wait_until(lambda: database.ask(done, jobs) == 20 and database.sequenced() == before + 20)
    tries = "SELECT max(attempts) FROM procrastinate_jobs WHERE id = ANY(%s)"
    assert database.ask(tries, jobs) == 1
    workers[0].popen.kill()
    last = database.defer()
    database.stage(21)
    wait_until(lambda: database.state(last) == "succeeded" and database.sequenced() == before + 21)
    assert workers[1].end() == 0


def test_settings_with_errors_are_refused(run: Run) -> None:
    worker = run(FACEID_SANDBOX_URL="http://vendor.example")
    assert worker.popen.wait(30) == 1
    assert worker.count("verification.E002") == 1
    assert worker.count("Traceback") == 0


def test_an_unexpected_end_of_the_sequencer_ends_the_process(run: Run) -> None:
    worker = run(sys.executable, "-c", UNEXPECTED_END)
    assert worker.popen.wait(30) == 3
    assert worker.count("CRITICAL") == 1
    assert worker.count("The sequencer has ended") == 1


class Told:
    """Answers or raises what it was given, one after the other; then tells the loop to stop."""

    def __init__(self, *answers: bool | BaseException) -> None:
        self.answers = list(answers)
        self.stopping = Event()
        self.now = 1000.0

    def __call__(self) -> bool:
        """Do as told."""
        answer = self.answers.pop(0)
        if not self.answers:
            self.stopping.set()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def rounds(self) -> Rounds:
        """Return a loop of these rounds."""
        duty = Duty("sequencer", "Entries of the log", self, IDLE_PAUSE_S)
        return Rounds(duty, stopping=self.stopping, clock=lambda: self.now)


def test_what_is_behind_goes_on_at_once_and_else_after_a_pause() -> None:
    sequencer = Told(True, False, False).rounds()
    assert [sequencer.round() for _ in range(3)] == [0.0, IDLE_PAUSE_S, IDLE_PAUSE_S]


def test_pauses_grow_during_an_outage_which_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    away: list[bool | BaseException] = [OperationalError("x"), InterfaceError("x")] * 4
    sequencer = Told(*away, False, OperationalError("x")).rounds()
    pauses = [sequencer.round() for _ in away]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert sequencer.round() == IDLE_PAUSE_S
    assert sequencer.round() == pytest.approx(0.1)
    assert [each.levelname for each in caplog.records] == ["WARNING", "INFO", "WARNING"]


def test_a_refusal_is_critical_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(*[LedgerRefusalError("it was rolled back")] * 90, False)
    sequencer = told.rounds()
    for _ in range(90):
        told.now += sequencer.round()
    assert [each.levelname for each in caplog.records] == ["CRITICAL"] * 3
    assert "it was rolled back" in caplog.text


def test_what_nobody_foresaw_is_logged_without_its_values(caplog: pytest.LogCaptureFixture) -> None:
    sequencer = Told(ValueError("a secret value"), False).rounds()
    assert sequencer.round() > IDLE_PAUSE_S
    assert re.search(r"failed: ValueError\n.*in __call__", caplog.text, re.DOTALL)
    assert "a secret value" not in caplog.text
    assert sequencer.round() == IDLE_PAUSE_S


def test_the_loop_ends_when_told_to_and_says_when_it_ends_otherwise() -> None:
    thread = Thread(target=Told(True, ValueError(), False).rounds().run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(RoundsEndedError, match="SystemExit"):
        Told(SystemExit(0)).rounds().run()
