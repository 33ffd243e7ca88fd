"""`billing_price`: set what a call costs from a day on, or list the prices."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from verification.billing.prices import CallKind
from verification.selectors.prices import prices_as_recorded
from verification.services.errors import ServiceError
from verification.services.prices import PRICED_REGIONS, set_price
from verification.services.runtime import get_runtime

LISTED = 1000
NEEDED = ("call", "currency", "valid_from", "by", "note")


class Command(BaseCommand):
    """Records a price as the admin does, under the same rules and permissions."""

    help = "Set what a billed call costs from a day of UTC on. Without an amount: list the prices."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the amount, what it is for, from when on, and who says so."""
        parser.add_argument("amount", nargs="?", metavar="AMOUNT", help="such as 0.085")
        parser.add_argument("--call", choices=[each.value for each in CallKind])
        parser.add_argument("--region", choices=PRICED_REGIONS, help="default: every region")
        parser.add_argument("--currency", metavar="CODE", help="three letters of ISO 4217")
        parser.add_argument("--valid-from", metavar="YYYY-MM-DD", help="a day of UTC")
        parser.add_argument("--by", metavar="USERNAME", help="an account that may set prices")
        parser.add_argument("--note", metavar="TEXT", help="why, and by which document")

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 1 with a sentence if our rules refuse it."""
        if options["amount"] is None:
            self._list()
            return
        if missing := [each for each in NEEDED if not options[each]]:
            names = ", ".join(f"--{each.replace('_', '-')}" for each in missing)
            raise CommandError(f"A price needs {names}.")
        users = get_user_model().objects
        by = users.filter(**{get_user_model().USERNAME_FIELD: options["by"]}).first()
        if by is None:
            raise CommandError(f"There is no account {options['by']!r}.")
        try:
            row = set_price(
                kind=options["call"],
                region=options["region"],
                amount=options["amount"],
                currency=options["currency"],
                valid_from=options["valid_from"],
                note=options["note"],
                by=by,
                runtime=get_runtime(),
            )
        except ServiceError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"Nothing was recorded: {type(error).__name__}") from error
        self.stdout.write(f"price {row.pk}: {row}")

    def _list(self) -> None:
        for row, holds in prices_as_recorded(LISTED):
            place = row.region or "every region"
            told = "" if holds else ", corrected since"
            self.stdout.write(f"{row}, {place}{told}")
