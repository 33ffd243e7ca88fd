"""The vendor's signature: `sign = Base64(HMAC-SHA1(secret, raw) || raw)` with
`raw = a={api_key}&b={expire_time}&c={current_time}&d={random}`, times in Unix seconds.

Source: the vendor's signature guide, `sign_version=hmac_sha1`; known answers in
tests/vectors/faceid_sign.json. Nothing here keeps state: clock and nonce are given.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from verification.errors import VerificationError
from verification.faceid.types import Credentials

SIGN_VERSION = "hmac_sha1"
RANDOM_RANGE = 10**10
SINGLE_USE = 0

_MAC_BYTES = 20
_MAX_SIGN_CHARS = 1024
# Times have 10 digits; real clients also send milliseconds (13), so a few more are read.
_RAW = re.compile(rb"a=([!-%'-~]{1,128})&b=([0-9]{1,16})&c=([0-9]{1,16})&d=([0-9]{1,10})")


class SignError(VerificationError):
    """A sign that must be refused. `reason` is the word the vendor uses."""

    def __init__(self, reason: Literal["INVALID_SIGN", "EXPIRED_SIGN"]) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CheckedSign:
    """A sign whose MAC is right and whose time is not over.

    `random` keeps its leading zeros. `digest` (SHA-256 of the decoded sign, hex) identifies the
    sign: a caller that honours `single_use` remembers it and refuses its second coming.
    """

    api_key: str
    expire_time: int
    current_time: int
    random: str = field(repr=False)
    single_use: bool
    digest: str = field(repr=False)


def sign(credentials: Credentials, *, current_time: int, expire_time: int, random: int) -> str:
    """Make a sign, padded standard Base64.

    `expire_time` is Unix seconds, later than `current_time`, or SINGLE_USE. `random` lies in
    0..RANDOM_RANGE-1 and is written with ten digits.
    Raises ValueError for a key that cannot stand in the message or a value out of range.
    """
    raw = f"a={credentials.api_key}&b={expire_time}&c={current_time}&d={random:010d}".encode()
    if not _RAW.fullmatch(raw):
        raise ValueError("Key, times or random cannot be signed: out of range or not plain ASCII.")
    return base64.b64encode(_mac(credentials.api_secret, raw) + raw).decode("ascii")


def check(sign: str | bytes, *, secret_for: Callable[[str], str | None], now: float) -> CheckedSign:
    """Check a received sign over its received bytes; `now` is Unix seconds.

    `secret_for` gives the secret of a key, or None for a key that is not known.
    Raises SignError: INVALID_SIGN for anything malformed, unknown or forged, EXPIRED_SIGN for a
    right one whose time is over. Refusing the reuse of a single-use sign is the caller's part.
    """
    decoded = _decode(sign)
    mac, raw = decoded[:_MAC_BYTES], decoded[_MAC_BYTES:]
    fields = _RAW.fullmatch(raw)
    if fields is None:
        raise SignError("INVALID_SIGN")
    api_key, expire, current, random = (value.decode("ascii") for value in fields.groups())
    secret = secret_for(api_key)
    if secret is None or not hmac.compare_digest(mac, _mac(secret, raw)):
        raise SignError("INVALID_SIGN")
    expire_time = int(expire)
    if expire_time != SINGLE_USE and now > expire_time:
        raise SignError("EXPIRED_SIGN")
    return CheckedSign(
        api_key=api_key,
        expire_time=expire_time,
        current_time=int(current),
        random=random,
        single_use=expire_time == SINGLE_USE,
        digest=hashlib.sha256(decoded).hexdigest(),
    )


def _decode(sign: str | bytes) -> bytes:
    if len(sign) > _MAX_SIGN_CHARS:
        raise SignError("INVALID_SIGN")
    try:
        return binascii.a2b_base64(sign, strict_mode=True)
    except ValueError:
        # binascii.Error, or text that is not ASCII
        raise SignError("INVALID_SIGN") from None


def _mac(secret: str, raw: bytes) -> bytes:
    # SHA-1 is the vendor's choice; as an HMAC it is not known to be broken.
    return hmac.digest(secret.encode(), raw, "sha1")
