"""Demonstration staff and the demonstration client; made once, then kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.models import Group, User
from django.db import transaction

from verification.models import ApiClient
from verification.models.client import Scope
from verification.selectors.rights_changes import is_sealed
from verification.services.clients import create_client, issue_bearer_key, revoke_key
from verification.services.rights import seal_rights
from verification.services.roles import ROLES, ensure_roles
from verification.services.runtime import get_runtime

CLIENT_NAME = "demo-onboarding"
RUN_KEY_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Credential:
    """What is shown once; `secret` is None if it was made, and shown, in an earlier run."""

    name: str
    secret: str | None = field(repr=False)


def ensure_staff(password: Callable[[], str]) -> tuple[Credential, ...]:
    """Make one member of staff for each role, who can log in to the admin; safe to repeat."""
    ensure_roles()
    return tuple(_ensure_member(role, password) for role in ROLES)


def ensure_seal() -> None:
    """Let rights grow by two people only, as in production; safe to repeat."""
    if not is_sealed():
        seal_rights(runtime=get_runtime())


def _ensure_member(role: str, password: Callable[[], str]) -> Credential:
    with transaction.atomic():
        user, is_new = User.objects.get_or_create(username=role, defaults={"is_staff": True})
        if not is_new:
            return Credential(role, None)
        secret = password()
        user.set_password(secret)
        user.save(update_fields=["password"])
        user.groups.add(Group.objects.get(name=role))
    return Credential(role, secret)


def ensure_client(now: datetime) -> Credential:
    """Make the demonstration client with every scope and one key; safe to repeat."""
    with transaction.atomic():
        if ApiClient.objects.filter(name=CLIENT_NAME).exists():
            return Credential(CLIENT_NAME, None)
        client = create_client(name=CLIENT_NAME, scopes=list(Scope.values), now=now)
        return Credential(CLIENT_NAME, issue_bearer_key(client=client, now=now).secret)


@contextmanager
def run_key(clock: Callable[[], datetime]) -> Iterator[str]:
    """Lend a key of the demonstration client, revoked at the end; it lives an hour at most.

    The key that was shown is stored as a digest, so a run cannot use it.
    """
    client = ApiClient.objects.get(name=CLIENT_NAME)
    now = clock()
    issued = issue_bearer_key(client=client, now=now, expires_at=now + RUN_KEY_LIFE)
    try:
        yield issued.secret
    finally:
        revoke_key(key=issued.key, now=clock())
