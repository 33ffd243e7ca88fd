"""The app's settings as one frozen value, read from Django's `VERIFICATION` dictionary.

`docs/reference/settings.md` documents each of them; an unknown or malformed one is an error.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from verification.ledger.errors import NoteError
from verification.ledger.keys import SignatureType, SigningKey, VerifierKey, parse_skey, parse_vkey
from verification.vault.errors import KeyringError
from verification.vault.keyring import Keyring, parse_keyring, read_keyring

MIN_DIGEST_KEY_BYTES = 32
DATABASE_ROLES = ("owner", "web", "worker")
PLACE_NAME = re.compile(r"[a-z0-9-]{1,50}")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """Where a witness takes checkpoints, and the key it cosigns with."""

    url: str
    key: VerifierKey


@dataclass(frozen=True, slots=True)
class FolderConf:
    """A folder to which exports go."""

    folder: Path


@dataclass(frozen=True, slots=True)
class BucketConf:
    """A bucket of S3-compatible storage to which exports go, under names that begin with `prefix`.

    `endpoint` is `https://...`, plain HTTP for loopback only.
    """

    bucket: str
    endpoint: str
    region: str
    key_id: str
    secret: str = field(repr=False)
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Conf:
    """Each field is the lower-case name of a key of `VERIFICATION`."""

    faceid_region: str
    faceid_base_url: str
    faceid_api_key: str
    faceid_api_secret: str = field(repr=False)
    digest_key: bytes = field(repr=False)
    keyring: Keyring = field(repr=False)
    faceid_timeout_s: float = 25.0
    faceid_pool_size: int = 64
    max_body_bytes: int = 10 * 1024 * 1024
    body_timeout_s: float = 15.0
    max_bytes_in_flight: int = 512 * 1024 * 1024
    reaper_grace_s: float = 5.0
    ledger_key: SigningKey | None = field(default=None, repr=False)
    ledger_vkeys: tuple[VerifierKey, ...] = ()
    ledger_anchor_file: Path | None = None
    ledger_witnesses: tuple[WitnessAddress, ...] = ()
    ledger_checkpoint_s: float = 30.0
    reveals_per_hour: int = 30
    policy_file: Path | None = None
    session_idle_s: float = 1800.0
    session_absolute_s: float = 43200.0
    second_factor: bool = True
    address_header: str = ""
    database_role: str = "owner"
    export_dir: Path | None = None
    export_keep_days: int = 7
    export_busy_bytes_per_s: int = 2_000_000
    export_places: Mapping[str, FolderConf | BucketConf] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse figures that would switch a limit off, and a role that nobody has."""
        if self.database_role not in DATABASE_ROLES:
            raise ImproperlyConfigured("VERIFICATION['DATABASE_ROLE'] is owner, web or worker")
        for name in (
            "faceid_timeout_s",
            "body_timeout_s",
            "faceid_pool_size",
            "ledger_checkpoint_s",
            "reveals_per_hour",
            "session_idle_s",
            "session_absolute_s",
            "export_keep_days",
            "export_busy_bytes_per_s",
        ):
            if getattr(self, name) <= 0:
                raise ImproperlyConfigured(f"VERIFICATION['{name.upper()}'] must be above zero")


@lru_cache(maxsize=1)
def get_conf() -> Conf:
    """Return the settings; ImproperlyConfigured names the first one that is wrong."""
    return build_conf(getattr(settings, "VERIFICATION", {}))


def build_conf(given: Mapping[str, Any]) -> Conf:
    """Make a Conf of upper-case keys; `KEYRING` and `KEYRING_DIR` exclude each other."""
    values = {key.lower(): value for key, value in given.items()}
    values["keyring"] = _keyring(values.pop("keyring", ""), values.pop("keyring_dir", ""))
    values["digest_key"] = _digest_key(values.get("digest_key", ""))
    values |= _ledger(values)
    values["export_dir"] = Path(values["export_dir"]) if values.get("export_dir") else None
    values["export_places"] = _places(values.get("export_places", {}))
    values["policy_file"] = Path(values["policy_file"]) if values.get("policy_file") else None
    known = {each.name for each in fields(Conf)}
    if unknown := sorted(set(values) - known):
        raise ImproperlyConfigured(f"VERIFICATION has unknown keys: {', '.join(unknown).upper()}")
    try:
        return Conf(**values)
    except TypeError as error:
        raise ImproperlyConfigured(f"VERIFICATION is incomplete: {error}") from error


def _places(given: object) -> Mapping[str, FolderConf | BucketConf]:
    """Read places by their names; each is `{"folder": ...}` or what BucketConf names."""
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured("VERIFICATION['EXPORT_PLACES'] is a dictionary of places")
    return {str(name): _place(str(name), each) for name, each in given.items()}


def _place(name: str, given: object) -> FolderConf | BucketConf:
    where = f"VERIFICATION['EXPORT_PLACES'][{name!r}]"
    if not PLACE_NAME.fullmatch(name) or not isinstance(given, Mapping):
        raise ImproperlyConfigured(f"{where} has a name of a-z, 0-9 and dashes, and a dictionary")
    values = {str(key): str(value) for key, value in given.items()}
    try:
        place = (
            FolderConf(Path(values["folder"]))
            if set(values) == {"folder"}
            else (BucketConf(**values))
        )
    except TypeError:
        raise ImproperlyConfigured(f"{where} names a folder or a whole bucket") from None
    if isinstance(place, FolderConf) and not place.folder.is_absolute():
        raise ImproperlyConfigured(f"{where} names an absolute folder")
    if isinstance(place, BucketConf) and not _is_private(place.endpoint):
        raise ImproperlyConfigured(f"{where} is reached by https, or on this machine")
    return place


def _is_private(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def _keyring(text: str, directory: str) -> Keyring:
    if bool(text) == bool(directory):
        raise ImproperlyConfigured("set one of VERIFICATION['KEYRING'] and ['KEYRING_DIR']")
    try:
        return parse_keyring(text) if text else read_keyring(Path(directory))
    except KeyringError as error:
        raise ImproperlyConfigured(f"VERIFICATION['KEYRING']: {error}") from error


def _digest_key(encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ImproperlyConfigured("VERIFICATION['DIGEST_KEY'] is not Base64") from None
    if len(key) < MIN_DIGEST_KEY_BYTES:
        raise ImproperlyConfigured("VERIFICATION['DIGEST_KEY'] needs at least 32 bytes")
    return key


def _ledger(values: Mapping[str, Any]) -> dict[str, object]:
    """Read keys and witnesses; the log's own key is trusted without being listed."""
    try:
        key = parse_skey(values["ledger_key"]) if values.get("ledger_key") else None
        listed = [parse_vkey(each) for each in values.get("ledger_vkeys", ())]
        witnesses = [_witness(each) for each in values.get("ledger_witnesses", ())]
    except NoteError as error:
        raise ImproperlyConfigured(f"VERIFICATION['LEDGER_...']: {error}") from error
    if key is not None and key.type is not SignatureType.NOTE:
        raise ImproperlyConfigured("VERIFICATION['LEDGER_KEY'] must be a key of a log")
    own = [] if key is None or key.verifier in listed else [key.verifier]
    file = values.get("ledger_anchor_file")
    return {
        "ledger_key": key,
        "ledger_vkeys": (*own, *listed),
        "ledger_anchor_file": Path(file) if file else None,
        "ledger_witnesses": tuple(witnesses),
    }


def _witness(text: str) -> WitnessAddress:
    """Read `URL VKEY`."""
    url, _, vkey = text.partition(" ")
    key = parse_vkey(vkey)
    if not url.startswith(("https://", "http://")) or key.type is not SignatureType.COSIGNATURE:
        raise NoteError("a witness is its URL, a space, and its key of type cosignature")
    return WitnessAddress(url.rstrip("/"), key)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "VERIFICATION":
        get_conf.cache_clear()


setting_changed.connect(_forget)
