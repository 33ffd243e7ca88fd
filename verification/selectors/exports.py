"""Attempts as CSV: PostgreSQL writes the lines, we only pass them on, at any size.

RFC 4180 with LF line ends, UTF-8 without a byte order mark; see `docs/reference/csv.md`.
"""

from collections.abc import Generator, Iterator
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import F
from psycopg import Copy, Cursor

from verification.selectors.attempts import AttemptQuery, matching
from verification.selectors.export_columns import COLUMNS

BLOCK_BYTES = 262_144

HEADER = (",".join(column.name for column in COLUMNS) + "\n").encode()
_QUOTED = ", ".join(column.name for column in COLUMNS if column.is_outside_text)
_SELECTED = ", ".join(f"{column.expression} AS {column.name}" for column in COLUMNS)


def attempts_csv(query: AttemptQuery, *, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Return the attempts of a query as CSV, oldest first, in blocks of about `block_bytes`.

    The statement is running when this returns, so that a database that cannot answer fails here
    and not in mid-stream. It holds this thread's connection, in a read-only transaction, until
    the iterator ends or is closed; nothing else may use that connection meanwhile. All lines
    come from one snapshot. Memory does not grow with the number of attempts. Repeating is safe.
    """
    blocks = _blocks(_statement(query), block_bytes)
    next(blocks)  # as far as the running statement; from here on close() gives everything back
    return blocks


def _statement(query: AttemptQuery) -> bytes | None:
    """Return the COPY with every filter value as a literal; None if nothing can match."""
    attempts = matching(query).order_by().annotate(client_name=F("client__name"))
    try:
        select, values = attempts.query.sql_with_params()
    except EmptyResultSet:
        return None
    connection.ensure_connection()
    literal: str = connection.ops.compose_sql(select, values)
    return f"""
        COPY (SELECT {_SELECTED} FROM ({literal}) AS a ORDER BY a.created_at, a.id)
        TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8', FORCE_QUOTE ({_QUOTED}))
    """.encode()


def _blocks(statement: bytes | None, block_bytes: int) -> Generator[bytes, None, None]:
    if statement is None:
        yield b""
        yield HEADER
        return
    with transaction.atomic(), connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.execute("SET TRANSACTION READ ONLY; SET LOCAL datestyle = 'ISO'")
        with cursor.cursor.copy(statement) as copy:
            yield b""
            while block := _read_block(copy, block_bytes):
                yield block


def _read_block(copy: Copy, block_bytes: int) -> bytes:
    """Return whole lines of `block_bytes` or a little more; fewer at the end, then none."""
    lines = []
    size = 0
    while size < block_bytes and (line := copy.read()):
        lines.append(line)
        size += len(line)
    return b"".join(lines)
