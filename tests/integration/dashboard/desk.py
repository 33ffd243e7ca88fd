"""A desk on which people work as the services let them, and what they did counted plainly."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median_low
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from tests.integration.ledger.lives import Lives, ahead
from tests.integration.reveals.conftest import make_person
from verification.models import Review, ReviewStep, RollupHandlingDay, RollupReviewDay
from verification.models.rollup import HANDLING_S
from verification.policy.terms import Decision
from verification.selectors.review_counts import COUNTS
from verification.selectors.review_figures import WorkFigures
from verification.services import reviews
from verification.services.runtime import Runtime

APPROVE: dict[str, Any] = {"decision": Decision.APPROVED, "reason_code": "same_person"}
REJECT: dict[str, Any] = {"decision": Decision.REJECTED, "reason_code": "attack_seen"}
STEPS = {
    "decided": "decided", "glass_broken": "decided", "proposed": "proposed",
    "returned": "returned", "noted": "noted",
}  # fmt: skip

Act = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Desk:
    """Three people, and attempts that are to be reviewed."""

    lives: Lives
    runtime: Runtime
    officer: User
    approver: User
    boss: User

    @classmethod
    def open(cls, lives: Lives, runtime: Runtime) -> "Desk":
        """Return one; roles are those of the migrations."""
        people = make_person("olga", "officer"), make_person("anna", "approver")
        return cls(lives, runtime, *people, User.objects.create_superuser("boss"))

    def new(self) -> UUID:
        """Return an attempt that the policy wants two people to look at."""
        return self.lives.submitted("sandbox:risk-tags", verbose="1", device_risk="1")

    def ways(self, attempt_id: UUID, every_s: float) -> list[Act]:
        """Return every way through one review, an act each `every_s` from its opening on."""
        given: dict[str, Any] = {"attempt_id": attempt_id}
        acts: list[Callable[[Runtime], object]] = [
            lambda r: reviews.note(**given, text="Hm.", by=self.officer, runtime=r),
            lambda r: reviews.decide(**given, **APPROVE, note="", by=self.officer, runtime=r),
            lambda r: reviews.give_back(**given, note="No.", by=self.approver, runtime=r),
            lambda r: reviews.decide(**given, **REJECT, note="", by=self.officer, runtime=r),
            lambda r: reviews.second(**given, note="", by=self.approver, runtime=r),
            lambda r: reviews.reopen(**given, note="Called.", by=self.approver, runtime=r),
            lambda r: reviews.decide(**given, **APPROVE, note="", by=self.officer, runtime=r),
            lambda r: reviews.break_glass(
                **given, **APPROVE, note="Alone.", by=self.boss, runtime=r
            ),
            lambda r: reviews.review_glass(**given, note="Yes.", by=self.approver, runtime=r),
            lambda r: reviews.reopen(**given, note="Again.", by=self.approver, runtime=r),
            lambda r: reviews.decide(**given, **APPROVE, note="", by=self.officer, runtime=r),
            lambda r: reviews.second(**given, note="", by=self.boss, runtime=r),
        ]
        return [
            (lambda act=act, s=number * every_s: act(ahead(self.runtime, s)))  # type: ignore[misc]
            for number, act in enumerate(acts, 1)
        ]

    def decided(self, every_s: float = 0.001) -> UUID:
        """Return an attempt that two people have rejected by now."""
        attempt_id = self.new()
        for act in self.ways(attempt_id, every_s)[:5]:
            act()
        return attempt_id


def hold() -> bool:
    """Return whether the rollups are what steps and reviews give, counted in Python."""
    rows = RollupReviewDay.objects.values("day", "client_id", "by_id", *COUNTS)
    found = {
        (row["day"], row["client_id"], row["by_id"]): {each: row[each] for each in COUNTS}
        for row in rows
    }
    times = RollupHandlingDay.objects.values_list("day", "client_id", "bucket", "count")
    assert Counter({tuple(key): number for *key, number in times}) == _handling()
    return found == _work()


def is_of(found: WorkFigures, inside: Callable[[datetime], bool]) -> bool:
    """Return whether figures are those of the steps and reviews at some times."""
    rows = _work(inside).values()
    totals = {each: sum(row[each] for row in rows) for each in COUNTS}
    for name in (*COUNTS[:6], "returned"):
        assert getattr(found, name) == totals[name], name
    for name in COUNTS[6:]:
        assert sum(getattr(each, name) for each in found.loads) == totals[name], name
    return _is_near(found.median_s, [took for at, took in _times() if inside(at)])


def _is_near(given: float | None, times: Iterable[float]) -> bool:
    listed = list(times)
    if given is None or not listed:
        return given is None and not listed
    middle = median_low(listed)
    return 0.91 * middle <= given <= 1.1 * middle or max(middle, given) <= HANDLING_S[0]


def _work(
    inside: Callable[[datetime], bool] = lambda _at: True,
) -> dict[tuple[datetime, UUID, int], dict[str, int]]:
    found: dict[Any, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    for step in ReviewStep.objects.select_related("review"):
        if inside(step.at):
            row = found[_day(step.at), step.review.client_id, step.by_id]
            if step.kind in STEPS:
                row[STEPS[step.kind]] += 1
    for each in Review.objects.filter(state="decided"):
        assert each.decided_at is not None
        if inside(each.decided_at):
            row = found[_day(each.decided_at), each.client_id, each.decided_by_id]
            row[str(each.decision)] += 1
            row["in_time"] += each.decided_at <= each.due_at
            row["seconded"] += each.proposed_by_id is not None
            row["glass"] += each.glass_broken
    return found


def _handling() -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for each in Review.objects.filter(state="decided"):
        assert each.decided_at is not None
        took = (each.decided_at - each.opened_at) / timedelta(seconds=1)
        bucket = sum(took >= top for top in HANDLING_S)
        found[_day(each.decided_at), each.client_id, bucket] += 1
    return found


def _times() -> list[tuple[datetime, float]]:
    return [
        (each.decided_at, (each.decided_at - each.opened_at) / timedelta(seconds=1))
        for each in Review.objects.filter(state="decided")
        if each.decided_at is not None
    ]


def _day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
