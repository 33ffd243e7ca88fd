"""Background jobs for the worker: thin, each calls one service."""

import logging

from procrastinate.contrib.django import app
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Status

from verification.models.control import Origin
from verification.services.control_runs import WORKER, check_controls
from verification.services.expiring import continue_runs
from verification.services.lockout import forget_expired_tries
from verification.services.reaper import reap
from verification.services.replaying import continue_replays
from verification.services.rollups import count_changes
from verification.services.runtime import get_runtime
from verification.services.staff import close_minutes
from verification.services.subject_erasing import continue_subject_erasures
from verification.services.verifying import own_anchors, record_verification, verify
from verification.services.witnessing import offer_checkpoint

logger = logging.getLogger(__name__)
alerts = logging.getLogger("verification.alerts")


@app.periodic(cron="* * * * * */10")  # seconds stand last
@app.task(queueing_lock="reap_attempts", pass_context=False)
def reap_attempts(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Put attempts of dead processes in doubt; every ten seconds, so within 60 s of a death."""
    reaped = reap(runtime=get_runtime())
    if reaped.not_sent or reaped.in_doubt:
        logger.warning("reaped %d unsent, %d in doubt", reaped.not_sent, reaped.in_doubt)


@app.periodic(cron="* * * * * */15")
@app.task(queueing_lock="offer_checkpoint", pass_context=False)
def offer_newest_checkpoint(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Have the newest checkpoint cosigned, so that it is anchored elsewhere within a minute."""
    offer_checkpoint(runtime=get_runtime())


@app.periodic(cron="* * * * * */5")
@app.task(queueing_lock="replay_policies", pass_context=False)
def replay_policies(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Work on a what-if for some seconds; every five, so that other jobs have their turn."""
    continue_replays(runtime=get_runtime())


@app.periodic(cron="* * * * * */5")
@app.task(queueing_lock="erase_subjects", pass_context=False)
def erase_subjects(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Work on erasures for persons for some seconds; every five, so that others have their turn."""
    continue_subject_erasures(runtime=get_runtime())


@app.periodic(cron="* * * * * */5")
@app.task(queueing_lock="expire_evidence", pass_context=False)
def expire_evidence(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Work on an approved retention run for some seconds, as on a what-if."""
    continue_runs(runtime=get_runtime())


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="count_attempts", pass_context=False)
def count_attempts(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Bring the dashboard's figures up to the log, once a minute."""
    while count_changes(runtime=get_runtime()).is_behind:
        pass


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="tend_logins", pass_context=False)
def tend_logins(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Forget locks that have ended, and put on record how many logins a flood was."""
    runtime = get_runtime()
    forget_expired_tries(now=runtime.now())
    close_minutes(runtime=runtime)


@app.periodic(cron="17 3 * * *")
@app.task(queueing_lock="verify_log", pass_context=False)
def verify_log(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Verify log and records once a day; the admin shows when, and what came of it."""
    runtime = get_runtime()
    started_at = runtime.now()
    outcome = verify(runtime=runtime, anchors=own_anchors(conf=runtime.conf))
    record_verification(outcome, started_at=started_at, runtime=runtime)
    if not outcome.holds:
        alerts.critical("the verification found: %s", outcome.faults[0])


@app.periodic(cron="47 3 * * *")
@app.task(queueing_lock="check_controls", pass_context=False)
def check_all_controls(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Check the controls once a day, after the verification; the admin shows what came of it."""
    run = check_controls(origin=Origin.WORKER, name=WORKER, runtime=get_runtime())
    if run.fails:
        alerts.critical("of the controls %d fail", run.fails)


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="tend_queue", pass_context=False)
async def tend_queue(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Take up jobs whose worker was killed; forget finished ones after a day."""
    for job in await app.job_manager.get_stalled_jobs():
        try:
            await app.job_manager.retry_job(job)
        except UniqueViolation:
            # Another of its kind waits already: that one will do the work.
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=False)
    await app.job_manager.delete_old_jobs(nb_hours=24)
