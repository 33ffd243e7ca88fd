"""The counterpart: the least WSGI program that keeps a record of what it forwards.

It commits three times, as a submission does (accepted, sending, settled), from the same kind of
pool, forwards the bytes it got through a pooled connection and returns the answer. It has no
authentication, no parsing, no limits, no digests, no encryption, no evidence.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

import urllib3
from psycopg_pool import ConnectionPool

TABLE = """
    CREATE TABLE IF NOT EXISTS bare_attempt (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state text NOT NULL)
"""
INSERT = "INSERT INTO bare_attempt (state) VALUES ('accepted') RETURNING id"
UPDATE = "UPDATE bare_attempt SET state = %s WHERE id = %s"

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class BareProxy:
    """A WSGI application; make it after forking."""

    def __init__(self, database_url: str, upstream_url: str) -> None:
        self._url = f"{upstream_url}/faceid/v3/sdk/verify"
        self._http = urllib3.PoolManager(maxsize=64)
        self._pool = ConnectionPool(
            database_url, min_size=2, max_size=16, open=True, kwargs={"autocommit": True}
        )
        with self._pool.connection() as connection:
            connection.execute(TABLE)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Record, forward, record, answer."""
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        with self._pool.connection() as connection:
            row = connection.execute(INSERT).fetchone()
            attempt_id = row[0] if row else None
            connection.execute(UPDATE, ["sending", attempt_id])
        answer = self._http.request(
            "POST",
            self._url,
            body=body,
            headers={"Content-Type": environ["CONTENT_TYPE"]},
            timeout=25.0,
            retries=False,
        )
        with self._pool.connection() as connection:
            connection.execute(UPDATE, ["answered", attempt_id])
        start_response(
            f"{answer.status} OK",
            [("Content-Type", "application/json"), ("Content-Length", str(len(answer.data)))],
        )
        return [answer.data]


def application() -> BareProxy:
    """Return the application, for gunicorn's `module:application()`."""
    return BareProxy(os.environ["DATABASE_URL"], os.environ["FACEID_SANDBOX_URL"])
