"""`rights_seal`: from now on rights grow by two people only."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from verification.services.errors import SealError
from verification.services.rights import seal_rights
from verification.services.runtime import get_runtime


class Command(BaseCommand):
    """Run once by the owner of the tables, when the first accounts are made. No way back."""

    help = "Let rights grow by two people only, from now on and for everybody."

    def handle(self, *_: Any, **__: Any) -> None:
        """Say who goes on; exit 1 with a sentence if two people are missing."""
        try:
            asking, deciding = seal_rights(runtime=get_runtime())
        except SealError as error:
            raise CommandError(str(error)) from error
        self.stdout.write("From now on rights grow by two people only.")
        self.stdout.write(f"May ask:    {', '.join(asking)}")
        self.stdout.write(f"May decide: {', '.join(deciding)}")
