"""`manage.py second_factor_reset USERNAME`: for when no administrator can log in any more."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from verification.management.operator import operator
from verification.services.errors import BadReasonError, NoFactorError
from verification.services.runtime import get_runtime
from verification.services.second_factor import reset_as_operator


class Command(BaseCommand):
    """Does what the page in the admin does, superusers included; on record with the operator."""

    help = "Take away the second factor of an account: it enrols anew at its next login."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say whose, and why."""
        parser.add_argument("username", help="whose second factor")
        parser.add_argument("--reason", required=True, help="why; stays in the log for ever")

    def handle(self, *, username: str, reason: str, **_: Any) -> None:
        """Reset it; CommandError if there is nothing to reset, or the reason tells nobody why."""
        user = get_user_model()
        person = user.objects.filter(**{user.USERNAME_FIELD: username}).first()
        if person is None:
            raise CommandError("No account has this name.")
        try:
            reset_as_operator(
                person=person, operator=operator(), reason=reason, runtime=get_runtime()
            )
        except (BadReasonError, NoFactorError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The second factor of {person.get_username()} is reset.")
