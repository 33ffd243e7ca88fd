"""A pooled connection knows without asking whether its server is still there."""

import time
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection
from psycopg_pool import ConnectionPool

from project.pooled_connection import PooledConnection

pytestmark = pytest.mark.django_db(transaction=True)

Pool = ConnectionPool[PooledConnection]


@pytest.fixture
def pool() -> Iterator[Pool]:
    """Return a pool of one connection, checked as Django has it checked."""
    given = connection.get_connection_params()
    with ConnectionPool(
        kwargs={**given, "autocommit": True},
        connection_class=PooledConnection,
        check=ConnectionPool.check_connection,
        min_size=1,
        max_size=1,
        open=True,
    ) as opened:
        yield opened


def statements(pid: int) -> tuple[str, object]:
    """Return the last statement of a server process, and when it ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT query, state_change FROM pg_stat_activity WHERE pid = %s", [pid])
        query, changed = cursor.fetchone()
    return str(query), changed


def test_borrowing_an_idle_connection_sends_nothing(pool: Pool) -> None:
    with pool.connection() as borrowed:
        pid = borrowed.info.backend_pid
        borrowed.execute("SELECT 'last words'")
    before = statements(pid)
    with pool.connection() as borrowed:
        assert borrowed.info.backend_pid == pid
    assert statements(pid) == before


def test_a_connection_that_the_server_ended_is_replaced(pool: Pool) -> None:
    with pool.connection() as borrowed:
        pid = borrowed.info.backend_pid
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pool.connection() as borrowed:
        assert borrowed.execute("SELECT 1").fetchone() == (1,)
        assert borrowed.info.backend_pid != pid


def test_a_closed_connection_fails_its_check(pool: Pool) -> None:
    with pool.connection() as borrowed:
        borrowed.close()
        with pytest.raises(psycopg.OperationalError):
            ConnectionPool.check_connection(borrowed)
    deadline = time.monotonic() + 5
    while pool.get_stats()["pool_available"] < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    with pool.connection() as borrowed:
        assert borrowed.execute("SELECT 1").fetchone() == (1,)


def test_the_site_borrows_such_connections() -> None:
    connection.ensure_connection()
    assert isinstance(connection.connection, PooledConnection)
