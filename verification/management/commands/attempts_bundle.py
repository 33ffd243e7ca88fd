"""`attempts_bundle`: write an export that shows by itself that nothing was left out or changed."""

import time
from argparse import ArgumentParser
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from verification.ledger.errors import LedgerError
from verification.management.export_options import (
    LATEST,
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
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_form import FileForm, Layout
from verification.services.bundling import check_provable, provable_query, write_bundle
from verification.services.errors import ServiceError
from verification.services.export_entries import completed_entry
from verification.services.export_shape import read_shape
from verification.services.exporting import record_export
from verification.services.runtime import get_runtime
from verification.services.staff_exports import read_filter
from verification.services.staging import stage

VERIFIERS = ("verify_export.py", "verify_rows.py", "verify_proof.py")
PROGRESS_EVERY_S = 2.0


class Command(BaseCommand):
    """Writes the file, the log's entries and what opens them, as of one checkpoint."""

    help = "Write a bundle (docs/formats/bundle.md), to be checked offline with verify_export.py."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the filters by which it can be shown that nothing was left out."""
        add_filters(parser)
        add_form(parser)
        add_approved(parser)
        parser.add_argument(
            "--as-of", type=read_as_of, default=LATEST, metavar="SIZE", help="`latest` by default"
        )
        parser.add_argument("--excel", action="store_true", help="the file is opened in Excel")
        parser.add_argument("--output", type=Path, metavar="FILE", required=True)
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
        parser.add_argument(
            "--verifier", type=Path, metavar="FOLDER", help="also write the program that checks it"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 0 when all is written, 1 with a sentence when not: then no file is named."""
        layout = Layout.EXCEL if options["excel"] else Layout.CSV
        request = options["approved"]
        checkpoint = checkpoint_named(options["as_of"])
        assert checkpoint is not None  # noqa: S101 - narrows the type: the option has a default
        try:
            query, form = _approved(request, layout) if request else _asked(options, layout)
            self._write(query, form, checkpoint, options)
        except ServiceError as error:
            raise CommandError(str(error)) from error
        except OutputExistsError as error:
            raise CommandError(f"{error}; --force replaces it") from error
        except (DatabaseError, LedgerError, OSError) as error:
            raise CommandError(f"The bundle did not complete: {type(error).__name__}") from error
        if options["verifier"]:
            _write_verifier(options["verifier"])

    def _write(
        self,
        query: AttemptQuery,
        form: FileForm,
        checkpoint: LedgerCheckpoint,
        options: dict[str, Any],
    ) -> None:
        check_provable(query, form)
        runtime = get_runtime()
        with replaced_when_complete(options["output"], force=options["force"]) as file:
            record = record_export(
                by=options["by"] or os_user(),
                interface="command",
                client_id=None,
                query=query,
                form=form,
                as_of=checkpoint,
                request=options["approved"],
                runtime=runtime,
            )
            written = write_bundle(
                file,
                export=record.id,
                query=query,
                form=form,
                as_of=checkpoint,
                report=_Progress(self),
            )
            completed = completed_entry(export=record.id, **asdict(written), at=runtime.now())
            stage([completed])
        self.say(f"export {record.id} as of size {checkpoint.size} of the log")
        self.say(f"{written.rows:,} rows, SHA-256 {written.sha256}")

    def say(self, sentence: str) -> None:
        """Report to standard error."""
        self.stderr.write(sentence, style_func=str)


def _asked(options: dict[str, Any], layout: Layout) -> tuple[AttemptQuery, FileForm]:
    """Return what is asked for here, without personal columns: a mask could not be proven."""
    query = AttemptQuery(
        client=client_named(options["client"]),
        state=options["state"],
        created_from=options["created_from"],
        created_before=options["created_before"],
    )
    return query, FileForm(tuple(e for e in options["columns"] if not e.is_personal), layout)


def _approved(request: UUID, layout: Layout) -> tuple[AttemptQuery, FileForm]:
    """Return what was asked for in the request."""
    row = approved_request(request, now=get_runtime().now())
    form = replace(read_shape(row.form).form, layout=layout)
    return provable_query(read_filter(row.filters)), form


class _Progress:
    """Says now and then how much was read."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._reported_at = time.monotonic()

    def __call__(self, size_bytes: int) -> None:
        if time.monotonic() - self._reported_at >= PROGRESS_EVERY_S:
            self._command.say(f"{size_bytes:,} bytes read")
            self._reported_at = time.monotonic()


def _write_verifier(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in VERIFIERS:
        source = resources.files("verification.ledger").joinpath(name)
        (folder / name).write_bytes(source.read_bytes())
