"""How commands issue keys: the options they share, and the lines they print."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError

from verification.conf import get_conf
from verification.models import ApiClient
from verification.services.clients import issue_bearer_key, issue_key_pair

MAX_LIFE_DAYS = 3650


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """What kind of key, and how long it lives; None: until it is revoked."""

    is_pair: bool
    life: timedelta | None


def add_key_arguments(parser: ArgumentParser) -> None:
    """Add `--key-pair` and `--expires-in-days`."""
    parser.add_argument(
        "--key-pair",
        action="store_true",
        help="a FaceID api_key and api_secret for the drop-in endpoints instead of a bearer key",
    )
    parser.add_argument(
        "--expires-in-days",
        type=int,
        metavar="DAYS",
        help=f"1 to {MAX_LIFE_DAYS}; without it the key lives until it is revoked",
    )


def read_key_choice(options: Mapping[str, Any]) -> KeyChoice:
    """Return the choice of parsed options; CommandError if the life is out of range."""
    days = options["expires_in_days"]
    if days is None:
        return KeyChoice(options["key_pair"], None)
    if not 1 <= days <= MAX_LIFE_DAYS:
        raise CommandError(f"--expires-in-days takes 1 to {MAX_LIFE_DAYS}.")
    return KeyChoice(options["key_pair"], timedelta(days=days))


def issue(client: ApiClient, choice: KeyChoice, now: datetime) -> list[str]:
    """Issue a key and return the lines that show it, the only time it can be shown."""
    expires_at = now + choice.life if choice.life else None
    lines = [f"client      {client.name}", f"scopes      {', '.join(client.scopes)}"]
    if choice.is_pair:
        keyring = get_conf().keyring
        pair = issue_key_pair(client=client, keyring=keyring, now=now, expires_at=expires_at)
        lines += [f"api_key     {pair.key.public_id}", f"api_secret  {pair.secret}"]
    else:
        bearer = issue_bearer_key(client=client, now=now, expires_at=expires_at)
        lines += [f"key         {bearer.secret}"]
    lines += [f"expires     {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else "expires     never"]
    return [*lines, "Keep it now: it cannot be shown again."]
