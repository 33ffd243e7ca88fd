"""`ledger_checkpoint`: print the log's newest signed note, for whoever keeps one."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from verification.models import LedgerCheckpoint
from verification.selectors.ledger import last_checkpoint
from verification.services.checkpointing import seal_now
from verification.services.errors import LedgerRefusalError
from verification.services.proving import signed_note
from verification.services.runtime import get_runtime


class Command(BaseCommand):
    """Standard output is the note, byte for byte."""

    help = "Print the newest checkpoint, with the cosignatures of witnesses."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Without an option nothing is changed."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--vkey",
            action="store_true",
            help="print the log's public keys instead, the newest first: for auditors to pin",
        )
        what.add_argument(
            "--new",
            action="store_true",
            help="seal the log now; needs the log's signing key in this process",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 1 if there is no checkpoint, or if none can be made."""
        if options["vkey"]:
            self._print_keys()
            return
        checkpoint = _seal() if options["new"] else last_checkpoint()
        if checkpoint is None:
            raise CommandError("The log has no checkpoint yet: is the worker running, with a key?")
        sys.stdout.buffer.write(signed_note(checkpoint))
        sys.stdout.buffer.flush()

    def _print_keys(self) -> None:
        keys = get_runtime().conf.ledger_vkeys
        if not keys:
            raise CommandError("No key is known: set VERIFICATION_LEDGER_VKEYS.")
        self.stdout.write("\n".join(map(str, keys)))


def _seal() -> LedgerCheckpoint:
    try:
        return seal_now(runtime=get_runtime())
    except LedgerRefusalError as error:
        raise CommandError(f"{error} Without --new the newest is printed.") from error
