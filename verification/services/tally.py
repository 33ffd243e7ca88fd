"""What a what-if counts: how a version's judgements differ from those on record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from verification.policy.document import Policy
from verification.policy.judging import Judgement, needs_second, priority
from verification.policy.terms import Priority, Reason, Verdict

MOST_FLIPS = 1000
MOST_OF_A_KIND = 250
"""So many attempts are kept to be looked at, in all and of each change; the newest."""

UNJUDGED = "none"
"""Stands for the verdict of an attempt that nobody has judged."""

BEFORE, AFTER = "before", "after"
COUNTERS = ("changes", "reasons", "clients", "days", "queue")


@dataclass(slots=True)
class Tally:
    """Counts so far. Keys are words with a `|` between.

    changes: verdict before, verdict after (all attempts).  reasons: before or after, reason.
    clients: client, verdict before, verdict after (flips).  days: day in UTC, before or after
    (reviews).  queue: before or after, what is asked of reviews.  `flips` are attempt, before,
    after; `other_reasons` counts attempts that keep their verdict for other reasons.
    """

    changes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    queue: Counter[str] = field(default_factory=Counter)
    other_reasons: int = 0
    flips: list[list[str]] = field(default_factory=list)
    _kept: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        at: datetime,
        attempt_id: UUID,
        client_id: UUID,
        verdict: str | None,
        reasons: Sequence[str],
        judged_by: Policy | None,
        policy: Policy,
        judgement: Judgement,
    ) -> None:
        """Count one attempt; `judged_by` is the policy that has judged it, None if none has."""
        before, after = verdict or UNJUDGED, judgement.verdict.value
        change = f"{before}|{after}"
        self.changes[change] += 1
        for each in reasons:
            self.reasons[f"{BEFORE}|{each}"] += 1
        for each in judgement.reasons:
            self.reasons[f"{AFTER}|{each}"] += 1
        if after == Verdict.REVIEW:
            self._queue(at, AFTER, policy, judgement.reasons)
        if before == Verdict.REVIEW and judged_by is not None:
            self._queue(at, BEFORE, judged_by, [Reason(each) for each in reasons])
        if before == after:
            self.other_reasons += tuple(reasons) != judgement.reasons
        elif before != UNJUDGED:
            self.clients[f"{client_id}|{change}"] += 1
            self._keep(str(attempt_id), change)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        counts: dict[str, Any] = {name: dict(getattr(self, name)) for name in COUNTERS}
        return {**counts, "other_reasons": self.other_reasons, "flips": self.flips}

    def _queue(self, at: datetime, when: str, policy: Policy, reasons: Sequence[Reason]) -> None:
        self.days[f"{at.astimezone(UTC).date().isoformat()}|{when}"] += 1
        self.queue[f"{when}|{priority(policy, reasons).name.lower()}"] += 1
        self.queue[f"{when}|second"] += needs_second(policy, reasons)

    def _keep(self, attempt_id: str, change: str) -> None:
        if len(self.flips) < MOST_FLIPS and self._kept[change] < MOST_OF_A_KIND:
            self._kept[change] += 1
            self.flips.append([attempt_id, *change.split("|")])


def read_tally(stored: Mapping[str, Any]) -> Tally:
    """Return a tally to be continued; an empty one of an empty mapping."""
    counters = {name: Counter(stored.get(name, {})) for name in COUNTERS}
    flips = [list(each) for each in stored.get("flips", [])]
    kept = Counter("|".join(each[1:]) for each in flips)
    other = int(stored.get("other_reasons", 0))
    return Tally(**counters, other_reasons=other, flips=flips, _kept=kept)


QUEUE_PARTS = (*(each.name.lower() for each in Priority), "second")
"""What is counted of reviews."""
