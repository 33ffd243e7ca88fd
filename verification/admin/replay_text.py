"""What a what-if has counted, as tables to read."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from verification.admin.fragments import day, plain
from verification.admin.numbers import grouped, localised
from verification.admin.policy_wording import PRIORITIES, REASONS, UNJUDGED, VERDICTS
from verification.models import ApiClient
from verification.policy.terms import Verdict
from verification.services.tally import AFTER, BEFORE
from verification.services.tally import UNJUDGED as NO_VERDICT

Numbers = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """Attempts that had one verdict, by the one they would have; `same` is the place of it."""

    label: str
    counts: tuple[int, ...]
    same: int | None

    @property
    def cells(self) -> tuple[tuple[int, str], ...]:
        """The counts, each with how it is written."""
        return tuple((each, grouped(each)) for each in self.counts)


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure on record, the same by the other version, and what that adds."""

    label: str
    before: int
    after: int

    @property
    def before_shown(self) -> str:
        """The figure on record, as it is written."""
        return grouped(self.before)

    @property
    def after_shown(self) -> str:
        """The figure by the other version, as it is written."""
        return grouped(self.after)

    @property
    def change(self) -> str:
        """Return the difference with its sign."""
        return localised(f"{self.after - self.before:+,}") if self.after != self.before else "0"


@dataclass(frozen=True, slots=True)
class Flip:
    """An attempt that would have another verdict; or how many of a client would."""

    label: str
    address: str | None
    before: str
    after: str
    count: int = 1

    @property
    def count_shown(self) -> str:
        """The number of attempts, as it is written."""
        return grouped(self.count)


def matrix(result: Mapping[str, Any]) -> list[MatrixRow]:
    """Return the verdicts on record against those of the version; a row for each on record."""
    changes: Numbers = result.get("changes", {})
    labels = {**{each.value: str(VERDICTS[each]) for each in Verdict}, NO_VERDICT: str(UNJUDGED)}
    rows = [
        MatrixRow(
            label,
            tuple(changes.get(f"{before}|{after.value}", 0) for after in Verdict),
            next((place for place, after in enumerate(Verdict) if after == before), None),
        )
        for before, label in labels.items()
    ]
    return [row for row in rows if row.same is not None or any(row.counts)]


def flips_in_all(result: Mapping[str, Any]) -> int:
    """Return how many attempts would have another verdict than the one on record."""
    changes: Numbers = result.get("changes", {})
    pairs = ((key.split("|"), number) for key, number in changes.items())
    return sum(n for (before, after), n in pairs if before not in {after, NO_VERDICT})


def by_reason(result: Mapping[str, Any]) -> list[Compared]:
    """Return how often each reason was found, and would be."""
    words = {reason.value: str(label) for reason, label in REASONS.items()}
    return _compared(result.get("reasons", {}), words)


def of_queue(result: Mapping[str, Any]) -> list[Compared]:
    """Return how many reviews there were and would be, by priority and by who must decide."""
    words = {each.name.lower(): str(label) for each, label in PRIORITIES.items()}
    return _compared(result.get("queue", {}), {**words, "second": _("two people decide")})


def by_day(result: Mapping[str, Any]) -> list[Compared]:
    """Return the reviews that each day opened and would have opened, newest first."""
    days: Numbers = result.get("days", {})
    names = sorted({key.split("|")[0] for key in days}, reverse=True)
    return [
        Compared(
            day(date.fromisoformat(name)),
            days.get(f"{name}|{BEFORE}", 0),
            days.get(f"{name}|{AFTER}", 0),
        )
        for name in names
    ]


def by_client(result: Mapping[str, Any]) -> list[Flip]:
    """Return how many attempts of each client would change how, the most first."""
    counted: Numbers = result.get("clients", {})
    rows = [(key.split("|"), number) for key, number in counted.items()]
    names = _client_names({client for (client, _before, _after), _ in rows})
    flips = [
        Flip(names.get(client, client), None, _verdict(before), _verdict(after), number)
        for (client, before, after), number in rows
    ]
    return sorted(flips, key=lambda each: (-each.count, each.label, each.before, each.after))


def sample(result: Mapping[str, Any]) -> list[Flip]:
    """Return the attempts that were kept to be looked at, with their addresses."""
    flips: Sequence[Sequence[str]] = result.get("flips", [])
    name = "admin:verification_verificationattempt_change"
    return [
        Flip(attempt, reverse(name, args=[UUID(attempt)]), _verdict(before), _verdict(after))
        for attempt, before, after in flips
    ]


def _compared(counted: Numbers, words: Mapping[str, str]) -> list[Compared]:
    sides = {BEFORE: Counter[str](), AFTER: Counter[str]()}
    for key, number in counted.items():
        when, word = key.split("|")
        sides[when][word] += number
    rows = [Compared(label, sides[BEFORE][k], sides[AFTER][k]) for k, label in words.items()]
    return [row for row in rows if row.before or row.after]


def _client_names(ids: Iterable[str]) -> Mapping[str, str]:
    found = ApiClient.objects.filter(pk__in=[UUID(each) for each in ids])
    return {str(pk): plain(name) for pk, name in found.values_list("pk", "name")}


def _verdict(word: str) -> str:
    return str(VERDICTS[Verdict(word)])
