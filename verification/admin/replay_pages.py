"""What the pages of what-ifs show."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from verification.admin import replay_text
from verification.admin.fragments import brief_moment, moment, text
from verification.admin.numbers import grouped
from verification.admin.policy_wording import STATES, VERDICTS
from verification.models import PolicyReplay
from verification.models.policy import ENDED, ReplayState
from verification.policy.terms import Verdict

DAYS = ((1, _("the last day")), (7, _("the last 7 days")), (30, _("the last 30 days")),
        (90, _("the last 90 days")), (366, _("the last 366 days")))  # fmt: skip
WHOLE = 100


def replay_rows(
    replays: Iterable[PolicyReplay], address: Callable[[UUID], str]
) -> list[dict[str, Any]]:
    """Return the what-ifs of a version, for its page."""
    return [
        {
            "address": address(each.pk),
            "days": each.days,
            "state": STATES[each.state][0],
            "by": text(each.asked_by.get_username()),
            "when": brief_moment(each.asked_at),
        }
        for each in replays
    ]


def replay_context(replay: PolicyReplay, state: SafeString) -> dict[str, Any]:
    """Return what the page of one what-if shows; what it has counted so far, if it was cancelled.

    While it runs, there is progress and no figure: half a result would be read as a whole one.
    """
    is_ended = replay.state in ENDED
    shown = replay.result if is_ended and replay.state != ReplayState.FAILED else {}
    return {
        "replay": replay,
        "state": state,
        "is_ended": is_ended,
        "is_partial": replay.state == ReplayState.CANCELLED,
        "has_failed": replay.state == ReplayState.FAILED,
        "percent": WHOLE * replay.done // replay.total if replay.total else 0,
        "done": grouped(replay.done),
        "total": grouped(replay.total),
        "asked": moment(replay.asked_at),
        "finished": moment(replay.finished_at) if replay.finished_at else None,
        "asked_by": text(replay.asked_by.get_username()),
        "verdicts": [str(VERDICTS[each]) for each in Verdict],
        "matrix": replay_text.matrix(shown),
        "flips": replay_text.flips_in_all(shown),
        "flips_shown": grouped(replay_text.flips_in_all(shown)),
        "other_reasons": shown.get("other_reasons", 0),
        "other_reasons_shown": grouped(shown.get("other_reasons", 0)),
        "reasons": replay_text.by_reason(shown),
        "queue": replay_text.of_queue(shown),
        "by_day": replay_text.by_day(shown),
        "clients": replay_text.by_client(shown),
        "sample": replay_text.sample(shown),
    }
