"""What services need from the world, in one value: settings, the vendor, the clock."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from django.core.signals import setting_changed

from verification.conf import Conf, get_conf
from verification.faceid.client import FaceIdClient
from verification.faceid.transport import Transport
from verification.faceid.types import Credentials
from verification.services.upstream import Upstream

NONCE_LIMIT = 10**10


@dataclass(frozen=True, slots=True)
class Runtime:
    """Passed to every service that needs one of these; tests pass their own."""

    conf: Conf
    upstream: Upstream
    now: Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present, aware, in UTC."""
    return datetime.now(UTC)


def make_runtime(conf: Conf) -> Runtime:
    """Build a runtime with the real clock, the real network and a connection pool of its own."""
    client = FaceIdClient(
        base_url=conf.faceid_base_url,
        credentials=Credentials(conf.faceid_api_key, conf.faceid_api_secret),
        transport=Transport(pool_size=conf.faceid_pool_size),
        nonce=lambda: secrets.randbelow(NONCE_LIMIT),
    )
    return Runtime(conf, Upstream(client, timeout_s=conf.faceid_timeout_s), utc_now)


@lru_cache(maxsize=1)
def get_runtime() -> Runtime:
    """Return this process's runtime, made from the settings at the first call."""
    return make_runtime(get_conf())


def _forget(*, setting: str, **_: object) -> None:
    if setting == "VERIFICATION":
        get_runtime.cache_clear()


setting_changed.connect(_forget)
