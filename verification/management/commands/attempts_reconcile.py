"""`attempts_reconcile`: settle attempts in doubt by kept answers, list the rest, close one."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from verification.services.errors import NotInDoubtError
from verification.services.reconciliation import attempts_in_doubt, close_attempt, reconcile
from verification.services.runtime import get_runtime


class Command(BaseCommand):
    """Moves attempts out of doubt on evidence only."""

    help = "Settle attempts in doubt by answers that were kept; list those that stay in doubt."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Closing is explicit: one attempt, with a reason that stays on record."""
        parser.add_argument("--close", type=UUID, metavar="ID", help="close this attempt for good")
        parser.add_argument("--reason", help="why its answer will never be known")

    def handle(self, *_: Any, **options: Any) -> None:
        """Reconcile all, or close one. Exits 1 if the one is not in doubt."""
        if options["close"]:
            self._close(options["close"], options["reason"])
        else:
            self._reconcile_all()

    def _close(self, attempt_id: UUID, reason: str | None) -> None:
        if not reason or len(reason) > 500:  # noqa: PLR2004 - the column's length
            raise CommandError("--close needs --reason, at most 500 characters")
        try:
            close_attempt(attempt_id=attempt_id, reason=reason, runtime=get_runtime())
        except NotInDoubtError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{attempt_id} closed")

    def _reconcile_all(self) -> None:
        settled = waiting = 0
        for attempt in attempts_in_doubt().iterator(chunk_size=500):
            if reconcile(attempt_id=attempt.pk, runtime=get_runtime()):
                settled += 1
                self.stdout.write(f"{attempt.pk} answered")
            else:
                waiting += 1
                self.stdout.write(f"{attempt.pk} in doubt: {attempt.error_code}")
        self.stdout.write(f"{settled} settled, {waiting} still in doubt")
