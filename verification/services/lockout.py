"""Slow down whoever guesses passwords, without keeping names or addresses.

A try counts before the password is looked at, so that guesses at the same moment count, too.
"""

from datetime import datetime, timedelta

from django.db import connection

from verification.models import LoginTry
from verification.services.errors import TooManyTriesError
from verification.services.runtime import Runtime
from verification.vault.digest import keyed_digest

MOST_FAILURES = 5
LOCKED_FOR = timedelta(minutes=15)

CLAIM = """
    INSERT INTO verification_login_try AS known (digest, failures, expires_at)
    VALUES (%(digest)s, 1, %(expires_at)s)
    ON CONFLICT (digest) DO UPDATE SET
        failures = CASE WHEN known.expires_at <= %(now)s THEN 1
                        ELSE least(known.failures, %(most)s) + 1 END,
        expires_at = CASE WHEN known.expires_at <= %(now)s OR known.failures < %(most)s
                          THEN %(expires_at)s ELSE known.expires_at END
    RETURNING failures, expires_at
"""
"""A lock ends 15 minutes after the fifth failure, however often it is knocked at meanwhile."""


def claim_try(*, typed: str, address: str, runtime: Runtime) -> None:
    """Count a try to log in under a typed name from an address, before its password is checked.

    Raises TooManyTriesError after MOST_FAILURES failures in a row, for LOCKED_FOR, whether there
    is such an account or not.
    """
    now = runtime.now()
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM,
            {
                "digest": _digest(typed, address, runtime),
                "expires_at": now + LOCKED_FOR,
                "now": now,
                "most": MOST_FAILURES,
            },
        )
        failures, until = cursor.fetchone()
    if failures > MOST_FAILURES:
        raise TooManyTriesError(until)


def forget_tries(*, typed: str, address: str, runtime: Runtime) -> None:
    """Forget the failures, because the password was right."""
    LoginTry.objects.filter(digest=_digest(typed, address, runtime)).delete()


def forget_expired_tries(*, now: datetime) -> int:
    """Delete what holds nobody up any more; returns how many rows that were."""
    return LoginTry.objects.filter(expires_at__lte=now).delete()[0]


def _digest(typed: str, address: str, runtime: Runtime) -> str:
    return keyed_digest(runtime.conf.digest_key, f"login try:{address}:{typed}").hex()
