"""`rollups_rebuild`: count all attempts and reviews anew for the dashboard."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from verification.management.progress import Progress
from verification.services.rollups import rebuild
from verification.services.runtime import get_runtime


class Command(BaseCommand):
    """Safe beside a running worker, and to repeat."""

    help = "Count all attempts and reviews anew for the dashboard, a day at a time."

    def handle(self, *_: Any, **options: Any) -> None:
        """Shows how many days are done."""
        progress = Progress(sys.stderr)
        rebuild(
            runtime=get_runtime(),
            report=lambda done, total: progress.show("days", done, total),
        )
        progress.end()
        if options["verbosity"] > 0:
            self.stdout.write("Counted.")
