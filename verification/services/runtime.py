"""What services need from the world, in one value: settings, the vendor, the clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from django.core.signals import setting_changed

from verification.conf import Conf, get_conf
from verification.services.upstream import Upstream, make_upstream


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
    return Runtime(conf, make_upstream(conf), utc_now)


@lru_cache(maxsize=1)
def get_runtime() -> Runtime:
    """Return this process's runtime, made from the settings at the first call."""
    return make_runtime(get_conf())


def _forget(*, setting: str, **_: object) -> None:
    if setting == "VERIFICATION":
        get_runtime.cache_clear()


setting_changed.connect(_forget)
