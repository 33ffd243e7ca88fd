"""`keys_rotate`: wrap every stored key anew under the keyring's primary key."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from verification.management.progress import Progress
from verification.selectors.wrapped_keys import (
    API_KEYS,
    EVIDENCE_KEYS,
    SECOND_FACTORS,
    counts_by_kek,
)
from verification.services.rotation import Broken, Rotated, rotate_keys
from verification.services.runtime import Runtime, get_runtime

STORES = (EVIDENCE_KEYS, API_KEYS, SECOND_FACTORS)
WHOSE: Mapping[str, str] = MappingProxyType(
    {
        EVIDENCE_KEYS.name: "attempt",
        API_KEYS.name: "API key",
        SECOND_FACTORS.name: "second factor with the key",
    }
)
Counts = Mapping[str, Mapping[str, int]]
"""By the name of a store and the key-encryption key."""


class Command(BaseCommand):
    """Exits 1 if a stored key cannot be opened; all others are wrapped anew."""

    help = "Wrap every stored key anew under the keyring's primary key, while the service runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--check` changes nothing."""
        parser.add_argument(
            "--check",
            action="store_true",
            help="only count, and name the keys of the keyring that are no longer needed",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Rotate and count."""
        runtime = get_runtime()
        broken = 0 if options["check"] else self._rotate(runtime).broken
        counts = _counts()
        for name, by_kek in counts.items():
            for kek_id, count in by_kek.items():
                self.stdout.write(f"{count:,} {name} under {kek_id!r}{_remark(kek_id, runtime)}")
        self._name_spare_keys(counts, runtime)
        lacking = {kek_id for by_kek in counts.values() for kek_id in by_kek}
        if broken or lacking - set(runtime.conf.keyring.keys):
            raise CommandError("Not every stored key can be opened.")

    def _rotate(self, runtime: Runtime) -> Rotated:
        primary = runtime.conf.keyring.primary
        totals = {
            name: sum(count for kek_id, count in by_kek.items() if kek_id != primary)
            for name, by_kek in _counts().items()
        }
        progress = Progress(sys.stderr)
        try:
            rotated = rotate_keys(
                runtime=runtime,
                progress=lambda name, done: progress.show(name, done, totals[name]),
                complain=self._complain,
            )
        finally:
            progress.end()
        self.stdout.write(f"{rotated.evidence_keys:,} evidence keys wrapped anew")
        self.stdout.write(f"{rotated.api_keys:,} API keys wrapped anew")
        self.stdout.write(f"{rotated.second_factors:,} second factors wrapped anew")
        return rotated

    def _complain(self, broken: Broken) -> None:
        self.stderr.write(f"{WHOSE[broken.store]} {broken.id}: {broken.why}")

    def _name_spare_keys(self, counts: Counts, runtime: Runtime) -> None:
        keyring = runtime.conf.keyring
        used = {keyring.primary}.union(*counts.values())
        for kek_id in sorted(set(keyring.keys) - used):
            self.stdout.write(f"The key {kek_id!r} of the keyring is no longer needed.")


def _counts() -> Counts:
    return {store.name: counts_by_kek(store) for store in STORES}


def _remark(kek_id: str, runtime: Runtime) -> str:
    keyring = runtime.conf.keyring
    if kek_id == keyring.primary:
        return ", the primary key"
    return "" if kek_id in keyring.keys else ", which the keyring lacks"
