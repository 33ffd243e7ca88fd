"""`billing_report --month 2026-11`: what the calls of a month cost, as CSV."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from verification.management.billing import month_argument, totals_told
from verification.management.commands.attempts_export import CLOSED_PIPE
from verification.management.output_file import OutputExistsError, replaced_when_complete
from verification.selectors.costs import MonthReport, month_report, report_csv


class Command(BaseCommand):
    """Writes a line for each client, region and result; totals of each currency are told apart."""

    help = "Write what the calls to FaceID of a month of UTC cost, as CSV (docs/reference/csv.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the month, and where to write."""
        parser.add_argument("--month", type=month_argument, required=True, metavar="YYYY-MM")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="readable by its owner only, complete"
        )
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists")

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 0 when all is written, 1 with a sentence when not, 141 when the reader left."""
        path: Path | None = options["output"]
        try:
            report = month_report(options["month"])
            if path is None:
                sys.stdout.buffer.writelines(report_csv(report))
                sys.stdout.buffer.flush()
            else:
                with replaced_when_complete(path, force=options["force"]) as file:
                    file.writelines(report_csv(report))
        except BrokenPipeError:
            # What is still buffered has no reader; without this the interpreter would try again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(CLOSED_PIPE) from None
        except OutputExistsError as error:
            raise CommandError(f"{error}; --force replaces it") from error
        except (DatabaseError, OSError) as error:
            raise CommandError(f"The report did not complete: {type(error).__name__}") from error
        self._tell(report)

    def _tell(self, report: MonthReport) -> None:
        for sentence in totals_told(report.totals):
            self.stderr.write(sentence, style_func=str)
