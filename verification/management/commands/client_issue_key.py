"""`manage.py client_issue_key NAME`: another key for a client that exists."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from verification.management.issuing import add_key_arguments, issue, read_key_choice
from verification.management.operator import operator
from verification.models import ApiClient
from verification.services.acting import acting_as
from verification.services.runtime import utc_now


class Command(BaseCommand):
    """Prints the key once, on standard output; the client's other keys stay valid."""

    help = "Make another key for an API client, for example to replace one without a break."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose, and what kind of key."""
        parser.add_argument("name", help="the client's name")
        add_key_arguments(parser)

    def handle(self, *, name: str, **options: Any) -> None:
        """Issue the key; CommandError if there is no such client."""
        choice = read_key_choice(options)
        client = ApiClient.objects.filter(name=name).first()
        if client is None:
            raise CommandError(f"There is no client {name!r}. Make it: client_create {name!r}")
        with acting_as(operator()):
            lines = issue(client, choice, utc_now())
        self.stdout.write("\n".join(lines))
