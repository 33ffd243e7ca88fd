"""Background jobs for the worker: thin, each calls one service."""

import logging

from procrastinate.contrib.django import app

from verification.services.reaper import reap
from verification.services.runtime import get_runtime

logger = logging.getLogger(__name__)


@app.periodic(cron="* * * * * */10")  # seconds stand last
@app.task(queueing_lock="reap_attempts", pass_context=False)
def reap_attempts(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Put attempts of dead processes in doubt; every ten seconds, so within 60 s of a death."""
    reaped = reap(runtime=get_runtime())
    if reaped.not_sent or reaped.in_doubt:
        logger.warning("reaped %d unsent, %d in doubt", reaped.not_sent, reaped.in_doubt)


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="tend_queue", pass_context=False)
async def tend_queue(timestamp: int) -> None:  # noqa: ARG001 - given by the scheduler
    """Take up jobs whose worker was killed; forget finished ones after a day."""
    for job in await app.job_manager.get_stalled_jobs():
        await app.job_manager.retry_job(job)
    await app.job_manager.delete_old_jobs(nb_hours=24)
