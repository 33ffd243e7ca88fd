"""Which key-encryption keys the stored keys are wrapped under."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

COUNT = "SELECT kek_id, count(*) FROM {table} WHERE {there} GROUP BY kek_id ORDER BY kek_id"
# PostgreSQL has no loose index scan of its own: jump from each id to the next greater one.
DISTINCT = """
    WITH RECURSIVE used (kek_id) AS (
        (SELECT kek_id FROM {table} WHERE {there} ORDER BY kek_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT kek_id FROM {table} WHERE {there} AND kek_id > used.kek_id
            ORDER BY kek_id LIMIT 1
        ) FROM used WHERE used.kek_id IS NOT NULL
    )
    SELECT kek_id FROM used WHERE kek_id IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Store:
    """A table that holds wrapped keys: its columns, and which of its rows have one."""

    name: str
    table: str
    id_column: str
    sealed_column: str
    there: str


EVIDENCE_KEYS = Store(
    "evidence keys", "verification_evidence_key", "attempt_id", "sealed", "erased_at IS NULL"
)
API_KEYS = Store("API keys", "verification_api_key", "id", "secret_sealed", "kind = 'sign'")

SECOND_FACTORS = Store(
    "second factors", "verification_second_factor", "secret_id", "sealed", "true"
)


def counts_by_kek(store: Store) -> Mapping[str, int]:
    """Count the keys of a store by the key they are wrapped under; reads all of them."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(table=store.table, there=store.there))
        return dict(cursor.fetchall())


def keks_in_use() -> Mapping[str, str]:
    """Return each key-encryption key in use and the name of a store that needs it, at once."""
    used: dict[str, str] = {}
    with connection.cursor() as cursor:
        for store in (SECOND_FACTORS, API_KEYS, EVIDENCE_KEYS):
            cursor.execute(DISTINCT.format(table=store.table, there=store.there))
            used |= dict.fromkeys((kek_id for (kek_id,) in cursor.fetchall()), store.name)
    return used
