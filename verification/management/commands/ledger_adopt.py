"""`ledger_adopt`: take attempts from before the log into it."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from verification.management.progress import Progress
from verification.models import VerificationAttempt
from verification.services.adopting import adopt
from verification.services.errors import LedgerRefusalError
from verification.services.runtime import get_runtime
from verification.vault.errors import VaultError


class Command(BaseCommand):
    """Run once, after the upgrade that brought the log and before the worker starts."""

    help = "Stage the entries of attempts that are older than the log; nothing if there are none."

    def handle(self, *_: Any, **__: Any) -> None:
        """Exits 1 if the log has begun without them."""
        total = VerificationAttempt.objects.count()
        progress = Progress(sys.stderr)
        try:
            adopted = adopt(
                runtime=get_runtime(), report=lambda done: progress.show("attempts", done, total)
            )
        except (LedgerRefusalError, VaultError) as error:
            raise CommandError(str(error)) from error
        finally:
            progress.end()
        self.stdout.write(f"{adopted:,} attempts adopted")
