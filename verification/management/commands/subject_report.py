"""`subject_report`: write everything that is held about one person, on record."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from verification.management.output_file import OutputExistsError, replaced_when_complete
from verification.services.errors import ServiceError
from verification.services.runtime import get_runtime
from verification.services.subject_reports import take_subject_report


class Command(BaseCommand):
    """Reads the reference from standard input: arguments are seen in lists of processes."""

    help = "Write a ZIP of everything held about the subject that standard input names."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take who asks, whose records, and where to write."""
        parser.add_argument("--by", required=True, metavar="USERNAME", help="who takes the report")
        parser.add_argument("--client", type=UUID, metavar="ID", help="of this client only")
        parser.add_argument(
            "--output", required=True, type=Path, metavar="FILE",
            help="readable by its owner only, complete",
        )  # fmt: skip
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists")

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 0 when all is written, also if nothing is held; 1 with a sentence when not."""
        model = get_user_model()
        person = model.objects.filter(**{model.USERNAME_FIELD: options["by"]}).first()
        if person is None:
            raise CommandError(f"There is no account {options['by']!r}.")
        try:
            with replaced_when_complete(options["output"], force=options["force"]) as file:
                report = take_subject_report(
                    subject=sys.stdin.readline().rstrip("\r\n"),
                    client_id=options["client"],
                    by=person,
                    runtime=get_runtime(),
                )
                file.write(report.content)
        except ServiceError as error:
            raise CommandError(str(error)) from error
        except OutputExistsError as error:
            raise CommandError(f"{error}; --force replaces it") from error
        self.stdout.write(f"{report.id} reported")
