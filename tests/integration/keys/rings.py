"""Keyrings before, during and after a rotation, and attempts whose evidence opens or does not."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from verification.conf import get_conf
from verification.models import Evidence, EvidenceKey, LedgerEntry, StagedEntry
from verification.services.runtime import Runtime
from verification.services.sealing import open_evidence
from verification.vault.errors import VaultError
from verification.vault.keyring import Keyring

OLD = "test-1"
NEW = "test-2"
KEYS = MappingProxyType({OLD: get_conf().keyring.keys[OLD], NEW: b"\x02" * 32})
"""Before the rotation there is OLD, then both with NEW as the primary, then NEW alone."""

BOTH = Keyring(NEW, KEYS)
ONLY_NEW = Keyring(NEW, MappingProxyType({NEW: KEYS[NEW]}))


def holding(runtime: Runtime, keyring: Keyring) -> Runtime:
    """Return the runtime with another keyring."""
    return replace(runtime, conf=replace(runtime.conf, keyring=keyring))


def by_kek() -> Counter[str]:
    """Count evidence keys that are there by the key they are wrapped under."""
    rows = EvidenceKey.objects.filter(erased_at__isnull=True)
    return Counter(rows.values_list("kek_id", flat=True))


def opened(keyring: Keyring) -> dict[str, bytes]:
    """Open all evidence that is not erased; return it by its id."""
    rows = Evidence.objects.filter(attempt__evidence_key__erased_at__isnull=True)
    return {
        str(each.pk): open_evidence(evidence=each, keyring=keyring)
        for each in rows.select_related("attempt__evidence_key")
    }


def ciphertexts() -> dict[str, bytes]:
    """Return what is stored of all evidence, by its id."""
    return {str(each.pk): bytes(each.sealed) for each in Evidence.objects.all()}


def fails(act: Callable[[], object]) -> bool:
    """Return whether the vault refuses."""
    try:
        act()
    except VaultError:
        return True
    return False


def recorded() -> list[bytes]:
    """Return the entries about rotations, staged or in the log."""
    raws = [each for rows in (LedgerEntry, StagedEntry) for each in rows.objects.values_list("raw")]
    return [bytes(raw) for (raw,) in raws if b'"kind":"key.rotated"' in bytes(raw)]
