"""Whether the keyring works, and opens what is stored: said before the first reveal fails."""

from verification.selectors.wrapped_keys import keks_in_use
from verification.vault.envelope import Place, WrappedKey, seal, unwrap
from verification.vault.errors import VaultError
from verification.vault.keyring import Keyring

PROBE = b"a value of which nothing depends"


def check_keyring(keyring: Keyring) -> list[str]:
    """Seal and open a probe with every key; return a sentence for each that does not work."""
    return [
        f"The key {kek_id!r} of the keyring does not open what it has sealed."
        for kek_id in keyring.keys
        if not _opens(keyring, kek_id)
    ]


def check_stored_keys(keyring: Keyring) -> list[str]:
    """Return a sentence for each key that the database needs and the keyring lacks.

    Asks the database for ids only, a few index look-ups however many keys there are.
    """
    return [
        f"The keyring lacks the key {kek_id!r}: {store} are wrapped under it and cannot be opened."
        for kek_id, store in sorted(keks_in_use().items())
        if kek_id not in keyring.keys
    ]


def _opens(keyring: Keyring, kek_id: str) -> bool:
    place = Place("probe", kek_id, "self_check")
    try:
        sealed = WrappedKey(kek_id, seal(keyring.key(kek_id), PROBE, place))
        return unwrap(keyring, sealed, place) == PROBE
    except VaultError:
        return False
