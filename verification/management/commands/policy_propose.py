"""`policy_propose FILE`: propose the review policy that a file holds."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from verification.services.errors import ServiceError
from verification.services.policies import propose_policy
from verification.services.policy_file import read_policy_file
from verification.services.runtime import get_runtime


class Command(BaseCommand):
    """Proposes a version, as the admin does, under the same rules and permissions."""

    help = "Propose the review policy in FILE; somebody else puts it in force, in the admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, the person and the note."""
        parser.add_argument("file", type=Path, metavar="FILE", help="canonical JSON")
        parser.add_argument("--by", required=True, metavar="USERNAME")
        parser.add_argument("--note", required=True, metavar="TEXT", help="why, and who agreed")

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 1 with a sentence if the file or our rules refuse it."""
        users = get_user_model().objects
        by = users.filter(**{get_user_model().USERNAME_FIELD: options["by"]}).first()
        if by is None:
            raise CommandError(f"There is no account {options['by']!r}.")
        try:
            document = read_policy_file(options["file"])
            row = propose_policy(
                document=document, note=options["note"], by=by, runtime=get_runtime()
            )
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        except ServiceError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"version {row.version} proposed")
