"""`worker_run`: background jobs, the log's sequencer and the writer of exports, in one process."""

from functools import partial
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError

from verification.management.duties import duties
from verification.management.worker import run_worker
from verification.services.runtime import get_runtime


class Command(BaseCommand):
    """Runs in the foreground until SIGTERM or Ctrl-C, also while the database is away."""

    help = "Run background jobs, sequence the log, write exports. Any number of them may run."
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's interface; nobody may skip them

    def handle(self, *_: Any, **__: Any) -> None:
        """Refuse settings with errors; run until told to stop."""
        self.check()
        self.check(tags=[Tags.database], databases=["default"])
        if not run_worker(duties=partial(duties, runtime=get_runtime())):
            raise CommandError("A part of the worker has ended, and the worker with it.")
