"""How the CSV flows: blocks, memory, and what is given back when the reader leaves."""

import tracemalloc

import psycopg
import pytest
from django.db import DataError, InternalError, OperationalError, connection, transaction
from psycopg.sql import SQL

from bench.rows import insert_attempts
from tests.integration.exports.conftest import RecordAttempt, export, rows
from verification.models import VerificationAttempt
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_form import PLAIN_CSV
from verification.selectors.exports import (
    READING,
    attempts_file,
    copy_blocks,
    found_of,
    reading_of,
    rows_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

ONE_MORE = """
    INSERT INTO verification_attempt (id, client_id, region, token_digest, packet_sha256,
        packet_size_bytes, commitment_key, state, send_no, created_at, biz_no)
    SELECT gen_random_uuid(), client_id, region, packet_sha256, packet_sha256, packet_size_bytes,
        commitment_key, 'accepted', 0, created_at, 'one-more'
    FROM verification_attempt LIMIT 1
"""
BLOCK = 16_384
MANY = 5_000


@pytest.fixture
def many_attempts(transactional_db: None) -> None:
    """Fill the table with some megabytes of CSV."""
    insert_attempts(MANY)


@pytest.fixture
def other_session() -> psycopg.Connection:
    """Return a connection of its own to the same database."""
    parameters = connection.get_connection_params()
    return psycopg.connect(
        **{
            name: parameters[name]
            for name in ("host", "port", "user", "password", "dbname")
            if name in parameters
        },
        autocommit=True,
    )


def test_lines_travel_in_large_blocks(many_attempts: None) -> None:
    blocks = list(attempts_file(AttemptQuery(), block_bytes=BLOCK))
    assert all(BLOCK <= len(block) < 2 * BLOCK for block in blocks[:-1])
    assert all(block.endswith(b"\n") for block in blocks)
    assert len(rows(b"".join(blocks).decode())) == MANY


def test_memory_does_not_grow_with_the_attempts(many_attempts: None) -> None:
    tracemalloc.start()
    try:
        size_bytes = sum(len(block) for block in attempts_file(AttemptQuery()))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size_bytes > 4_000_000
    assert peak_bytes < 1_500_000


def test_a_reader_who_leaves_ends_the_statement(many_attempts: None) -> None:
    blocks = attempts_file(AttemptQuery(), block_bytes=BLOCK)
    next(blocks)
    blocks.close()
    assert not connection.in_atomic_block
    assert VerificationAttempt.objects.count() == MANY


def test_a_reader_who_never_starts_leaves_nothing_open(many_attempts: None) -> None:
    attempts_file(AttemptQuery()).close()
    assert not connection.in_atomic_block
    assert VerificationAttempt.objects.count() == MANY


def test_all_lines_come_from_one_snapshot(
    many_attempts: None, other_session: psycopg.Connection
) -> None:
    blocks = attempts_file(AttemptQuery(), block_bytes=BLOCK)
    with other_session:
        other_session.execute(ONE_MORE)
    assert b"one-more" not in b"".join(blocks)
    assert b"one-more" in b"".join(attempts_file(AttemptQuery()))


def plan_of(query: AttemptQuery, reading: str) -> str:
    """Return how PostgreSQL would read an export of many millions."""
    found = found_of(query)
    assert found is not None
    cells = [(each.name, each.expression) for each in PLAIN_CSV.columns]
    rows = SQL("EXPLAIN {}").format(rows_of(found, cells, None))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(reading)
        # A table that is too small to be worth a sort, or help, gets them all the same.
        cursor.execute(
            "SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL parallel_setup_cost = 0"
        )
        cursor.execute("SET LOCAL parallel_tuple_cost = 0; SET LOCAL random_page_cost = 1000")
        cursor.cursor.execute(rows)
        return "\n".join(line for (line,) in cursor.fetchall())


def test_lines_come_from_the_index_and_from_one_process(many_attempts: None) -> None:
    free = plan_of(AttemptQuery(), "SET TRANSACTION READ ONLY")
    assert "Sort" in free, "else this test could not fail"
    plan = plan_of(AttemptQuery(), reading_of(AttemptQuery(), READING))
    assert "attempt_created" in plan
    assert "Sort" not in plan
    assert "Gather" not in plan


def test_an_export_can_change_nothing(record_attempt: RecordAttempt) -> None:
    statement = SQL("COPY (DELETE FROM {} RETURNING 1) TO STDOUT").format(
        SQL("verification_attempt")
    )
    with pytest.raises(InternalError, match="read-only"):
        list(copy_blocks(lambda: statement, BLOCK))
    record_attempt()
    assert len(rows(export())) == 1


def test_an_error_among_the_lines_is_raised_there(record_attempt: RecordAttempt) -> None:
    statement = SQL("COPY (SELECT 1 / (9000 - n) FROM generate_series(1, 9999) AS n) TO STDOUT")
    blocks = copy_blocks(statement.format, 1000)
    with pytest.raises(DataError, match="division by zero"):
        list(blocks)
    record_attempt()
    assert len(rows(export())) == 1


def test_a_database_that_cannot_answer_fails_before_the_first_block(
    record_attempt: RecordAttempt, other_session: psycopg.Connection
) -> None:
    record_attempt()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    with other_session:
        other_session.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(OperationalError):
        attempts_file(AttemptQuery())
    connection.close()
