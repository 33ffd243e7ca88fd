"""The charts of the dashboard: outcomes, verdicts and rates over time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from verification.admin.charts import Chart, Column, Mark, Series, lines, percent, stacked
from verification.admin.fragments import day_of_year
from verification.admin.numbers import grouped
from verification.admin.pills import OUTCOMES
from verification.models.rollup import Figure
from verification.outcomes import Outcome
from verification.policy.terms import Verdict
from verification.selectors.figures import Counts, FigureSeries, Span, Step

COMPARED = (Outcome.VERIFIED.value, Outcome.DIFFERENT_PERSON.value)
VERDICTS = {
    Verdict.APPROVED: gettext_lazy("Approved"),
    Verdict.REVIEW: gettext_lazy("To review"),
    Verdict.REJECTED: gettext_lazy("Rejected"),
    Verdict.RETRY: gettext_lazy("Retry"),
}
WIDTHS = {Step.HOUR: timedelta(hours=1), Step.DAY: timedelta(days=1), Step.WEEK: timedelta(days=7)}


def _attempts_list() -> str:
    return reverse("admin:verification_verificationattempt_changelist")


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the figures of a span lead: lists with the same client, region and days."""

    kept: Mapping[str, str]
    attempts_list: str = field(default_factory=_attempts_list)
    """Found once: a page has hundreds of links."""

    def attempts(self, first: date, last: date, **filters: str) -> str:
        """Return the list of attempts of some days."""
        return self.narrowed((first, last), filters)

    def narrowed(self, days: tuple[date, date], filters: Mapping[str, str]) -> str:
        """Return the same for filters whose names are computed."""
        first, last = (each.isoformat() for each in days)
        given = {**self.kept, "since": first, "until": last, **filters}
        return f"{self.attempts_list}?{urlencode(given)}"

    def desk(self, **filters: str) -> str:
        """Return the list of reviews that wait now; it knows clients and no regions."""
        kept = {name: value for name, value in self.kept.items() if name == "client"}
        address = reverse("admin:verification_review_changelist")
        return f"{address}?{urlencode({**kept, **filters})}"


class Place(NamedTuple):
    """A step of a span: its local beginning, and the days that it is of.

    `is_partial`: more may be counted.
    """

    at: datetime
    label: str
    days: tuple[date, date]
    is_partial: bool


def outcome_chart(places: Iterable[Place], found: FigureSeries, doors: Doors) -> Chart:
    """Draw the answers by outcome."""
    names = {each.value: _(OUTCOMES[each][0]) for each in Outcome}
    return _counted(_("Attempts by outcome"), "outcome", names, (places, found, doors))


def verdict_chart(places: Iterable[Place], found: FigureSeries, doors: Doors) -> Chart:
    """Draw the attempts by what the policy said."""
    names = {each.value: str(name) for each, name in VERDICTS.items()}
    return _counted(_("Attempts by the policy's verdict"), "verdict", names, (places, found, doors))


def _counted(
    title: str,
    parameter: str,
    names: Mapping[str, str],
    what: tuple[Iterable[Place], FigureSeries, Doors],
) -> Chart:
    """Stack the counts of some members; each leads to the list narrowed by `parameter`."""
    places, found, doors = what
    columns = [
        Column(
            each.label,
            tuple(
                _count(number, doors.narrowed(each.days, {parameter: member}))
                if (number := found.steps.get(each.at, {}).get(member))
                else None
                for member in names
            ),
            each.is_partial,
        )
        for each in places
    ]
    series = [Series(name, f"series-{member}") for member, name in names.items()]
    return stacked(title, columns, series)


def rate_chart(
    places: Iterable[Place], found: Mapping[Figure, FigureSeries], doors: Doors
) -> Chart:
    """Draw suspected attacks among answers that looked for them, and mismatches among compared."""
    series = [
        Series(_("Attacks suspected"), "series-attack"),
        Series(_("Mismatches"), "series-other"),
    ]
    looked, outcomes = found[Figure.ATTACK].steps, found[Figure.OUTCOME].steps
    columns = [
        Column(
            each.label,
            (
                _attacks(looked.get(each.at, {}), each, doors),
                _mismatches(outcomes.get(each.at, {}), each, doors),
            ),
            each.is_partial,
        )
        for each in places
    ]
    return lines(_("Attack and mismatch rates"), columns, series)


def places_of(span: Span, *, now: datetime, counted: datetime) -> list[Place]:
    """Return the steps of a span that have begun; complete is what ended before the count."""
    begun, known = timezone.make_naive(now), timezone.make_naive(counted)
    return [_place(span, at, known) for at in _beginnings(span) if at <= begun]


def _place(span: Span, at: datetime, known: datetime) -> Place:
    start, end = timezone.make_naive(span.start), timezone.make_naive(span.end)
    over = min(at + WIDTHS[span.step], end)
    days = max(at, start).date(), (over - timedelta.resolution).date()
    return Place(at, _label(span, at), days, known < over)


def _label(span: Span, at: datetime) -> str:
    if span.step is Step.HOUR:
        is_one_day = span.end - span.start <= timedelta(hours=25)
        hour = date_format(at, "H:i")
        return hour if is_one_day else f"{day_of_year(at)} {hour}"
    return day_of_year(at)


def _beginnings(span: Span) -> Iterable[datetime]:
    at, end = timezone.make_naive(span.start), timezone.make_naive(span.end)
    if span.step is Step.WEEK:
        at = datetime.combine(at - timedelta(days=at.weekday()), time.min)
    while at < end:
        yield at
        at += WIDTHS[span.step]


def _attacks(looked: Counts, place: Place, doors: Doors) -> Mark | None:
    address = doors.attempts(*place.days, attack="yes")
    return _rate(looked.get("yes", 0), sum(looked.values()), address)


def _mismatches(outcomes: Counts, place: Place, doors: Doors) -> Mark | None:
    different = Outcome.DIFFERENT_PERSON.value
    address = doors.attempts(*place.days, outcome=different)
    compared = sum(outcomes.get(each, 0) for each in COMPARED)
    return _rate(outcomes.get(different, 0), compared, address)


def _count(number: int, address: str) -> Mark:
    return Mark(number, grouped(number), address)


def _rate(part: int, whole: int, address: str) -> Mark | None:
    """Return a percentage with the number of cases that it is of; None without cases."""
    if not whole:
        return None
    shown = _("%(share)s of %(number)s") % {
        "share": percent(part, whole),
        "number": grouped(whole),
    }
    return Mark(100 * part / whole, shown, address)
