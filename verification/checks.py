"""System checks: what would break a promise is refused before the first request."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError, connections

from verification.conf import Conf, FolderConf, get_conf
from verification.faceid.contract import REGIONS
from verification.selectors.guard_state import is_migrated, lifted_guards
from verification.selectors.rights import is_over_all, session_role
from verification.selectors.rights_changes import lacks_seal
from verification.services.delivery import lacks_library
from verification.services.grants import compare
from verification.services.policy_file import compare_policy_file
from verification.services.privileges import Kind
from verification.services.self_check import check_keyring, check_stored_keys

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
OPEN_TO_OTHERS = 0o007
STEPS = (
    "django_otp.middleware.OTPMiddleware",
    "verification.admin.second_step.SecondStepMiddleware",
)


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


@register(Tags.security)
def check_second_factor(**_: Any) -> list[CheckMessage]:
    """W014: passwords alone let the staff in. E015: nobody would ask for the second factor."""
    if not apps.is_installed("django.contrib.admin"):
        return []  # a host that serves the API alone: nobody logs in
    try:
        is_on = get_conf().second_factor
    except ImproperlyConfigured:
        return []  # E001 says so
    if not is_on:
        sentence = "SECOND_FACTOR is off: a password alone lets the staff in."
        return [] if settings.DEBUG else [Warning(sentence, id="verification.W014")]
    if missing := [each for each in STEPS if each not in settings.MIDDLEWARE]:
        sentence = f"SECOND_FACTOR is on, but MIDDLEWARE lacks {' and '.join(missing)}."
        return [Error(sentence, id="verification.E015")]
    return []


@register(Tags.security)
def check_exports(**_: Any) -> list[CheckMessage]:
    """E017: a bucket is named, and nothing speaks to it. W018: others can read a folder."""
    try:
        conf = get_conf()
    except ImproperlyConfigured:
        return []  # E001 says so
    found: list[CheckMessage] = []
    if lacks_library(conf.export_places):
        sentence = "EXPORT_PLACES names a bucket: install the extra `exports`."
        found.append(Error(sentence, id="verification.E017"))
    named = [each.folder for each in conf.export_places.values() if isinstance(each, FolderConf)]
    for folder in (*named, *([conf.export_dir] if conf.export_dir else [])):
        if folder.is_dir() and folder.stat().st_mode & OPEN_TO_OTHERS:
            sentence = f"Others can read {folder}, where exports are kept."
            found.append(Warning(sentence, id="verification.W018"))
    return found


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


@register(Tags.database)
def check_guards(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """E006 to W010: whether roles and triggers guard the records. Asks the database if told to."""
    if "default" not in (databases or ()) or connections["default"].vendor != "postgresql":
        return []
    try:
        with connections["default"].temporary_connection():
            return [*_check_role(), *_check_triggers()]
    except OperationalError:
        sentence = "The database does not answer: its roles and triggers were not looked at."
        return [Warning(sentence, id="verification.W010")]


def _check_role() -> list[CheckMessage]:
    """E006: no grant holds this role. E007, W008: it may do less or more than its kind."""
    try:
        kind = Kind(get_conf().database_role)
    except (ImproperlyConfigured, ValueError):
        return []  # E001 says so, or it is the owner
    role = session_role()
    if is_over_all(role=role):
        sentence = f"DATABASE_ROLE is {kind}, but {role} owns our tables or is a superuser."
        return [Error(sentence, id="verification.E006")]
    found = compare(kind=kind, role=role)
    again = "Run database_grant as the owner."
    return [
        *(Error(f"{role} lacks {m}.", again, id="verification.E007") for m in found.missing),
        *(Warning(f"{role} has {s}.", again, id="verification.W008") for s in found.superfluous),
    ]


def _check_triggers() -> list[CheckMessage]:
    """E009: a guard is missing or can be passed. Nothing is said before `migrate` has made them."""
    try:
        lifted = lifted_guards() if is_migrated() else []
    except ProgrammingError:
        return []  # a role that may not read the migrations: E007 says so
    return [Error(sentence, id="verification.E009") for sentence in lifted]


@register(Tags.security)
def check_keys(**_: Any) -> list[CheckMessage]:
    """E011: a key of the keyring does not open what it has sealed."""
    try:
        keyring = get_conf().keyring
    except ImproperlyConfigured:
        return []  # E001 says so
    return [Error(sentence, id="verification.E011") for sentence in check_keyring(keyring)]


@register(Tags.database)
def check_keys_in_database(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """E012: stored keys are wrapped under a key that the keyring lacks. Asks if told to."""
    if "default" not in (databases or ()) or connections["default"].vendor != "postgresql":
        return []
    try:
        with connections["default"].temporary_connection():
            found = check_stored_keys(get_conf().keyring) if is_migrated() else []
    except (OperationalError, ProgrammingError, ImproperlyConfigured):
        return []  # W010, E007 and E001 say so
    return [Error(sentence, id="verification.E012") for sentence in found]


@register(Tags.database)
def check_policy_file(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """W013: POLICY_FILE does not say what the version in force says. Asks if told to."""
    if "default" not in (databases or ()) or connections["default"].vendor != "postgresql":
        return []
    try:
        with connections["default"].temporary_connection():
            found = compare_policy_file(get_conf().policy_file) if is_migrated() else None
    except (OperationalError, ProgrammingError, ImproperlyConfigured):
        return []  # W010, E007 and E001 say so
    return [Warning(found, id="verification.W013")] if found else []


@register(Tags.database)
def check_seal(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """W016: one person alone can still give rights. Asks if told to."""
    if "default" not in (databases or ()) or connections["default"].vendor != "postgresql":
        return []
    try:
        with connections["default"].temporary_connection():
            is_open = is_migrated() and lacks_seal()
    except (OperationalError, ProgrammingError):
        return []  # W010 and E007 say so
    sentence = "One person alone can give rights to others: run rights_seal as the owner."
    return [Warning(sentence, id="verification.W016")] if is_open else []
