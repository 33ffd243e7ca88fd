"""System checks: what would break a promise is refused before the first request."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from verification.conf import Conf, get_conf
from verification.faceid.contract import REGIONS

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@register(Tags.security)
def check_settings(**_: Any) -> list[CheckMessage]:
    """E001: the settings do not form a Conf. E002, E003: what they say is not safe."""
    try:
        conf = get_conf()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="verification.E001")]
    return [*_check_base_url(conf), *_check_region(conf)]


def _check_base_url(conf: Conf) -> list[CheckMessage]:
    url = urlsplit(conf.faceid_base_url)
    if url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK):
        return []
    sentence = "FACEID_BASE_URL must be https; plain http is for a loopback sandbox only."
    return [Error(sentence, id="verification.E002")]


def _check_region(conf: Conf) -> list[CheckMessage]:
    documented = REGIONS.get(conf.faceid_region)
    if documented in {None, conf.faceid_base_url}:
        return []
    sentence = f"Region {conf.faceid_region} is recorded, but requests would go elsewhere."
    return [Error(sentence, id="verification.E003")]


@register(Tags.database)
def check_database(**_: Any) -> list[CheckMessage]:
    """E004: not PostgreSQL. E005: ATOMIC_REQUESTS would undo what a submission must commit."""
    found: list[CheckMessage] = []
    database = connections["default"]
    if database.vendor != "postgresql":
        found.append(Error("The database must be PostgreSQL.", id="verification.E004"))
    if settings.DATABASES["default"].get("ATOMIC_REQUESTS"):
        sentence = "ATOMIC_REQUESTS must be off: a submission commits each of its steps."
        found.append(Error(sentence, id="verification.E005"))
    return found
