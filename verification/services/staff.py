"""Put on record who logs in to the admin, who is refused, who logs out, and whose factor changes.

A flood of refused logins does not fill the log: of each minute the first ones are entries, and
the worker adds how many there were.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction

from verification.ledger.canonical import Json, canonical
from verification.services.entries import utc_text
from verification.services.runtime import Runtime
from verification.services.staging import stage
from verification.vault.digest import keyed_digest

PASSWORD_GIVEN = "staff.password_given"  # noqa: S105 - the name of a kind
LOGGED_IN = "staff.logged_in"
LOGIN_REFUSED = "staff.login_refused"
LOGINS_REFUSED = "staff.logins_refused"
LOGGED_OUT = "staff.logged_out"
FACTOR_CHANGED = "staff.second_factor_changed"

MOST_REFUSALS = 20
"""Of one minute that are entries of their own."""

COUNT = """
    INSERT INTO verification_login_minute AS known (minute, refused) VALUES (%s, 1)
    ON CONFLICT (minute) DO UPDATE SET refused = known.refused + 1
    RETURNING refused
"""
CLOSE = """
    DELETE FROM verification_login_minute WHERE minute < %s RETURNING minute, refused
"""


class Step(StrEnum):
    """What was refused: the password, the code, or any more tries."""

    PASSWORD = "password"  # noqa: S105 - a word of an entry
    CODE = "code"
    LOCKED = "locked"


class FactorChange(StrEnum):
    """What became of a second factor."""

    ENROLLED = "enrolled"
    CODES_RENEWED = "codes_renewed"
    RESET = "reset"


def record_password(*, person: AbstractUser, runtime: Runtime) -> None:
    """Stage that somebody gave the right password, and owes the second factor still."""
    stage([canonical(_about(PASSWORD_GIVEN, person, runtime.now()))])


def record_login(*, person: AbstractUser, proved_by: str, runtime: Runtime) -> None:
    """Stage that somebody logs in; who cannot be recorded must not be let in.

    `proved_by` is `password`, or what the second factor was.
    """
    stage([canonical({**_about(LOGGED_IN, person, runtime.now()), "proved_by": proved_by})])


def record_logout(*, person: AbstractUser, runtime: Runtime) -> None:
    """Stage that somebody logged out, or was logged out."""
    stage([canonical(_about(LOGGED_OUT, person, runtime.now()))])


def record_factor(
    *,
    change: FactorChange,
    of: AbstractUser,
    by: AbstractUser | str,
    reason: str | None = None,
    runtime: Runtime,
) -> None:
    """Stage that somebody's second factor changed; `by` is an operator if it is a text."""
    who: dict[str, Json] = (
        {"at": utc_text(runtime.now()), "by": by, "by_id": None, "kind": FACTOR_CHANGED}
        if isinstance(by, str)
        else _about(FACTOR_CHANGED, by, runtime.now())
    )
    about = {"change": change.value, "of": of.get_username(), "of_id": str(of.pk), "reason": reason}
    stage([canonical({**who, **about})])


def record_refusal(*, typed: str, step: Step = Step.PASSWORD, runtime: Runtime) -> None:
    """Count a refused login, and stage it unless the minute has had MOST_REFUSALS.

    Of a name that no account has there is a keyed digest only: it may be a mistyped password.
    """
    at = runtime.now()
    with transaction.atomic():
        if _count_refusal(at) <= MOST_REFUSALS:
            stage([_refusal(typed, step, at, runtime)])


def close_minutes(*, runtime: Runtime) -> None:
    """Stage how many logins were refused in each minute that had too many for entries.

    For the worker, once a minute. A minute is over when another one has passed, so that what was
    being counted in it has committed.
    """
    over = (runtime.now() - timedelta(minutes=1)).replace(second=0, microsecond=0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CLOSE, [over])
        stage(
            _flood(minute, refused, runtime.now())
            for minute, refused in sorted(cursor.fetchall())
            if refused > MOST_REFUSALS
        )


def _count_refusal(at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [at.replace(second=0, microsecond=0)])
        return int(cursor.fetchone()[0])


def _refusal(typed: str, step: Step, at: datetime, runtime: Runtime) -> bytes:
    user = get_user_model()
    person = user.objects.filter(**{user.USERNAME_FIELD: typed}).first()
    digest = keyed_digest(runtime.conf.digest_key, f"staff login:{typed}").hex()
    return canonical(
        {
            "at": utc_text(at),
            "by": person.get_username() if person else None,
            "by_id": str(person.pk) if person else None,
            "kind": LOGIN_REFUSED,
            "name_digest": None if person else digest,
            "step": step.value,
        }
    )


def _flood(minute: datetime, refused: int, at: datetime) -> bytes:
    return canonical(
        {
            "at": utc_text(at),
            "count": refused,
            "kind": LOGINS_REFUSED,
            "minute": utc_text(minute),
            "recorded": MOST_REFUSALS,
        }
    )


def _about(kind: str, person: AbstractUser, at: datetime) -> dict[str, Json]:
    return {
        "at": utc_text(at),
        "by": person.get_username(),
        "by_id": str(person.pk),
        "kind": kind,
    }
