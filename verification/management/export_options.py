"""Options that the commands share which write attempts: what is asked for, by whom, as of when."""

import os
import pwd
import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from uuid import UUID

from django.core.management.base import CommandError

from verification.lifecycle import State
from verification.models import ApiClient, ExportRequest, LedgerCheckpoint
from verification.models.export import ExportDecision
from verification.selectors.as_of import newest_repeatable, repeatable_checkpoint
from verification.selectors.export_columns import COLUMNS, Column
from verification.selectors.export_form import choose_columns

MAX_BY_CHARS = 150
LATEST = "latest"
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def add_filters(parser: ArgumentParser) -> None:
    """Take the filters that the log's entries tell openly."""
    parser.add_argument("--client", metavar="NAME", help="of this API client only")
    parser.add_argument("--state", type=State, choices=list(State))
    parser.add_argument(
        "--created-from", type=read_instant, metavar="TIME", help="inclusive, ISO 8601"
    )
    parser.add_argument(
        "--created-before", type=read_instant, metavar="TIME", help="exclusive, ISO 8601"
    )


def add_form(parser: ArgumentParser) -> None:
    """Take columns, and who takes them."""
    parser.add_argument(
        "--columns", type=read_columns, default=COLUMNS, metavar="NAMES", help="id,state,..."
    )
    parser.add_argument(
        "--by",
        type=read_by,
        metavar="NAME",
        help="who takes the export, as it stands in the log; by default the system's user",
    )


def add_approved(parser: ArgumentParser) -> None:
    """Take a request that a second person has agreed to."""
    parser.add_argument(
        "--approved",
        type=UUID,
        metavar="REQUEST",
        help="attempts, columns and layout of this request, which somebody has approved",
    )


def approved_request(request_id: UUID, *, now: datetime) -> ExportRequest:
    """Return a request that may be taken now; CommandError if it may not."""
    row = ExportRequest.objects.filter(pk=request_id).first()
    if row is None:
        raise CommandError("There is no such request.")
    if row.decision != ExportDecision.APPROVED or row.repeats or row.expires_at is None:
        raise CommandError("Nobody has agreed to this export.")
    if row.expires_at <= now:
        raise CommandError("The approval has expired: ask anew.")
    return row


def read_instant(text: str) -> datetime:
    """Read ISO 8601 with an offset, `2026-01-31T00:00:00Z`; without one it would be a guess."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ArgumentTypeError(f"{text!r} lacks an offset: append Z for UTC")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is not an ISO 8601 time") from None


def read_columns(text: str) -> tuple[Column, ...]:
    """Read the names of columns, with commas between."""
    try:
        return choose_columns(text.split(","))
    except KeyError as error:
        raise ArgumentTypeError(f"there is no column {error}: docs/reference/csv.md") from None


def read_as_of(text: str) -> str:
    """Read a size of the log, or the word for the newest."""
    if text != LATEST and not NUMBER.fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is neither a size of the log nor {LATEST!r}")
    return text


def read_by(text: str) -> str:
    """Read who takes the export."""
    if not 1 <= len(text) <= MAX_BY_CHARS or not text.isprintable():
        raise ArgumentTypeError(f"a name has 1 to {MAX_BY_CHARS} printable characters")
    return text


def os_user() -> str:
    """Return the name of the user that this process runs as, or its number."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def checkpoint_named(as_of: str | None) -> LedgerCheckpoint | None:
    """Return the checkpoint of a size, or the newest; CommandError if it does not serve."""
    if as_of is None:
        return None
    found = newest_repeatable() if as_of == LATEST else repeatable_checkpoint(int(as_of))
    if found is None:
        raise CommandError(
            "There is no checkpoint of that size as of which an export can be repeated."
        )
    return found


def client_named(name: str | None) -> ApiClient | None:
    """Return the API client of a name; CommandError if there is none."""
    if name is None:
        return None
    try:
        return ApiClient.objects.get(name=name)
    except ApiClient.DoesNotExist:
        raise CommandError("There is no API client of that name") from None
