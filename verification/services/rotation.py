"""Change the key-encryption key: every stored key is wrapped anew under the keyring's primary.

What was sealed under the stored keys stays as it is, byte for byte.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from uuid import UUID

from django.db import connection, transaction

from verification.ledger.canonical import canonical
from verification.selectors.wrapped_keys import API_KEYS, EVIDENCE_KEYS, SECOND_FACTORS, Store
from verification.services import second_factor
from verification.services.clients import secret_place
from verification.services.entries import ROTATED, utc_text
from verification.services.runtime import Runtime
from verification.services.sealing import key_place
from verification.services.staging import stage
from verification.vault.envelope import Place, WrappedKey, unwrap, wrap
from verification.vault.errors import VaultError

BATCH = 500
FIRST = UUID(int=0)

SELECT = """
    SELECT {id_column}, kek_id, {sealed_column} FROM {table}
    WHERE {there} AND kek_id = %s AND {id_column} > %s
    ORDER BY {id_column} LIMIT %s FOR UPDATE {wait}
"""
UPDATE = """
    UPDATE {table} AS stored SET kek_id = %s, {sealed_column} = anew.sealed
    FROM unnest(%s::uuid[], %s::bytea[]) AS anew (id, sealed)
    WHERE stored.{id_column} = anew.id
"""
WAITS = ("SKIP LOCKED", "")
"""First what nobody else is using, then the rest: whoever holds a row does so for a moment."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many keys were wrapped anew, and how many could not be opened."""

    evidence_keys: int
    api_keys: int
    second_factors: int
    broken: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A stored key that does not open: of which store, whose, and why."""

    store: str
    id: UUID
    why: str


Report = Callable[[str, int], None]
"""Told the name of the store and how many of its keys were wrapped anew."""


def rotate_keys(
    *,
    runtime: Runtime,
    batch: int = BATCH,
    progress: Report = lambda _store, _done: None,
    complain: Callable[[Broken], None] = lambda _broken: None,
) -> Rotated:
    """Wrap every key under the primary that another key of the keyring wraps.

    For a running service: each batch is a transaction with one entry in the log, and what is
    committed stays, so that a run that was killed is continued by the next. A key that does not
    open is left as it is and told to `complain`, once. Keys under ids that the keyring does not
    hold, and erased ones, are not looked at.
    """
    counts, broken = {}, 0
    for store, place in (
        (EVIDENCE_KEYS, key_place),
        (API_KEYS, secret_place),
        (SECOND_FACTORS, second_factor.secret_place),
    ):
        rotation = _Rotation(store, place, runtime, batch, progress, complain)
        counts[store.name] = rotation.run()
        broken += len(rotation.broken)
    return Rotated(
        counts[EVIDENCE_KEYS.name], counts[API_KEYS.name], counts[SECOND_FACTORS.name], broken
    )


class _Rotation:
    """The rotation of one store."""

    def __init__(
        self,
        store: Store,
        place: Callable[[UUID], Place],
        runtime: Runtime,
        batch: int,
        progress: Report,
        complain: Callable[[Broken], None],
    ) -> None:
        self._store = store
        self._place = place
        self._runtime = runtime
        self._keyring = runtime.conf.keyring
        self._batch = batch
        self._progress = progress
        self._complain = complain
        self._done = 0
        self.broken: set[UUID] = set()

    def run(self) -> int:
        """Wrap all anew, and return how many that were."""
        others = sorted(set(self._keyring.keys) - {self._keyring.primary})
        for wait, kek_id in product(WAITS, others):
            last: UUID | None = FIRST
            while last is not None:
                last = self._do_batch(kek_id, last, wait)
                self._progress(self._store.name, self._done)
        return self._done

    def _do_batch(self, kek_id: str, after: UUID, wait: str) -> UUID | None:
        """Wrap the next keys anew; return the last one's id, None if there were no more."""
        with transaction.atomic():
            rows = self._select(kek_id, after, wait)
            anew = [(each.id, wrapped) for each in rows if (wrapped := self._wrap(each))]
            if anew:
                self._update(anew)
                stage([self._entry(kek_id, len(anew))])
        self._done += len(anew)
        return rows[-1].id if rows else None

    def _select(self, kek_id: str, after: UUID, wait: str) -> "list[_Stored]":
        with connection.cursor() as cursor:
            cursor.execute(self._text(SELECT, wait=wait), [kek_id, after, self._batch])
            return [_Stored(row, WrappedKey(kek, bytes(sealed))) for row, kek, sealed in cursor]

    def _wrap(self, stored: "_Stored") -> WrappedKey | None:
        place = self._place(stored.id)
        try:
            return wrap(self._keyring, unwrap(self._keyring, stored.key, place), place)
        except VaultError as error:
            if stored.id not in self.broken:
                self.broken.add(stored.id)
                self._complain(Broken(self._store.name, stored.id, str(error)))
            return None

    def _update(self, anew: Sequence[tuple[UUID, WrappedKey]]) -> None:
        ids, sealed = [each for each, _ in anew], [wrapped.sealed for _, wrapped in anew]
        with connection.cursor() as cursor:
            cursor.execute(self._text(UPDATE), [self._keyring.primary, ids, sealed])

    def _text(self, statement: str, **more: str) -> str:
        store = self._store
        return statement.format(
            table=store.table,
            id_column=store.id_column,
            sealed_column=store.sealed_column,
            there=store.there,
            **more,
        )

    def _entry(self, kek_id: str, count: int) -> bytes:
        return canonical(
            {
                "at": utc_text(self._runtime.now()),
                "count": count,
                "from": {kek_id: count},
                "kind": ROTATED,
                "to": self._keyring.primary,
                "what": self._store.name,
            }
        )


@dataclass(frozen=True, slots=True)
class _Stored:
    """A wrapped key as it is stored."""

    id: UUID
    key: WrappedKey
