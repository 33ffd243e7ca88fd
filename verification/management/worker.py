"""The worker process: background jobs in the main thread, each of its loops in another.

All outlive an outage of the database: procrastinate's worker ends when its connections do, and is
started again here. Only a signal ends the process, or the unforeseen end of one of them.
"""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence

import psycopg
from django.db import InterfaceError, OperationalError
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app, connector_params
from procrastinate.exceptions import ConnectorException
from psycopg_pool import AsyncConnectionPool

from verification.management.outage import Outage
from verification.management.rounds import Duty, Rounds

logger = logging.getLogger(__name__)

STOP_S = 9.0
LONGEST_PAUSE_S = 5.0
# So long must jobs have run before an end of theirs counts as another outage.
STEADY_S = 10.0
# Short, for whoever waits for a connection is told to stop only afterwards.
POOL_TIMEOUT_S = 2.0
POOL_CLOSE_S = 1.0
POOL_MAX = 4
POOL_WARNINGS_S = 60.0
JOBS_LOGGER = "procrastinate.worker"
OUTAGE_LOGGERS = (
    "asyncio",
    "psycopg.pool",
    JOBS_LOGGER,
    "procrastinate.worker.worker",
    "procrastinate.utils",
)
# The server shuts down, has crashed, starts up; class 08 is that of broken connections.
LOST_STATES = ("57P01", "57P02", "57P03")


def run_worker(*, duties: Callable[[threading.Event], Sequence[Duty]]) -> bool:
    """Run jobs, and each duty in a thread, until SIGTERM or SIGINT; for the main thread only.

    `duties` is given what is set when they are to stop. Returns False if one of them ended by
    itself. After a signal the running job and the running rounds are finished; what takes longer
    than STOP_S is cut off, and the exit code is 1.
    """
    loggers = [logging.getLogger(name) for name in OUTAGE_LOGGERS]
    once = _OncePerOutage()
    for each in loggers:
        each.addFilter(once)
    try:
        return asyncio.run(_Worker(duties).run())
    finally:
        for each in loggers:
            each.removeFilter(once)


class _Worker:
    """Jobs and loops, and what ends them all."""

    def __init__(self, duties: Callable[[threading.Event], Sequence[Duty]]) -> None:
        self._stopping = threading.Event()
        self._duties = duties(self._stopping)
        self._outage = Outage("Jobs", longest_pause_s=LONGEST_PAUSE_S)
        self._is_announced = False
        self._cut = threading.Timer(STOP_S, _cut_off)
        self._cut.daemon = True

    async def run(self) -> bool:
        """Return whether a signal ended it."""
        jobs = asyncio.create_task(self._keep_working(), name="job loop")
        rounds = [
            asyncio.create_task(
                asyncio.to_thread(Rounds(each, stopping=self._stopping).run), name=each.name
            )
            for each in self._duties
        ]
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, self._stop, jobs)
        await asyncio.wait({jobs, *rounds}, return_when=asyncio.FIRST_COMPLETED)
        is_asked_for = self._stopping.is_set()
        self._stop(jobs)
        await asyncio.wait({jobs, *rounds})
        self._cut.cancel()
        for task in (jobs, *rounds):
            if not task.cancelled() and (error := task.exception()):
                logger.critical("The %s has ended: %s", task.get_name(), type(error).__name__)
                is_asked_for = False
        return is_asked_for

    def _stop(self, jobs: asyncio.Task[None]) -> None:
        """Let all finish what they are doing; a repeated signal changes nothing."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._cut.start()
        jobs.cancel()

    async def _keep_working(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._work()
            except (ConnectorException, psycopg.Error) as error:
                if not self._stopping.is_set():
                    await asyncio.sleep(self._outage.bear(error))

    async def _work(self) -> None:
        """Run procrastinate's worker once; it raises one of two errors when the database goes."""
        pool = AsyncConnectionPool(
            kwargs=connector_params(),
            min_size=1,
            max_size=POOL_MAX,
            timeout=POOL_TIMEOUT_S,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )
        connector = PsycopgConnector()
        await pool.open()
        try:
            await connector.open_async(pool)
            with app.replace_connector(connector):
                await self._work_connected()
        finally:
            await pool.close(POOL_CLOSE_S)

    async def _work_connected(self) -> None:
        if await app.check_connection_async() and not self._is_announced:
            logger.info("Ready: jobs and the sequencer run")
            self._is_announced = True
        steady = asyncio.get_running_loop().call_later(STEADY_S, self._outage.end)
        try:
            # It cannot tell a signal from the end of its own listener, so signals come to us.
            await app.run_worker_async(install_signal_handlers=False)
            raise ConnectorException("a part of the worker has ended, and the worker with it")
        finally:
            steady.cancel()


class _OncePerOutage(logging.Filter):
    """Keeps libraries from telling an outage over and over, at each try and with tracebacks.

    Each kind of a pool's warnings, which have the cause, passes once a minute; what procrastinate's
    worker was ended by is told by our own warning; a job that was under way is named in one line.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passes_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be logged."""
        if record.exc_info and _is_outage(record.exc_info[1]):
            record.exc_info = None
            return record.name == JOBS_LOGGER
        if record.name != "psycopg.pool" or record.levelno != logging.WARNING:
            return True
        now = time.monotonic()
        is_due = now >= self._passes_at.get(record.msg, now)
        if is_due:
            self._passes_at[record.msg] = now + POOL_WARNINGS_S
        return is_due


def _is_outage(error: BaseException | None) -> bool:
    """Tell a lost connection from what a person must look at: a missing table, a full disk."""
    if not isinstance(error, ConnectorException | OperationalError | InterfaceError):
        return False
    cause = error.__cause__
    if isinstance(cause, psycopg.OperationalError):
        state = cause.sqlstate
        return state is None or state in LOST_STATES or state.startswith("08")
    return isinstance(cause, psycopg.InterfaceError)


def _cut_off() -> None:
    """End a process whose job or round does not; the job is taken up later, the round undone."""
    logger.error("A job or a round did not end within %.0f s: cut off", STOP_S)
    os._exit(1)
