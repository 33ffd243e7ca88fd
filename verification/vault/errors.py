"""What can go wrong with sealed bytes."""

from verification.errors import VerificationError


class VaultError(VerificationError):
    """Base: repeating without changing keys or bytes is useless."""


class KeyringError(VaultError):
    """The keyring's text or files do not describe a usable set of keys."""


class UnknownKeyError(VaultError):
    """The keyring does not hold the key that wrapped this one."""


class SealBrokenError(VaultError):
    """The bytes were altered, or were sealed under another key or for another place."""


class ErasedError(VaultError):
    """The key was destroyed on purpose: the bytes are gone, and nothing is broken."""
