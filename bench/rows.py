"""Plausible attempts by the million, made inside PostgreSQL; none is of a real person.

`python -m bench.child rows COUNT` inserts them. The evidence is not sealed, but its keys are
wrapped under the keyring of the settings, as the verification of records wants them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from verification.conf import get_conf
from verification.models.guards import GUARDED
from verification.services.sealing import key_place
from verification.vault.envelope import new_key, wrap

CLIENT_ID = "00000000-0000-7000-8000-000000000001"

CLIENT = """
    INSERT INTO verification_client (id, name, scopes, is_active, created_at)
    VALUES (%(client)s, 'bench', '{}', true, now())
"""

# Nine of ten attempts are of the person they should be; one in fifty carries a cell that a
# spreadsheet would run; figures have the vendor's number of digits.
ATTEMPTS = """
    INSERT INTO verification_attempt (
        id, client_id, region, token_digest, packet_sha256, packet_size_bytes,
        commitment_key, state, send_no,
        created_at, sent_at, deadline_at, settled_at, biz_no, subject, request_id, http_status,
        time_used_ms, result_code, result_message, outcome, billable, attack_score,
        attack_threshold, is_attack, ref1_confidence, ref1_threshold_1e3, ref1_threshold_1e4,
        ref1_threshold_1e5, ref1_threshold_1e6, device_level, device_tags, verify_tags)
    SELECT
        (lpad(to_hex(1735689600000 + n * 731), 12, '0') || '7' || substr(md5(n::text), 1, 3)
            || '8' || substr(md5(n::text), 4, 15))::uuid,
        %(client)s, 'sgp',
        sha256(('token' || n)::bytea), sha256(('packet' || n)::bytea), 100000 + n %% 9000000,
        sha256(('commitment' || n)::bytea), 'answered', 1, at, at, at + interval '25 s',
        at + interval '1.4 s',
        CASE WHEN n %% 50 = 0 THEN '=HYPERLINK("x")' ELSE 'ONB-' END || n,
        'customer-' || md5((n / 3)::text),
        (1700000000 + n / 1000) || ',' || md5('request' || n), 200,
        900 + n %% 700,
        CASE WHEN n %% 10 = 0 THEN 2000 ELSE 1000 END,
        CASE WHEN n %% 10 = 0 THEN 'PASS_LIVING_NOT_THE_SAME' ELSE 'SUCCESS' END,
        CASE WHEN n %% 10 = 0 THEN 'different_person' ELSE 'verified' END,
        true, (n %% 1000) * 0.001, 0.5, false,
        60 + (n %% 39000) * 0.001, 62.169, 69.315, 74.399, 78.038,
        (n %% 4)::text,
        '{"is_root": 0, "is_hook": 0, "is_injection": 0, "is_virtual_environment": 0}',
        CASE WHEN n %% 4 = 0 THEN '{"screen_recapture": 0, "mask": 0}'::jsonb END
    FROM generate_series(1, %(rows)s::bigint) AS n,
         LATERAL (SELECT '2025-01-01T00:00:00Z'::timestamptz + n * interval '0.731219 s') AS t(at)
"""

EVIDENCE = """
    INSERT INTO verification_evidence (
        id, attempt_id, kind, size_bytes, sha256, sealed, created_at)
    SELECT gen_random_uuid(), id, kind, 64, packet_sha256, decode(repeat('01', 93), 'hex'),
           settled_at
    FROM verification_attempt, unnest(ARRAY['image_best', 'raw_answer', 'video_key']) AS kind
"""

SETTLED = "SELECT id, settled_at FROM verification_attempt ORDER BY id"
COPY_KEYS = """COPY verification_evidence_key (attempt_id, kek_id, sealed, created_at)
    FROM STDIN (FORMAT BINARY)"""
KEY_TYPES = ("uuid", "varchar", "bytea", "timestamptz")


def main(arguments: list[str]) -> None:
    """Fill empty tables; about two minutes for a million."""
    insert_attempts(int(arguments[0]))


def insert_attempts(rows: int) -> None:
    """Insert one client's `rows` attempts, each with a key and three items of evidence."""
    with connection.cursor() as cursor:
        # Settled attempts from nowhere are what the guard refuses; only the owner can lift it.
        cursor.execute("ALTER TABLE verification_attempt DISABLE TRIGGER USER")
        for statement in (CLIENT, ATTEMPTS, EVIDENCE):
            cursor.execute(statement, {"client": CLIENT_ID, "rows": rows})
        for guard in GUARDED["verification_attempt"]:
            cursor.execute(f"ALTER TABLE verification_attempt ENABLE ALWAYS TRIGGER {guard}")
        cursor.execute(SETTLED)
        settled = cursor.fetchall()
        with cursor.copy(COPY_KEYS) as copy:
            copy.set_types(KEY_TYPES)
            for row in _key_rows(settled):
                copy.write_row(row)
        cursor.execute("VACUUM (ANALYZE)")


def _key_rows(settled: Sequence[tuple[UUID, datetime]]) -> Iterator[tuple[object, ...]]:
    """Yield a wrapped key of each attempt, made when it was settled, as a submission does."""
    keyring = get_conf().keyring
    for attempt_id, settled_at in settled:
        wrapped = wrap(keyring, new_key(), key_place(attempt_id))
        yield attempt_id, wrapped.kek_id, wrapped.sealed, settled_at
