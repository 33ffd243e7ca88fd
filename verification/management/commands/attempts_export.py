"""`attempts_export`: write attempts as CSV, on record, to a file or to standard output."""

import os
import sys
import time
from argparse import ArgumentParser
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from verification.ledger.errors import LedgerError
from verification.ledger.note import parse_note
from verification.management.export_options import (
    add_approved,
    add_filters,
    add_form,
    approved_request,
    checkpoint_named,
    client_named,
    os_user,
    read_as_of,
)
from verification.management.output_file import OutputExistsError, replaced_when_complete
from verification.models import LedgerCheckpoint
from verification.models.review import ReviewState
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Verdict
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_columns import masked
from verification.selectors.export_form import FileForm, Layout
from verification.selectors.export_parquet import has_parquet, write_parquet
from verification.selectors.exports import attempts_file
from verification.selectors.record import AttemptFilter
from verification.services.export_shape import read_shape
from verification.services.exporting import ExportRecord, record_export
from verification.services.runtime import get_runtime
from verification.services.staff_exports import read_filter

PROGRESS_EVERY_S = 2.0
CLOSED_PIPE = 141
"""The exit code of a process that wrote to a reader who had left, as shells show it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be written, and for whom."""

    query: AttemptQuery | AttemptFilter
    by: str
    form: FileForm
    as_of: LedgerCheckpoint | None
    request: UUID | None

    def record(self) -> ExportRecord:
        """Put it on record."""
        return record_export(
            by=self.by,
            interface="command",
            client_id=None,
            query=self.query,
            form=self.form,
            as_of=self.as_of,
            request=self.request,
            runtime=get_runtime(),
        )


class Command(BaseCommand):
    """Writes one snapshot of the attempts, oldest first; memory does not grow with them.

    The export is on record before its first line: the log has an entry of who took what. Columns
    that name or describe a person are masked, unless a second person has agreed.
    """

    help = "Write attempts as CSV (docs/reference/csv.md). Without filters: all of every client."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the API's filters, and where to write."""
        add_filters(parser)
        add_form(parser)
        add_approved(parser)
        parser.add_argument("--outcome", type=Outcome, choices=list(Outcome))
        parser.add_argument("--decision", type=Decision, choices=list(Decision))
        parser.add_argument("--verdict", type=Verdict, choices=list(Verdict))
        parser.add_argument("--review-state", type=ReviewState, choices=list(ReviewState))
        parser.add_argument("--result-code", type=int, metavar="CODE")
        parser.add_argument("--biz-no", metavar="TEXT", help="exactly this business number")
        parser.add_argument("--request-id", metavar="TEXT")
        parser.add_argument("--subject", metavar="TEXT")
        parser.add_argument(
            "--as-of",
            type=read_as_of,
            metavar="SIZE",
            help="what held when the log had this size, that of a checkpoint; or `latest`",
        )
        parser.add_argument("--layout", type=Layout, choices=list(Layout), default=Layout.CSV)
        parser.add_argument("--gzip", action="store_true", help="compress the file")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="readable by its owner only, complete"
        )
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists")

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 0 when all is written, 1 with a sentence when not, 141 when the reader left."""
        asked = _asked(options)
        if asked.form.layout is Layout.PARQUET and not options["output"]:
            raise CommandError("Parquet is written to a file: name one with --output.")
        path: Path | None = options["output"]
        try:
            if path is None:
                self._report(asked, asked.record())
                self._write(asked, sys.stdout.buffer)
            else:
                self._write_files(asked, path, force=options["force"])
        except BrokenPipeError:
            # What is still buffered has no reader; without this the interpreter would try again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(CLOSED_PIPE) from None
        except OutputExistsError as error:
            raise CommandError(f"{error}; --force replaces it") from error
        except (DatabaseError, LedgerError, OSError) as error:
            raise CommandError(f"The export did not complete: {type(error).__name__}") from error

    def _write_files(self, asked: Asked, path: Path, *, force: bool) -> None:
        """Write the lines, and beside them the checkpoint, which gets its name first."""
        beside = path.with_name(f"{path.name}.checkpoint")
        with replaced_when_complete(path, force=force) as file:
            record = asked.record()
            if record.checkpoint is None:
                self._write(asked, file)
            else:
                with replaced_when_complete(beside, force=force) as note:
                    note.write(record.checkpoint)
                    self._write(asked, file)
        self._report(asked, record, beside)

    def _report(self, asked: Asked, record: ExportRecord, beside: Path | None = None) -> None:
        """Say as of what it is, and where the checkpoint is, or what it says."""
        if asked.as_of is not None:
            self._say(f"as of size {asked.as_of.size} of the log")
        if record.checkpoint is None:
            self._say(f"export {record.id}: the log has no checkpoint yet")
            return
        _, size, root = parse_note(record.checkpoint).text.splitlines()[:3]
        where = f", in {beside}" if beside else ""
        self._say(f"export {record.id}: checkpoint of size {size}, root {root}{where}")
        if not record.is_sealed:
            self._say("The log is not sealed over this export yet: that checkpoint is older.")

    def _say(self, sentence: str) -> None:
        self.stderr.write(sentence, style_func=str)

    def _write(self, asked: Asked, file: BinaryIO) -> None:
        if asked.form.layout is Layout.PARQUET:
            self._write_parquet(asked, file)
            return
        lines = size_bytes = 0
        reported_at = time.monotonic()
        stream = attempts_file(asked.query, form=asked.form, as_of=asked.as_of)
        with closing(stream) as blocks:
            for block in blocks:
                file.write(block)
                lines += block.count(b"\n")
                size_bytes += len(block)
                if time.monotonic() - reported_at >= PROGRESS_EVERY_S:
                    self._say(_progress(asked, lines, size_bytes))
                    reported_at = time.monotonic()
        file.flush()
        self._say(_progress(asked, lines, size_bytes))

    def _write_parquet(self, asked: Asked, file: BinaryIO) -> None:
        if not has_parquet():
            raise CommandError("Parquet needs the extra `exports`.")
        rows = write_parquet(file, asked.query, form=asked.form, as_of=asked.as_of)
        self._say(f"{rows:,} rows, {file.tell():,} bytes")


def _asked(options: dict[str, Any]) -> Asked:
    """Return what is asked for here, or was asked for in the request."""
    by, as_of = options["by"] or os_user(), checkpoint_named(options["as_of"])
    if options["approved"] is None:
        form = FileForm(masked(options["columns"]), options["layout"], options["gzip"])
        return Asked(_query(options), by, form, as_of, None)
    row = approved_request(options["approved"], now=get_runtime().now())
    shape = read_shape(row.form)
    if shape.is_bundle:
        raise CommandError("A file with proof was approved: attempts_bundle makes it.")
    return Asked(read_filter(row.filters), by, shape.form, as_of, row.pk)


def _progress(asked: Asked, lines: int, size_bytes: int) -> str:
    """Return how far it is; of a compressed file nobody sees the lines."""
    written = f"{size_bytes:,} bytes"
    return written if asked.form.is_gzipped else f"{lines:,} lines, {written}"


def _query(options: dict[str, Any]) -> AttemptQuery:
    return AttemptQuery(
        client=client_named(options["client"]),
        state=options["state"],
        outcome=options["outcome"],
        decision=options["decision"],
        verdict=options["verdict"],
        review_state=options["review_state"],
        result_code=options["result_code"],
        biz_no=options["biz_no"],
        request_id=options["request_id"],
        subject=options["subject"],
        created_from=options["created_from"],
        created_before=options["created_before"],
    )
