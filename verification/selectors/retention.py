"""How long data is kept: the rules that hold, and when evidence and records are due."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from verification.models import Evidence, RetentionRule, RetentionRun, VerificationAttempt
from verification.models.retention import Kept

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Rules:
    """The newest rule of each kind and region."""

    by_place: dict[tuple[str, str | None, str | None], RetentionRule]

    def evidence(self, kind: str, region: str) -> RetentionRule:
        """Return the most particular rule for evidence of a kind and region."""
        return self._first((kind, region), (kind, None), (None, region), (None, None))

    def record(self, region: str) -> RetentionRule:
        """Return the most particular rule for records of a region."""
        places = ((Kept.RECORD.value, None, each) for each in (region, None))
        return next(self.by_place[each] for each in places if each in self.by_place)

    def longest(self, kinds: Iterable[str], region: str) -> RetentionRule:
        """Return the rule that keeps a key, which is one for all evidence of an attempt."""
        found = {rule.pk: rule for rule in (self.evidence(kind, region) for kind in kinds)}
        return min(found.values(), key=lambda rule: (-rule.days, rule.pk))

    def least_days(self, what: str) -> int:
        """Return below which age no evidence is due, or no record."""
        return min(rule.days for rule in self.by_place.values() if rule.what == what)

    def _first(self, *places: tuple[str | None, str | None]) -> RetentionRule:
        wanted = ((Kept.EVIDENCE.value, *each) for each in places)
        return next(self.by_place[each] for each in wanted if each in self.by_place)


def rules_in_force() -> Rules:
    """Read the rules; of those for the same kind and region the newest holds."""
    rows = RetentionRule.objects.order_by("recorded_at", "id")
    return Rules({(row.what, row.kind, row.region): row for row in rows})


def record_due(created_at: datetime, region: str) -> datetime:
    """Return when the retention of a record ends."""
    return created_at + timedelta(days=rules_in_force().record(region).days)


def evidence_due(attempt: VerificationAttempt) -> datetime:
    """Return when the longest rule of an attempt's evidence has run out.

    Counted from the attempt's creation. An attempt that has no evidence yet is taken by the rule
    for every kind.
    """
    rules = rules_in_force()
    kinds = set(Evidence.objects.filter(attempt=attempt).values_list("kind", flat=True))
    rule = rules.longest(kinds or {""}, attempt.region)
    return attempt.created_at + timedelta(days=rule.days)


def rules_as_recorded(limit: int = SHOWN) -> list[tuple[RetentionRule, bool]]:
    """Return the newest rules and whether each one still holds, newest first."""
    in_force = {rule.pk for rule in rules_in_force().by_place.values()}
    rows = RetentionRule.objects.select_related("recorded_by").order_by("-recorded_at", "-id")
    return [(row, row.pk in in_force) for row in rows[:limit]]


def open_run() -> RetentionRun | None:
    """Return the run that waits or works; there is one at most."""
    return _runs().filter(finished_at=None).first()


def recent_runs(limit: int = SHOWN) -> QuerySet[RetentionRun]:
    """Return the runs, newest first."""
    return _runs()[:limit]


def find_run(run_id: UUID) -> RetentionRun | None:
    """Return a run with its people."""
    return _runs().filter(pk=run_id).first()


def _runs() -> QuerySet[RetentionRun]:
    return RetentionRun.objects.select_related("asked_by", "decided_by", "finished_by")
