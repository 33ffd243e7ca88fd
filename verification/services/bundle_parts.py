"""What a bundle holds beside its file: the log's entries, and what opens the rows' commitments.

All of it, the file included, comes from one snapshot. `docs/formats/bundle.md`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext_noop as _
from psycopg.sql import SQL, Composed, Literal

from verification.ledger.canonical import parse
from verification.models import ApiClient, LedgerCheckpoint, LedgerEntry
from verification.selectors.as_of import CLOCKS
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_form import Blocks, FileForm
from verification.selectors.exports import (
    COPY_LINES,
    file_statement,
    found_of,
    reading_of,
    rows_of,
    run_copy,
)
from verification.selectors.ledger import frontier_at
from verification.services.entries import GROUPS
from verification.services.errors import UnprovableExportError
from verification.services.record_streams import group_sql

OF_PERIOD = SQL("""
    SELECT e.index || ' ' || a.id || ' ' || convert_from(e.raw, 'UTF8')
    FROM verification_attempt AS a JOIN verification_ledger_entry AS e ON e.attempt_id = a.id
    WHERE {period} AND e.index < {size} ORDER BY a.created_at, a.id, e.index
""")
OTHERS = SQL("""
    SELECT e.index || ' - ' || convert_from(e.raw, 'UTF8')
    FROM verification_ledger_entry AS e
        LEFT JOIN verification_attempt AS a ON a.id = e.attempt_id AND {period}
    WHERE e.index >= {first} AND e.index < {size} AND a.id IS NULL ORDER BY e.index
""")
ERASED_LATER = SQL("""
    SELECT EXISTS (
        SELECT FROM verification_record_erasure AS r
        JOIN verification_attempt AS a ON a.id = r.attempt_id AND {period}
        WHERE NOT EXISTS (
            SELECT FROM verification_ledger_entry AS e
            WHERE e.attempt_id = r.attempt_id AND e.kind = 'record.erased' AND e.index < {size}))
""")
OPENED = ("biz_no", "subject", "request_id")
"""Columns that are committed to on their own."""
DECIDED = frozenset({"decision", "review_state", "reason_code", "decided_at"})
"""Columns that depend on what the policy said, too."""
DOUBT = f"""CASE WHEN a.state = 'answered' AND a.reconciled_at IS NOT NULL THEN (
    SELECT jsonb_build_array({", ".join(f"p.said->'{name}'" for name in GROUPS["judgement"])})::text
    FROM verification_past AS p
    WHERE p.attempt_id = a.id AND p.send_no = a.send_no AND p.said->>'verdict' IS NOT NULL
    ORDER BY p.id LIMIT 1) END"""  # noqa: S608 - our own columns
"""What the policy said while an attempt was in doubt, which may have opened its review."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the log a bundle tells: entries from `first` up to the checkpoint's size.

    `frontier` stands for what lies before. `first` is the heartbeat before an earlier checkpoint,
    by which it is seen that nothing before it is of the period; or it is 0.
    """

    checkpoint: LedgerCheckpoint
    first: int
    frontier: tuple[bytes, ...]
    since: datetime | None
    until: datetime | None

    def period(self) -> Composed:
        """Return the condition on attempts `a` that they were accepted in the period."""
        bounds = [SQL("true").format()]
        if self.since:
            bounds.append(SQL("a.created_at >= {}").format(Literal(self.since)))
        if self.until:
            bounds.append(SQL("a.created_at < {}").format(Literal(self.until)))
        return SQL(" AND ").join(bounds)


def scope_of(query: AttemptQuery, as_of: LedgerCheckpoint) -> Scope:
    """Return the part of the log that shows a query to be whole."""
    earlier = None
    if query.created_from:
        earlier = LedgerCheckpoint.objects.filter(
            made_at__lte=query.created_from - CLOCKS, size__lt=as_of.size
        ).first()
    first = earlier.size - 1 if earlier else 0
    frontier = frontier_at(first).hashes if first else ()
    return Scope(as_of, first, frontier, query.created_from, query.created_before)


def client_names(as_of: LedgerCheckpoint) -> Mapping[str, str]:
    """Return how each client was called, by its id."""
    names = {str(each.pk): each.name for each in ApiClient.objects.all()}
    changes = LedgerEntry.objects.filter(kind="client.changed", index__lt=as_of.size)
    for raw in changes.order_by("index").values_list("raw", flat=True):
        entry = parse(bytes(raw))
        names[str(entry["client"])] = str(entry["name"])
    return names


@contextmanager
def bundle_parts(
    query: AttemptQuery, form: FileForm, scope: Scope
) -> Iterator[Iterator[tuple[str, Blocks]]]:
    """Lend the parts of each member, in order; one is read to its end before the next is due.

    This thread's connection is taken meanwhile.
    """
    found = found_of(query)
    if found is None:
        raise UnprovableExportError(_("No attempt can be found by this."))
    period, size = scope.period(), Literal(scope.checkpoint.size)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(reading_of(query))
        cursor.execute(ERASED_LATER.format(period=period, size=size))
        if cursor.fetchone() == (True,):
            raise UnprovableExportError(
                _("Texts of records were erased after that moment: ask for a later one.")
            )
        openings = rows_of(found, [("opening", _opening(form))], scope.checkpoint)
        others = OTHERS.format(period=period, size=size, first=Literal(scope.first))
        statements = (
            ("attempts.csv", file_statement(found, form, scope.checkpoint)),
            ("entries.txt", _lines(OF_PERIOD.format(period=period, size=size))),
            ("entries.txt", _lines(others)),
            ("openings.txt", _lines(openings)),
        )
        yield ((name, run_copy(cursor.cursor, statement)) for name, statement in statements)


def _lines(rows: Composed) -> Composed:
    return COPY_LINES.format(lines=rows)


def _opening(form: FileForm) -> str:
    """Return the SQL of a row's opening: values only of columns that are in the file."""
    wanted = {column.name for column in form.columns}
    values = [f"'{name}', a.{name}" for name in OPENED if name in wanted]
    for group, names in GROUPS.items():
        if wanted & set(names) or (group == "judgement" and wanted & DECIDED):
            values.append(f"'{group}', {group_sql([f'a.{each}' for each in names])}")
    if wanted & DECIDED:
        values.append(f"'doubt', {DOUBT}")
    return f"""(CASE WHEN a.commitment_key IS NULL THEN json_build_object('id', a.id)
        ELSE json_strip_nulls(json_build_object('id', a.id,
            'key', encode(a.commitment_key, 'hex'),
            'values', json_build_object({", ".join(values)}))) END)::text"""
