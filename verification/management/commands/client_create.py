"""`manage.py client_create NAME`: a new API client with its first key."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from verification.management.issuing import add_key_arguments, issue, read_key_choice
from verification.management.operator import operator
from verification.models import ApiClient
from verification.models.client import Scope
from verification.services.acting import acting_as
from verification.services.clients import create_client
from verification.services.runtime import utc_now

MAX_NAME_CHARS = 100
OWN_RECORDS = [each for each in Scope.values if each != Scope.LEDGER_READ]
"""What an onboarding application needs; the log's entries are about all clients."""


class Command(BaseCommand):
    """Prints the key once, on standard output; it cannot be shown again."""

    help = "Make an API client and its first key. The key is printed once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name, scopes, and what kind of key."""
        parser.add_argument("name", help="the name staff will know the client by")
        parser.add_argument(
            "--scope",
            action="append",
            choices=sorted(Scope.values),
            help="what the client may do; repeat for several; without it, all with its own records",
        )
        add_key_arguments(parser)

    def handle(self, *, name: str, scope: list[str] | None, **options: Any) -> None:
        """Make client and key together, or neither."""
        choice, now = read_key_choice(options), utc_now()
        if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
            raise CommandError(f"A name has 1 to {MAX_NAME_CHARS} printable characters.")
        with acting_as(operator()), transaction.atomic():
            if ApiClient.objects.filter(name=name).exists():
                raise CommandError(
                    f"There is a client {name!r} already. Another key: client_issue_key {name!r}"
                )
            client = create_client(name=name, scopes=scope or OWN_RECORDS, now=now)
            lines = issue(client, choice, now)
        self.stdout.write("\n".join(lines))
