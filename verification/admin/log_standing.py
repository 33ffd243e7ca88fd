"""How the log stands, in one line for the foot of every page of the site.

Size and root of the newest checkpoint are printed there in order to leave the database: on a
screenshot or on paper they are an anchor that a later rewrite of the log cannot reach.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from verification.admin.fragments import moment
from verification.admin.log_fragments import age, checkpoint_address
from verification.admin.log_listing import entries_counted
from verification.admin.numbers import grouped
from verification.ledger.keys import encode_base64
from verification.models import LedgerVerification
from verification.selectors.log_pages import LogHead, log_head

logger = logging.getLogger("verification.admin")

TIMEOUT_MS = 500
LATE_S, OVERDUE_S = 60, 300
SHORT_ROOT = 8


@dataclass(frozen=True, slots=True)
class SealLine:
    """The newest checkpoint; `root` is in Base64, as in the signed note, in two parts."""

    address: str
    size: str
    age: str
    made: SafeString
    tone: str
    warning: str
    root: str
    root_rest: str


@dataclass(frozen=True, slots=True)
class VerifiedLine:
    """The last verification of the whole log."""

    when: SafeString
    holds: bool


@dataclass(frozen=True, slots=True)
class LogStanding:
    """What the foot says; `size`, in words, is None where the log cannot be read."""

    size: str | None
    seal: SealLine | None = None
    verified: VerifiedLine | None = None


def log_standing() -> LogStanding:
    """Return how the log stands; it never raises for what the database may do or hold."""
    try:
        head = log_head(timeout_ms=TIMEOUT_MS)
        return LogStanding(entries_counted(head.size), _seal_line(head), _verified_line(head))
    except (DatabaseError, ValueError, OverflowError) as error:
        logger.warning("the log's state could not be read: %s", type(error).__name__)
        return LogStanding(None)


def _seal_line(head: LogHead) -> SealLine | None:
    if head.sealed is None or head.root is None or head.made_at is None:
        return None
    root = encode_base64(head.root)
    tone, warning = _lateness(head.made_at)
    return SealLine(
        checkpoint_address(head.sealed),
        grouped(head.sealed),
        age(head.made_at),
        moment(head.made_at),
        tone,
        warning,
        root[:SHORT_ROOT],
        root[SHORT_ROOT:],
    )


def _lateness(made_at: datetime) -> tuple[str, str]:
    """Return a tone and the words that say the same."""
    seconds = (timezone.now() - made_at).total_seconds()
    if seconds > OVERDUE_S:
        return "bad", _("overdue: nothing is being sealed")
    return ("warn", _("late")) if seconds > LATE_S else ("plain", "")


def _verified_line(head: LogHead) -> VerifiedLine | None:
    if head.verified_at is None:
        return None
    return VerifiedLine(moment(head.verified_at), head.result == LedgerVerification.Result.HELD)
