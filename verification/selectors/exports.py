"""Attempts as a file: PostgreSQL writes the lines, we only pass them on, at any size.

CSV is RFC 4180 with LF line ends in UTF-8; see `docs/reference/csv.md`.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import F
from psycopg import ClientCursor, Connection, Cursor
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many
from psycopg.pq import ExecStatus
from psycopg.sql import SQL, Composed, Identifier, Literal
from psycopg.waiting import Wait

from verification.models import LedgerCheckpoint
from verification.selectors.as_of import CLOCKS, folded_rows, later_entries
from verification.selectors.attempts import AttemptQuery, matching
from verification.selectors.export_form import PLAIN_CSV, Blocks, FileForm, Layout, gzipped
from verification.selectors.pace import Pace, new_pace
from verification.selectors.record import AttemptFilter, whole_attempts

BLOCK_BYTES = 65_536
"""Small, so that what is read slowly is read evenly."""

# One process writes, and no other helps it: they would take the cores of submissions.
READING = (
    "SET TRANSACTION READ ONLY; SET LOCAL datestyle = 'ISO';"
    " SET LOCAL max_parallel_workers_per_gather = 0"
)
# What is staged is read first, in the same snapshot; the hash of what changed must fit into memory.
AS_OF_READING = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL datestyle = 'ISO';"
    " SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL hash_mem_multiplier = 64"
)
# Lines come from the index in their order: a sort of millions would hold back the first.
IN_ORDER = "; SET LOCAL enable_sort = off"
FEW = ("biz_no", "request_id", "subject", "identifier")
"""Filters by which so few are found, by indexes of their own, that they are sorted at once."""
ROWS = SQL("""
    SELECT {cells}
    FROM ({found}) AS a LEFT JOIN verification_evidence_key AS k ON k.attempt_id = a.id
        LEFT JOIN verification_review AS r ON r.attempt_id = a.id
    {where} ORDER BY a.created_at, a.id
""")
PLACE = SQL("a.created_at AS in_order, a.id AS in_order_too")
UNCHANGED = SQL("WHERE a.created_at < {before} AND a.id NOT IN (SELECT id FROM changed)")
# The two halves come in order, and are merged: no sort of all.
AS_OF = SQL("""
    WITH {later}
    SELECT {names} FROM (
        ({unchanged}) UNION ALL (WITH {folded} {changed})
    ) AS whole ORDER BY in_order, in_order_too
""")
COPY_CSV = SQL("COPY ({rows}) TO STDOUT (FORMAT csv, HEADER {start}, ENCODING 'UTF8'{quoted})")
# JSON holds neither of these characters but as an escape: its lines pass as they are.
COPY_LINES = SQL("""
    COPY ({lines}) TO STDOUT (FORMAT csv, ENCODING 'UTF8', QUOTE E'\\x01', DELIMITER E'\\x02')
""")
JSON_LINES = SQL("SELECT row_to_json(line)::text FROM ({rows}) AS line")


def attempts_file(
    query: AttemptQuery | AttemptFilter,
    *,
    form: FileForm = PLAIN_CSV,
    as_of: LedgerCheckpoint | None = None,
    block_bytes: int = BLOCK_BYTES,
    pace: Pace | None = None,
) -> Blocks:
    """Return the attempts of a query, oldest first, in blocks of about `block_bytes`.

    With `as_of`, one of `as_of.repeatable_checkpoint`, filters and cells tell what held when the
    log had its size: the same query gives the same bytes whenever it is asked again.

    The statement is running when this returns, so that a database that cannot answer fails here
    (OperationalError) and not in mid-stream. This thread's connection is taken, in a read-only
    transaction, until the iterator ends or is closed: nothing else may use it meanwhile. All
    lines come from one snapshot. Memory does not grow with the attempts. Repeating is safe.
    `pace` is the site's if None is given.
    """
    lines = _lines(query, form, as_of, block_bytes, pace)
    blocks = gzipped(lines) if form.is_gzipped else lines
    next(lines)  # up to the running statement
    if form.is_gzipped:
        next(blocks)  # from here on close() ends it
    return blocks


def _lines(
    query: AttemptQuery | AttemptFilter,
    form: FileForm,
    as_of: LedgerCheckpoint | None,
    block_bytes: int,
    pace: Pace | None,
) -> Blocks:
    """Yield nothing as soon as the statement runs, then the file."""
    found = found_of(query)
    if found is None:
        yield b""
        yield form.opening + header(form)
        return 0
    reading = reading_of(query, AS_OF_READING if as_of else READING)
    with closing(
        copy_blocks(lambda: file_statement(found, form, as_of), block_bytes, reading, pace)
    ) as blocks:
        yield next(blocks)
        if form.opening:
            yield form.opening
        return (yield from blocks)


def reading_of(query: AttemptQuery | AttemptFilter, reading: str = AS_OF_READING) -> str:
    """Return what begins a transaction in which a query is read, as of a checkpoint or of now."""
    finds_few = any(getattr(query, name, None) is not None for name in FEW)
    return reading if finds_few else reading + IN_ORDER


def header(form: FileForm) -> bytes:
    """Return the first line of a file that has one."""
    if form.layout is Layout.JSONL or not form.has_start:
        return b""
    return ",".join(column.name for column in form.columns).encode() + b"\n"


def found_of(query: AttemptQuery | AttemptFilter) -> SQL | None:
    """Return the query's rows, each filter value a quoted literal; None if nothing can match.

    COPY takes no parameters, so Django's query is composed with psycopg's own client-side
    quoting for this connection.
    """
    found = matching(query) if isinstance(query, AttemptQuery) else whole_attempts(query)
    attempts = found.order_by().annotate(client_name=F("client__name"))
    try:
        select, values = attempts.query.sql_with_params()
    except EmptyResultSet:
        return None
    connection.ensure_connection()
    return SQL(ClientCursor(connection.connection).mogrify(select, values))


def file_statement(found: SQL, form: FileForm, as_of: LedgerCheckpoint | None) -> Composed:
    """Return the COPY that writes a file."""
    if form.layout is Layout.JSONL:
        rows = rows_of(found, [(each.name, each.json) for each in form.columns], as_of)
        return COPY_LINES.format(lines=JSON_LINES.format(rows=rows))
    rows = rows_of(found, [(each.name, each.expression) for each in form.columns], as_of)
    outside = [Identifier(each.name) for each in form.columns if each.is_outside_text]
    quoted = SQL(", FORCE_QUOTE ({})").format(SQL(", ").join(outside)) if outside else SQL("")
    return COPY_CSV.format(rows=rows, quoted=quoted, start=Literal(form.has_start))


def rows_of(
    found: SQL, cells: Sequence[tuple[str, str]], as_of: LedgerCheckpoint | None
) -> Composed:
    """Return the rows of a query in the order of a file, each with cells: a name and its SQL."""
    listed = [SQL("{} AS {}").format(SQL(text), Identifier(name)) for name, text in cells]
    if as_of is None:
        return ROWS.format(cells=SQL(", ").join(listed), found=found, where=SQL(""))
    placed = SQL(", ").join([*listed, PLACE])
    unchanged = UNCHANGED.format(before=Literal(as_of.made_at + CLOCKS))
    return AS_OF.format(
        later=later_entries(as_of),
        names=SQL(", ").join(Identifier(name) for name, _ in cells),
        unchanged=ROWS.format(cells=placed, found=found, where=unchanged),
        folded=folded_rows(as_of),
        changed=ROWS.format(cells=placed, found=found, where=SQL("")),
    )


def copy_blocks(
    statement: Callable[[], Composed],
    block_bytes: int,
    reading: str = READING,
    pace: Pace | None = None,
) -> Blocks:
    """Run a COPY TO STDOUT: yield nothing as soon as it runs, then its lines in blocks.

    `reading` begins its transaction, in which the statement is made. A consumer that goes away
    closes the generator, which cancels it.
    """
    with (
        connection.wrap_database_errors,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(reading)
        return (yield from run_copy(cursor.cursor, statement(), block_bytes, pace))


def run_copy(
    cursor: Cursor[Any],
    statement: Composed,
    block_bytes: int = BLOCK_BYTES,
    pace: Pace | None = None,
) -> Blocks:
    """Run a COPY in an open transaction: yield nothing as soon as it runs, then its lines."""
    pace = pace or new_pace()
    with cursor.copy(statement) as copy:
        yield b""
        rows = None
        while rows is None:
            block, rows = copy.connection.wait(_next_block(copy.connection, block_bytes))
            if block:
                yield bytes(block)
            if rows is None:
                pace.spend(len(block))
    return rows


def _next_block(session: Connection[Any], block_bytes: int) -> PQGen[tuple[bytearray, int | None]]:
    """Return whole lines of `block_bytes` or a little more; the number of rows after the last.

    `Copy.read` does the same for a single line, at twice the processor time: it waits, and keeps
    a buffer, for each.
    """
    block = bytearray()
    while len(block) < block_bytes:
        size, line = session.pgconn.get_copy_data(1)
        if size < 0:
            [result] = yield from fetch_many(session.pgconn)
            if result.status != ExecStatus.COMMAND_OK:
                raise error_from_result(result, encoding=session.info.encoding)
            return block, result.command_tuples or 0
        if size:
            block += line
        elif (yield Wait.R):
            session.pgconn.consume_input()
    return block, None
