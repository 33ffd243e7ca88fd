"""Clients and their keys: make, revoke, recognise."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from verification.faceid.signing import CheckedSign, SignError, check
from verification.identifiers import uuid7
from verification.models import ApiClient, ApiKey, SpentSign
from verification.services.errors import InvalidKeyError
from verification.services.runtime import Runtime
from verification.services.statements import fetch_row
from verification.vault.envelope import Place, WrappedKey, unwrap, wrap
from verification.vault.keyring import Keyring

FIND_BEARER = """
    SELECT key.secret_sha256, client.id, client.name, client.scopes, client.created_at
    FROM verification_api_key AS key
    JOIN verification_client AS client ON client.id = key.client_id
    WHERE key.public_id = %s AND key.kind = 'bearer' AND key.revoked_at IS NULL
        AND (key.expires_at IS NULL OR key.expires_at > %s) AND client.is_active
"""
BEARER = re.compile(r"vk_(?P<prefix>[0-9a-f]{12})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key; `secret` is shown once and cannot be had again."""

    key: ApiKey
    secret: str = field(repr=False)


def create_client(*, name: str, scopes: Collection[str], now: datetime) -> ApiClient:
    """Record a client without keys. IntegrityError if the name is taken or a scope unknown."""
    return ApiClient.objects.create(
        id=uuid7(now), name=name, scopes=sorted(set(scopes)), created_at=now
    )


def issue_bearer_key(
    *, client: ApiClient, now: datetime, expires_at: datetime | None = None
) -> IssuedKey:
    """Make a bearer key `vk_<prefix>_<256 random bits>`; its SHA-256 is all we keep."""
    prefix = secrets.token_hex(6)
    secret = f"vk_{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        id=uuid7(now),
        client=client,
        kind=ApiKey.Kind.BEARER,
        public_id=prefix,
        secret_sha256=hashlib.sha256(secret.encode()).digest(),
        created_at=now,
        expires_at=expires_at,
    )
    return IssuedKey(key, secret)


def issue_key_pair(
    *, client: ApiClient, keyring: Keyring, now: datetime, expires_at: datetime | None = None
) -> IssuedKey:
    """Make a drop-in pair: `key.public_id` is the api_key, `secret` the api_secret."""
    key_id, api_secret = uuid7(now), secrets.token_urlsafe(32)
    wrapped = wrap(keyring, api_secret.encode(), secret_place(key_id))
    key = ApiKey.objects.create(
        id=key_id,
        client=client,
        kind=ApiKey.Kind.SIGN,
        public_id=f"va_{secrets.token_hex(12)}",
        secret_sealed=wrapped.sealed,
        kek_id=wrapped.kek_id,
        created_at=now,
        expires_at=expires_at,
    )
    return IssuedKey(key, api_secret)


def revoke_key(*, key: ApiKey, now: datetime) -> None:
    """Refuse the key from now on; repeating keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now)


def authenticate_bearer(*, token: str, now: datetime) -> ApiClient:
    """Return the client of a bearer key; InvalidKeyError says nothing about why."""
    shape = BEARER.fullmatch(token)
    row = shape and _find_bearer(shape["prefix"], now)
    digest = hashlib.sha256(token.encode()).digest()
    if not row or not hmac.compare_digest(row[0], digest):
        raise InvalidKeyError("The API key is unknown, expired or revoked.")
    _, client_id, name, scopes, created_at = row
    return ApiClient(id=client_id, name=name, scopes=scopes, created_at=created_at)


def _find_bearer(prefix: str, now: datetime) -> tuple[bytes, UUID, str, list[str], datetime] | None:
    """Return digest and client of a valid key; in SQL, because every request asks for it."""
    return fetch_row(FIND_BEARER, [prefix, now])


def authenticate_sign(*, sign: str, runtime: Runtime) -> ApiClient:
    """Return the client that made a FaceID `sign`; a single-use one is spent here.

    Raises SignError (INVALID_SIGN, EXPIRED_SIGN).
    """
    now = runtime.now()
    found: list[ApiKey] = []

    def secret_for(api_key: str) -> str | None:
        found.extend(_valid_keys(now).filter(kind="sign", public_id=api_key))
        return _open_secret(found[0], runtime.conf.keyring) if found else None

    checked = check(sign, secret_for=secret_for, now=now.timestamp())
    key = found[0]
    if checked.single_use:
        _spend(key, checked, now)
    return key.client


def _valid_keys(now: datetime) -> QuerySet[ApiKey]:
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    return ApiKey.objects.filter(
        unexpired, revoked_at__isnull=True, client__is_active=True
    ).select_related("client")


def _spend(key: ApiKey, checked: CheckedSign, now: datetime) -> None:
    digest = bytes.fromhex(checked.digest)
    try:
        with transaction.atomic():
            SpentSign.objects.create(key=key, digest=digest, spent_at=now)
    except IntegrityError:
        raise SignError("INVALID_SIGN") from None


def _open_secret(key: ApiKey, keyring: Keyring) -> str:
    wrapped = WrappedKey(key.kek_id or "", bytes(key.secret_sealed or b""))
    return unwrap(keyring, wrapped, secret_place(key.pk)).decode()


def secret_place(key_id: UUID) -> Place:
    """Return where the sealed secret of a key pair belongs."""
    return Place("api_key", str(key_id), "secret_sealed")
