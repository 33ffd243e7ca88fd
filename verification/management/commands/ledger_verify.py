"""`ledger_verify`: read the whole log and every record, and say whether they hold."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from verification.ledger.anchors import read_anchors
from verification.ledger.errors import LedgerError
from verification.management.progress import Progress
from verification.models import VerificationAttempt
from verification.selectors.ledger import log_size
from verification.services.errors import LedgerRefusalError
from verification.services.log_audit import Sealed, read_anchor_notes
from verification.services.runtime import Runtime, get_runtime
from verification.services.verifying import (
    Outcome,
    own_anchors,
    record_verification,
    verify,
)

BROKEN, UNREADABLE = 1, 2


class Command(BaseCommand):
    """Exits 0 if everything holds, 1 if something is broken, 2 if it could not be verified."""

    help = "Verify the log and every record against it; 0 holds, 1 broken, 2 could not be verified."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Anchors come from outside of the database; without one a full rewrite is not seen."""
        parser.add_argument(
            "--anchor",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="signed checkpoints kept elsewhere; repeatable. The configured anchor file counts",
        )
        parser.add_argument(
            "--from",
            type=Path,
            dest="start",
            metavar="FILE",
            help="a signed checkpoint verified earlier: read the log from there on",
        )
        parser.add_argument(
            "--no-record", action="store_true", help="do not keep the result for the admin"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Verify and print."""
        runtime = get_runtime()
        started_at = runtime.now()
        try:
            outcome = self._verify(runtime, options)
        except (LedgerRefusalError, LedgerError, DatabaseError, OSError) as error:
            said = type(error).__name__ if isinstance(error, DatabaseError) else str(error)
            self.stderr.write(f"Could not be verified: {said}")
            raise SystemExit(UNREADABLE) from None
        if not options["no_record"]:
            self._record(outcome, started_at, runtime)
        self._print(outcome)
        if not outcome.holds:
            raise SystemExit(BROKEN)

    def _verify(self, runtime: Runtime, options: dict[str, Any]) -> Outcome:
        anchors = self._anchors(runtime, options["anchor"])
        start = options["start"].read_bytes() if options["start"] else None
        totals = {"log": log_size(), "attempts": _estimate()}
        progress = Progress(sys.stderr)
        try:
            return verify(
                runtime=runtime,
                anchors=anchors,
                start=start,
                report=lambda part, done: progress.show(part, done, totals[part]),
            )
        finally:
            progress.end()

    def _anchors(self, runtime: Runtime, files: list[Path]) -> list[Sealed]:
        anchors = own_anchors(conf=runtime.conf)
        for file in files:
            anchors += read_anchor_notes(read_anchors(file.read_bytes()), file.name)
        if not anchors:
            self.stderr.write(
                "No anchor: a log that its owner rewrote as a whole would look as good as this one."
            )
        return anchors

    def _record(self, outcome: Outcome, started_at: Any, runtime: Runtime) -> None:
        try:
            record_verification(outcome, started_at=started_at, runtime=runtime)
        except DatabaseError:
            self.stderr.write("The result could not be kept: this role may not write it.")

    def _print(self, outcome: Outcome) -> None:
        for warning in outcome.warnings:
            self.stderr.write(f"Note: {warning}")
        for fault in outcome.faults:
            self.stdout.write(f"BROKEN  {fault}")
        read = f"{outcome.log.size:,} entries, {outcome.attempts:,} attempts"
        if outcome.faults:
            self.stdout.write(f"Does not hold. Read {read}.")
            return
        self.stdout.write(f"Holds: {read}.")
        if outcome.log.sealed:
            checkpoint = outcome.log.sealed.checkpoint
            self.stdout.write(f"Sealed at size {checkpoint.size:,}, root {checkpoint.root.hex()}.")


def _estimate() -> int:
    """Return about how many attempts there are, from the planner's figures."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass",
            [VerificationAttempt._meta.db_table],  # noqa: SLF001 - documented in spite of its name
        )
        return int(cursor.fetchone()[0])
