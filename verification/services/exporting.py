"""Put exports on record: the entry is committed before the first byte, or nothing leaves.

An `export.created` entry tells who took which columns of which attempts, and which were masked. Of
filters that are about a person it tells their names only.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import connection, transaction

from verification.identifiers import uuid7
from verification.ledger.canonical import Json, canonical
from verification.models import ApiClient, LedgerCheckpoint
from verification.selectors.attempts import AttemptQuery
from verification.selectors.checkpoints import checkpoint_over
from verification.selectors.export_form import PLAIN_CSV, FileForm
from verification.selectors.ledger import last_checkpoint
from verification.selectors.record import AttemptFilter
from verification.services.entries import EXPORTED, utc_text
from verification.services.runtime import Runtime
from verification.services.staging import stage

Interface = Literal["api", "command", "admin"]
Sleep = Callable[[float], None]
Keep = Callable[[UUID, datetime], None]
"""Told the export's id and time."""


def no_more(_export: UUID, _at: datetime) -> None:
    """Keep nothing beside the entry."""


POLL_S = 0.05
POLLS = 40

TOLD = frozenset(
    {
        "client",
        "state",
        "outcome",
        "decision",
        "verdict",
        "review_state",
        "result_code",
        "is_attack",
        "error_code",
        "client_id",
        "region",
        "created_from",
        "created_before",
    }
)
"""Filters that are about no person: their values may stand in an entry."""


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """An export that is on record.

    `checkpoint` is the log's signed note without cosignatures: the first one over the export's
    entry if `is_sealed`, else the newest there is, None if there is none.
    """

    id: UUID
    at: datetime
    checkpoint: bytes | None
    is_sealed: bool


def record_export(
    *,
    by: str,
    interface: Interface,
    client_id: UUID | None,
    query: AttemptQuery | AttemptFilter,
    runtime: Runtime,
    form: FileForm = PLAIN_CSV,
    as_of: LedgerCheckpoint | None = None,
    sleep: Sleep = time.sleep,
    request: UUID | None = None,
    rows: int | None = None,
    keep: Keep = no_more,
    polls: int = POLLS,
) -> ExportRecord:
    """Commit the entry of an export that is about to begin, and wait for its checkpoint.

    Without `polls` nobody waits for it: a file is written later.

    `by` is who takes it, `client_id` the API client that does, None for people. `request` is what
    a second person agreed to, `rows` how many attempts were counted; `keep` stores what belongs to
    it in the same transaction. Waits up to two seconds for the sequencer, without holding a
    connection. Each call is another export.
    Must not run inside a transaction. Raises CanonicalError for a `by` that no entry can hold, and
    the database's errors: then nothing may be exported.
    """
    at = runtime.now()
    export = uuid7(at)
    entry = export_entry(
        at=at,
        by=by,
        client_id=client_id,
        form=form,
        as_of=as_of,
        export=export,
        interface=interface,
        query=query,
        request=request,
        rows=rows,
    )
    with transaction.atomic(durable=True):
        [staged_no] = stage([entry])
        keep(export, at)
    over = _await_checkpoint(staged_no, polls, runtime=runtime, sleep=sleep)
    shown = over or last_checkpoint()
    return ExportRecord(
        id=export,
        at=at,
        checkpoint=bytes(shown.note) if shown else None,
        is_sealed=over is not None,
    )


def export_entry(
    *,
    at: datetime,
    by: str,
    client_id: UUID | None,
    form: FileForm,
    as_of: LedgerCheckpoint | None,
    export: UUID,
    interface: Interface,
    query: AttemptQuery | AttemptFilter,
    request: UUID | None = None,
    rows: int | None = None,
) -> bytes:
    """Say that attempts were exported."""
    return canonical(
        {
            "as_of": as_of.size if as_of else None,
            "at": utc_text(at),
            "by": by,
            "client": str(client_id) if client_id else None,
            "columns": [column.name for column in form.columns],
            "export": str(export),
            "filters": told_filters(query),
            "interface": interface,
            "kind": EXPORTED,
            "layout": form.layout.value,
            "masked": list(form.masked),
            "request": str(request) if request else None,
            "rows": rows,
        }
    )


def told_filters(query: AttemptQuery | AttemptFilter) -> dict[str, Json]:
    """Return the filters that were set: what may be told of each, or null."""
    given = {each.name: getattr(query, each.name) for each in fields(query)}
    return {
        name: _told(value) if name in TOLD else None
        for name, value in given.items()
        if value is not None
    }


def _told(value: object) -> str:
    match value:
        case ApiClient():
            return str(value.pk)
        case datetime():
            return utc_text(value)
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _await_checkpoint(
    staged_no: int, polls: int, *, runtime: Runtime, sleep: Sleep
) -> LedgerCheckpoint | None:
    """Return the checkpoint over a staged entry; None if none came in time, or ever will."""
    if not runtime.conf.ledger_vkeys or not polls:
        return None
    for _ in range(polls):
        checkpoint = checkpoint_over(staged_no)
        if checkpoint is not None:
            return checkpoint
        connection.close()  # back to the pool: others need it meanwhile
        sleep(POLL_S)
    return checkpoint_over(staged_no)
