"""`worker_run`: background jobs and the log's sequencer, in one process that keeps running."""

from functools import partial
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError

from verification.management.worker import run_worker
from verification.services.runtime import get_runtime
from verification.services.sequencing import tend_log


class Command(BaseCommand):
    """Runs in the foreground until SIGTERM or Ctrl-C, also while the database is away."""

    help = "Run background jobs and the sequencer of the log. Any number of them may run."
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's interface; nobody may skip them

    def handle(self, *_: Any, **__: Any) -> None:
        """Refuse settings with errors; run until told to stop."""
        self.check()
        self.check(tags=[Tags.database], databases=["default"])
        if not run_worker(tend=partial(tend_log, runtime=get_runtime())):
            raise CommandError("A part of the worker has ended, and the worker with it.")
