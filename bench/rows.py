"""Plausible attempts by the million, made inside PostgreSQL; none is of a real person.

`python -m bench.child rows COUNT [EVERY]` inserts them, judged, with reviews of which the newest
OPEN wait, and with evidence for each EVERY-th. The evidence is not sealed, but its keys are
wrapped under the keyring of the settings, as the verification of records wants them.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from bench.kinds import KINDS, OPENED_AT, THRESHOLDS, Kind, kinds
from verification.conf import get_conf
from verification.models.guards import GUARDED
from verification.services.sealing import key_place
from verification.vault.envelope import new_key, wrap

CLIENT_ID = "00000000-0000-7000-8000-000000000001"
OPEN = 50_000
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
EVERY_S = 0.731219
FILLED = ("verification_attempt", "verification_review", "verification_review_step")

# Nine of ten attempts are of the first client and one in 250 is of the third.
CLIENTS = """
    INSERT INTO verification_client (id, name, scopes, is_active, created_at)
    SELECT overlay(%(client)s PLACING n::text FROM 36)::uuid,
           CASE WHEN n = 1 THEN 'bench' ELSE 'bench ' || n END, '{attempts:read}', true, now()
    FROM generate_series(1, 3) AS n
"""
PEOPLE = """
    INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name,
        last_name, email, date_joined)
    SELECT name, '!', true, true, true, '', '', '', now()
    FROM unnest(ARRAY['bench-first', 'bench-second']) AS name
"""
KIND_TABLE = """
    CREATE TEMPORARY TABLE bench_kind (number int PRIMARY KEY, state text, outcome text, code int,
        message text, is_attack boolean, confidence numeric, tags jsonb, verdict text,
        reasons varchar[], needs_second boolean, priority int, minutes int)
"""
KIND = "INSERT INTO bench_kind VALUES (" + ", ".join(["%s"] * 13) + ")"

# One in fifty carries a cell that a spreadsheet would run; figures have the vendor's number of
# digits. Kinds are spread evenly: 617 and their number have no common divisor.
ATTEMPTS = """
    INSERT INTO verification_attempt (
        id, client_id, region, token_digest, packet_sha256, packet_size_bytes,
        commitment_key, state, send_no,
        created_at, sent_at, deadline_at, settled_at, biz_no, subject, request_id, http_status,
        time_used_ms, error_code, result_code, result_message, outcome, billable, attack_score,
        attack_threshold, is_attack, ref1_confidence, ref1_threshold_1e3, ref1_threshold_1e4,
        ref1_threshold_1e5, ref1_threshold_1e6, device_level, device_tags, verify_tags,
        policy_version, verdict, reasons, subject_failures, biz_no_failures)
    SELECT
        (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
            || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
        overlay(%(client)s PLACING CASE WHEN n %% 250 = 7 THEN '3' WHEN n %% 10 = 3 THEN '2'
            ELSE '1' END FROM 36)::uuid,
        'sgp',
        sha256(('token' || n)::bytea), sha256(('packet' || n)::bytea), 100000 + n %% 9000000,
        sha256(('commitment' || n)::bytea), kind.state, 1, at, at, at + interval '25 s',
        at + interval '1.4 s',
        CASE WHEN n %% 50 = 0 THEN '=HYPERLINK("x")' ELSE 'ONB-' END || n,
        'customer-' || md5((n / 3)::text),
        CASE WHEN kind.state <> 'in_doubt'
            THEN (1700000000 + n / 1000) || ',' || md5('request' || n) END,
        CASE kind.state WHEN 'answered' THEN 200 WHEN 'rejected' THEN 400 END,
        900 + n %% 700,
        CASE kind.state WHEN 'rejected' THEN 'BAD_ARGUMENTS' WHEN 'in_doubt' THEN 'read_timeout'
            END,
        kind.code, kind.message, kind.outcome, kind.code < 3000,
        CASE WHEN kind.code IS NOT NULL THEN (n %% 1000) * 0.001 END,
        CASE WHEN kind.code IS NOT NULL THEN 0.5 END,
        kind.is_attack, kind.confidence + (n %% 1000) * 0.001,
        CASE WHEN kind.confidence IS NOT NULL THEN %(t3)s END,
        CASE WHEN kind.confidence IS NOT NULL THEN %(t4)s END,
        CASE WHEN kind.confidence IS NOT NULL THEN %(t5)s END,
        CASE WHEN kind.confidence IS NOT NULL THEN %(t6)s END,
        CASE WHEN kind.code IS NOT NULL THEN (n %% 4)::text END, kind.tags,
        CASE WHEN kind.code IS NOT NULL AND n %% 4 = 0
            THEN '{"screen_recapture": 0, "mask": 0}'::jsonb END,
        1, kind.verdict, kind.reasons, 0, 0
    FROM generate_series(1, %(rows)s::bigint) AS n
        JOIN bench_kind AS kind ON kind.number = n * 617 %% %(kinds)s,
        LATERAL (SELECT %(first)s::timestamptz + n * %(every_s)s * interval '1 s') AS t(at)
"""

# The newest wait, a tenth of them for a second person and another tenth overdue; the others are
# decided. Times are those of a desk that is looked at now.
REVIEWS = """
    INSERT INTO verification_review (attempt_id, client_id, reasons, needs_second, state, round,
        priority, opened_at, due_at, decision, reason_code, proposed_by_id, proposed_at,
        decided_by_id, decided_at, glass_broken)
    SELECT id, client_id, r.reasons, needs_second, state, 1, priority, opened_at,
        CASE WHEN state = 'decided' THEN opened_at + minutes * interval '1 min'
            ELSE now() + (place %% 1000 - 100) * interval '1 min' END,
        CASE WHEN state <> 'open' THEN 'approved' END,
        CASE WHEN state <> 'open' THEN 'same_person' END,
        CASE WHEN state <> 'open' AND needs_second THEN people[1] END,
        CASE WHEN state <> 'open' AND needs_second THEN opened_at + interval '20 min' END,
        CASE WHEN state = 'decided' THEN people[2] END,
        CASE WHEN state = 'decided' THEN opened_at + (21 + place %% 600) * interval '1 min' END,
        false
    FROM (SELECT id, client_id, a.reasons, needs_second, priority, minutes, settled_at AS opened_at,
              place, CASE WHEN place > %(open)s THEN 'decided'
                  WHEN needs_second AND place %% 10 = 0 THEN 'proposed' ELSE 'open' END AS state
          FROM (SELECT *, row_number() OVER (ORDER BY created_at DESC) AS place
                FROM verification_attempt WHERE verdict = 'review') AS a
          JOIN (SELECT DISTINCT ON (reasons) * FROM bench_kind WHERE verdict = 'review') AS kind
              ON kind.reasons = a.reasons) AS r,
        (SELECT array_agg(id ORDER BY id) AS people FROM auth_user) AS u
"""
STEPS = """
    INSERT INTO verification_review_step (id, review_id, round, kind, by_id, by_name, at, decision,
        reason_code)
    SELECT gen_random_uuid(), attempt_id, 1, 'decided', decided_by_id, 'bench-second', decided_at,
        decision, reason_code
    FROM verification_review WHERE state = 'decided'
"""
EVIDENCE = """
    INSERT INTO verification_evidence (
        id, attempt_id, kind, size_bytes, sha256, sealed, created_at)
    SELECT gen_random_uuid(), id, kind, 64, packet_sha256, decode(repeat('01', 93), 'hex'),
           settled_at
    FROM verification_attempt, unnest(ARRAY['image_best', 'raw_answer', 'video_key']) AS kind
    WHERE packet_size_bytes %% %(every)s = 0
"""

SETTLED = """
    SELECT id, settled_at FROM verification_attempt
    WHERE packet_size_bytes %% %(every)s = 0 ORDER BY id
"""
COPY_KEYS = """COPY verification_evidence_key (attempt_id, kek_id, sealed, created_at)
    FROM STDIN (FORMAT BINARY)"""
KEY_TYPES = ("uuid", "varchar", "bytea", "timestamptz")

# Indexes that no constraint stands on: it is faster to build them when the rows are there.
INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'verification_attempt'
        AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""


def main(arguments: list[str]) -> None:
    """Fill empty tables; about two minutes for a million with all of its evidence."""
    rows, every = int(arguments[0]), int(arguments[1]) if arguments[1:] else 1
    insert_attempts(rows, every=every)


def insert_attempts(
    rows: int, *, every: int = 1, first: datetime = FIRST, every_s: float = EVERY_S
) -> None:
    """Insert `rows` attempts, one each `every_s` seconds from `first` on.

    Each `every`-th has a key and three items of evidence.
    """
    thresholds = dict(zip(("t3", "t4", "t5", "t6"), THRESHOLDS, strict=True))
    values: dict[str, Any] = {
        "client": CLIENT_ID,
        "rows": rows,
        "kinds": KINDS,
        "every": every,
        "open": OPEN,
        "first": first,
        "every_s": every_s,
    }
    with connection.cursor() as cursor:
        cursor.execute(KIND_TABLE)
        cursor.executemany(KIND, [_kind_row(each) for each in kinds()])
        with _unguarded(cursor):
            with _unindexed(cursor):
                for statement in (CLIENTS, PEOPLE, ATTEMPTS):
                    cursor.execute(statement, {**values, **thresholds})
            for statement in (REVIEWS, STEPS, EVIDENCE):
                cursor.execute(statement, values)
        _insert_keys(cursor, every)
        cursor.execute("DROP TABLE bench_kind")
        cursor.execute("VACUUM (ANALYZE)")


def _kind_row(kind: Kind) -> tuple[Any, ...]:
    opening, tags = kind.opening, kind.device_tags
    return (
        kind.number,
        kind.state.value,
        kind.outcome,
        kind.result_code,
        kind.result_message,
        kind.is_attack,
        kind.confidence,
        None if tags is None else json.dumps(tags),
        kind.verdict,
        kind.reasons,
        opening.needs_second if opening else None,
        opening.priority if opening else None,
        (opening.due_at - OPENED_AT).total_seconds() // 60 if opening else None,
    )


@contextmanager
def _unguarded(cursor: CursorWrapper) -> Iterator[None]:
    """Lift the guards: settled attempts from nowhere are what they refuse. The owner can."""
    for table in FILLED:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield
    for table in FILLED:
        for guard in GUARDED[table]:
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")


@contextmanager
def _unindexed(cursor: CursorWrapper) -> Iterator[None]:
    cursor.execute(INDEXES)
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    cursor.execute("SET maintenance_work_mem = '512MB'")
    for _, definition in indexes:
        cursor.execute(definition)
    cursor.execute("RESET maintenance_work_mem")


def _insert_keys(cursor: CursorWrapper, every: int) -> None:
    cursor.execute(SETTLED, {"every": every})
    settled = cursor.fetchall()
    with cursor.copy(COPY_KEYS) as copy:
        copy.set_types(KEY_TYPES)
        for row in _key_rows(settled):
            copy.write_row(row)


def _key_rows(settled: Sequence[tuple[UUID, datetime]]) -> Iterator[tuple[object, ...]]:
    """Yield a wrapped key of each attempt, made when it was settled, as a submission does."""
    keyring = get_conf().keyring
    for attempt_id, settled_at in settled:
        wrapped = wrap(keyring, new_key(), key_place(attempt_id))
        yield attempt_id, wrapped.kek_id, wrapped.sealed, settled_at
