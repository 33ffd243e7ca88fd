"""`access_report`: who has seen or erased evidence of a subject, as CSV."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from verification.management.output_file import OutputExistsError, replaced_when_complete
from verification.selectors.access import access_csv, access_events


class Command(BaseCommand):
    """Tells each reveal and erasure, also those asked for and refused, with the log's entry."""

    help = "Write who has seen or erased evidence of a subject or an attempt, as CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take whose evidence, and where to write."""
        parser.add_argument("--subject", metavar="REF", help="exactly this subject")
        parser.add_argument("--attempt", type=UUID, metavar="ID", help="this attempt only")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="readable by its owner only, complete"
        )
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists")

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 0 when all is written, also if it is nothing; 1 with a sentence when not."""
        subject, attempt_id = options["subject"], options["attempt"]
        if subject is None and attempt_id is None:
            raise CommandError("Give --subject or --attempt.")
        content = access_csv(access_events(subject=subject, attempt_id=attempt_id))
        path: Path | None = options["output"]
        if path is None:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return
        try:
            with replaced_when_complete(path, force=options["force"]) as file:
                file.write(content)
        except OutputExistsError as error:
            raise CommandError(f"{error}; --force replaces it") from error
