"""The counterpart: the least WSGI program that keeps a record of what it forwards.

It commits three times, as a submission does (accepted, sending, settled), from the same kind of
pool, forwards the bytes it got through a pooled connection and returns the answer. It has no
authentication, no parsing, no limits, no digests, no encryption. BARE_RECORD says what it
commits: `state`, one small row; or `rows`, what a submission commits, in the same tables, with
constants for everything that a submission would have to compute.
"""

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import urllib3
from psycopg_pool import ConnectionPool


@dataclass(frozen=True, slots=True)
class Record:
    """What is run once, and the statements of the three commits; the first returns an id."""

    prepare: str
    accept: str
    intend: str
    settle: str


STATE = Record(
    prepare="""
        CREATE TABLE IF NOT EXISTS bare_attempt (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state text NOT NULL)
    """,
    accept="INSERT INTO bare_attempt (state) VALUES ('accepted') RETURNING id",
    intend="UPDATE bare_attempt SET state = 'sending' WHERE id = %(id)s",
    settle="UPDATE bare_attempt SET state = 'answered' WHERE id = %(id)s",
)

ROWS = Record(
    prepare="""
        INSERT INTO verification_client (id, name, scopes, is_active, created_at)
        VALUES ('00000000-0000-7000-8000-000000000001', 'bare', '{}', true, now())
        ON CONFLICT DO NOTHING
    """,
    accept="""
        INSERT INTO verification_attempt (
            id, client_id, region, token_digest, packet_sha256, packet_size_bytes, commitment_key,
            state, send_no, created_at)
        VALUES (
            gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'sandbox', %(token)b,
            %(token)b, 100000, %(token)b, 'accepted', 0, now())
        RETURNING id
    """,
    intend="""
        UPDATE verification_attempt
        SET state = 'sending', send_no = 1, sent_at = now(), deadline_at = now() + interval '25 s'
        WHERE id = %(id)s
    """,
    settle="""
        WITH settled AS (
            UPDATE verification_attempt
            SET state = 'answered', settled_at = now(), http_status = 200, time_used_ms = 1402,
                request_id = '1700000000,00000000-0000-4000-8000-000000000000',
                result_code = 1000, result_message = 'SUCCESS', outcome = 'verified',
                billable = true, attack_score = 0.013, attack_threshold = 0.5, is_attack = false,
                ref1_confidence = 84.302, ref1_threshold_1e3 = 62.169,
                ref1_threshold_1e4 = 69.315, ref1_threshold_1e5 = 74.399,
                ref1_threshold_1e6 = 78.038, device_level = '1',
                device_tags = '{"is_root": 0, "is_hook": 0}'
            WHERE id = %(id)s
            RETURNING id
        ), wrapped AS (
            INSERT INTO verification_evidence_key (attempt_id, kek_id, sealed, created_at)
            SELECT id, 'bare', sha256('key'), now() FROM settled
        )
        INSERT INTO verification_evidence
            (id, attempt_id, kind, size_bytes, sha256, sealed, created_at)
        SELECT gen_random_uuid(), id, kind, length(%(image)b) - 29, sha256('image'), %(image)b,
               now()
        FROM settled, unnest(ARRAY['image_best', 'raw_answer', 'video_key']) AS kind
    """,
)

RECORDS: Mapping[str, Record] = MappingProxyType({"state": STATE, "rows": ROWS})
IMAGE = secrets.token_bytes(6_254 + 29)

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class BareProxy:
    """A WSGI application; make it after forking."""

    def __init__(self, database_url: str, upstream_url: str, record: Record) -> None:
        self._record = record
        self._url = f"{upstream_url}/faceid/v3/sdk/verify"
        self._http = urllib3.PoolManager(maxsize=64)
        self._pool = ConnectionPool(
            database_url, min_size=2, max_size=16, open=True, kwargs={"autocommit": True}
        )
        with self._pool.connection() as connection:
            connection.execute(record.prepare)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Record, forward, record, answer."""
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        attempt_id = self._record_sending()
        answer = self._http.request(
            "POST",
            self._url,
            body=body,
            headers={"Content-Type": environ["CONTENT_TYPE"]},
            timeout=25.0,
            retries=False,
        )
        with self._pool.connection() as connection:
            connection.execute(self._record.settle, {"id": attempt_id, "image": IMAGE})
        start_response(
            f"{answer.status} OK",
            [("Content-Type", "application/json"), ("Content-Length", str(len(answer.data)))],
        )
        return [answer.data]

    def _record_sending(self) -> object:
        token = secrets.token_bytes(32)
        with self._pool.connection() as connection:
            row = connection.execute(self._record.accept, {"token": token}).fetchone()
            attempt_id: object = row[0] if row else None
            connection.execute(self._record.intend, {"id": attempt_id})
        return attempt_id


def application() -> BareProxy:
    """Return the application, for gunicorn's `module:application()`."""
    record = RECORDS[os.environ["BARE_RECORD"]]
    return BareProxy(os.environ["DATABASE_URL"], os.environ["FACEID_SANDBOX_URL"], record)
