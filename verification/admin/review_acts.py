"""What staff can do with one review: each act reads its part of a form and calls its service."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypedDict
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from verification.policy.terms import Decision, Priority
from verification.services import review_queue, reviews
from verification.services.errors import BadDecisionError, BadReasonError
from verification.services.runtime import Runtime, get_runtime

GLASS = "break-glass"
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
SNOOZES = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "1d": timedelta(days=1)}


class Who(TypedDict):
    """What every service takes."""

    attempt_id: UUID
    by: AbstractUser
    runtime: Runtime


@dataclass(frozen=True, slots=True)
class Posted:
    """A form that was sent about one attempt."""

    attempt_id: UUID
    by: AbstractUser
    form: QueryDict

    @property
    def who(self) -> Who:
        """Return the arguments that every service takes."""
        return {"attempt_id": self.attempt_id, "by": self.by, "runtime": get_runtime()}

    @property
    def note(self) -> str:
        """Return the note as it was typed."""
        return str(self.form.get("note", ""))

    @property
    def seen(self) -> str | None:
        """Return how the review stood on the page that holds the form."""
        return self.form.get("seen")


def read_decision(form: QueryDict) -> tuple[Decision, str]:
    """Return decision and reason code: the code stands with its decision, `approved:same_person`.

    A code that belongs to another decision than the chosen one is refused, never corrected.
    """
    wanted, code = form.get("decision", ""), form.get("reason_code", "")
    decision, _colon, code = code.rpartition(":")
    if wanted not in list(Decision):
        raise BadDecisionError(_("Choose a decision."))
    if not code or decision not in {"", wanted}:
        raise BadDecisionError(_("Choose a reason that explains this decision."))
    return Decision(wanted), code


def _take(posted: Posted) -> str:
    review_queue.take(**posted.who)
    return _("It is yours now.")


def _renew(posted: Posted) -> str:
    until = review_queue.renew(**posted.who)
    return _("It is yours until %(time)s.") % {"time": f"{timezone.localtime(until):%H:%M}"}


def _release(posted: Posted) -> str:
    review_queue.release(**posted.who)
    return _("You gave it back. Anybody can take it.")


def _decide(posted: Posted) -> str:
    decision, code = read_decision(posted.form)
    review = reviews.decide(
        **posted.who, decision=decision, reason_code=code, note=posted.note, seen=posted.seen
    )
    if review.needs_second:
        return _("Your proposal is on record. Somebody else must agree.")
    return _("Your decision is on record.")


def _second(posted: Posted) -> str:
    reviews.second(**posted.who, note=posted.note, seen=posted.seen)
    return _("You agreed: it is decided, on record.")


def _give_back(posted: Posted) -> str:
    reviews.give_back(**posted.who, note=posted.note, seen=posted.seen)
    return _("The proposal is returned. The review is open again.")


def _reopen(posted: Posted) -> str:
    reviews.reopen(**posted.who, note=posted.note)
    return _("The review is open. Two people decide.")


def _break_glass(posted: Posted) -> str:
    if "sure" not in posted.form:
        raise BadReasonError(_("Confirm that you decide alone."))
    decision, code = read_decision(posted.form)
    reviews.break_glass(
        **posted.who, decision=decision, reason_code=code, note=posted.note, seen=posted.seen
    )
    return _("You decided alone, on record. Somebody else must review it.")


def _review_glass(posted: Posted) -> str:
    reviews.review_glass(**posted.who, note=posted.note)
    return _("Your review of the broken glass is on record.")


def _note(posted: Posted) -> str:
    reviews.note(**posted.who, text=posted.note)
    return _("Your note is on record.")


def _snooze(posted: Posted) -> str:
    until = _until(posted)
    review_queue.snooze(**posted.who, until=until, note=posted.note)
    if until is None:
        return _("It is back on the desk.")
    return _("It is off the desk until then. When it is due stays the same.")


def _assign(posted: Posted) -> str:
    given = posted.form.get("assignee", "")
    if given and not NUMBER.fullmatch(given):
        raise BadReasonError(_("Choose somebody from the list."))
    review_queue.assign(**posted.who, assignee_id=int(given) if given else None)
    return _("It is assigned.") if given else _("Anybody can take it.")


def _prioritise(posted: Posted) -> str:
    given = posted.form.get("priority", "").upper()
    if given not in Priority.__members__:
        raise BadReasonError(_("Choose a priority from the list."))
    review_queue.prioritise(**posted.who, priority=Priority[given], note=posted.note)
    return _("The priority is changed.")


def _until(posted: Posted) -> datetime | None:
    """Return the end of a snooze: a span from now, a time of the person's zone, None to end it."""
    given = posted.form.get("until", "")
    if given == "now":
        return None
    if given in SNOOZES:
        return timezone.now() + SNOOZES[given]
    try:
        at = parse_datetime(posted.form.get("until_at", ""))
    except ValueError:
        at = None
    if at is None:
        raise BadReasonError(_("Choose until when."))
    return timezone.make_aware(at) if timezone.is_naive(at) else at


ACTS: Mapping[str, Callable[[Posted], str]] = MappingProxyType(
    {
        "take": _take,
        "renew": _renew,
        "release": _release,
        "decide": _decide,
        "second": _second,
        "return": _give_back,
        "reopen": _reopen,
        GLASS: _break_glass,
        "review-glass": _review_glass,
        "note": _note,
        "snooze": _snooze,
        "assign": _assign,
        "priority": _prioritise,
    }
)
"""Each act by the name in its address; it returns what to tell the person."""
