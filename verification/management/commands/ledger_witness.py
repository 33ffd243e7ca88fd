"""`ledger_witness`: cosign the checkpoints of logs that only ever grow."""

from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from verification.ledger import witness_server
from verification.ledger.errors import WitnessError


class Command(BaseCommand):
    """The same as `python -m verification.ledger.witness_server`, which needs no Django."""

    help = "Run a witness, or make the key and the folder of a new one with --new-key."
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's interface; a witness needs no database

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what the program takes."""
        witness_server.add_arguments(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        """Run in the foreground until SIGTERM or Ctrl-C."""
        try:
            witness_server.run(Namespace(**options), self._say)
        except WitnessError as error:
            raise CommandError(str(error)) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
