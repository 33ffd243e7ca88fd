"""Put on record who logs in to the admin, who is refused, and who logs out."""

from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser

from verification.ledger.canonical import canonical
from verification.services.entries import utc_text
from verification.services.runtime import Runtime
from verification.services.staging import stage
from verification.vault.digest import keyed_digest

LOGGED_IN = "staff.logged_in"
LOGIN_REFUSED = "staff.login_refused"
LOGGED_OUT = "staff.logged_out"


def record_login(*, person: AbstractUser, runtime: Runtime) -> None:
    """Stage that somebody logs in; who cannot be recorded must not be let in."""
    stage([_about(LOGGED_IN, person, runtime.now())])


def record_logout(*, person: AbstractUser, runtime: Runtime) -> None:
    """Stage that somebody logged out, or was logged out."""
    stage([_about(LOGGED_OUT, person, runtime.now())])


def record_refusal(*, typed: str, runtime: Runtime) -> None:
    """Stage that a login was refused.

    Of a name that no account has there is a keyed digest only: it may be a mistyped password.
    """
    user = get_user_model()
    person = user.objects.filter(**{user.USERNAME_FIELD: typed}).first()
    digest = keyed_digest(runtime.conf.digest_key, f"staff login:{typed}").hex()
    entry = {
        "at": utc_text(runtime.now()),
        "by": person.get_username() if person else None,
        "by_id": str(person.pk) if person else None,
        "kind": LOGIN_REFUSED,
        "name_digest": None if person else digest,
    }
    stage([canonical(entry)])


def _about(kind: str, person: AbstractUser, at: datetime) -> bytes:
    return canonical(
        {
            "at": utc_text(at),
            "by": person.get_username(),
            "by_id": str(person.pk),
            "kind": kind,
        }
    )
