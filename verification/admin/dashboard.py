"""The dashboard: what came in, what came of it, and how the queue is worked on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from verification.admin.attempts import attempts_address
from verification.admin.charts import (
    Bar,
    Chart,
    Column,
    Mark,
    Series,
    bar_drawing,
    bars,
    lines,
    percent,
    stacked,
)
from verification.admin.dates import DAYS, LABELS, Preset
from verification.admin.filters import RecordFilterForm
from verification.admin.fragments import code, day, day_of_year, moment, plain, text
from verification.admin.listing import REFUSED
from verification.admin.numbers import grouped, localised
from verification.admin.pills import OUTCOMES
from verification.admin.readonly import ReadOnlyAdmin
from verification.admin.review_wording import REASONS
from verification.admin.timeline import duration
from verification.faceid.contract import REGIONS
from verification.models import Rollup
from verification.models.rollup import Figure
from verification.outcomes import Outcome
from verification.policy.terms import Verdict
from verification.selectors.figures import (
    FigureSeries,
    QueueFigures,
    Share,
    Span,
    Step,
    counted_at,
    figure_series,
    has_rollups,
    officer_loads,
    quantile,
    queue_figures,
    shares,
)
from verification.selectors.record import client_names
from verification.services.rollups import LATENCY_MS

LONGEST = timedelta(days=100)
MOST_BARS = 12
NOT_FAILED = (Outcome.VERIFIED.value, Outcome.DIFFERENT_PERSON.value)
VERDICTS = {
    Verdict.APPROVED: gettext_lazy("Approved"),
    Verdict.REVIEW: gettext_lazy("To review"),
    Verdict.REJECTED: gettext_lazy("Rejected"),
    Verdict.RETRY: gettext_lazy("Retry"),
}
BILLED = {
    "yes": gettext_lazy("Billed, by the contract"),
    "no": gettext_lazy("Not billed, by the contract"),
    "unknown": gettext_lazy("Not known"),
}


class DashboardForm(RecordFilterForm):
    """What the dashboard may be asked for; without a time, the last seven days."""

    q = None  # type: ignore[assignment] # one figure is not searched for
    region = forms.ChoiceField(
        label=gettext_lazy("Region"),
        required=False,
        choices=[("", gettext_lazy("Any region")), *((r, r) for r in (*REGIONS, "sandbox"))],
    )
    field_order = ("client", "region", "since", "until")

    def __init__(self, data: QueryDict, names: list[tuple[str, str]]) -> None:
        super().__init__(data, names)

    def clean(self) -> dict[str, Any]:
        """Refuse a span that ends before it begins, or is longer than can be drawn quickly."""
        found = super().clean() or {}
        since, until = found.get("since"), found.get("until")
        if since and until and until < since:
            self.add_error("until", _("It lies before the first day."))
        elif since and (until or timezone.localdate()) - since > LONGEST:
            self.add_error(
                "since", _("At most %(days)d days can be shown.") % {"days": LONGEST.days}
            )
        return found

    def span(self, today: date) -> Span:
        """Return what was asked for; the form must be valid."""
        found = self.cleaned_data
        preset = self.preset or (None if found["since"] or found["until"] else Preset.WEEK)
        until = found["until"] or today
        since = found["since"] or until - timedelta(days=DAYS[preset] - 1 if preset else 6)
        return Span(
            _midnight(since),
            _midnight(until + timedelta(days=1)),
            UUID(found["client"]) if found["client"] else None,
            found["region"] or None,
        )


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the figures of a span lead: lists with the same client, region and days."""

    kept: Mapping[str, str]

    def attempts(self, first: date, last: date, **filters: str) -> str:
        """Return the list of attempts of some days."""
        days = {"since": first.isoformat(), "until": last.isoformat()}
        return attempts_address(**{**self.kept, **days, **filters})


@admin.register(Rollup)
class DashboardAdmin(ReadOnlyAdmin[Rollup]):
    """One page; a rollup has none of its own."""

    def get_urls(self) -> list[URLPattern]:
        """Route the one page."""
        view = self.admin_site.admin_view(self.changelist_view)
        return [path("", view, name="verification_rollup_changelist")]

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the dashboard of the span that the address names."""
        names = [(str(each), plain(name)) for each, name in client_names()]
        form = DashboardForm(request.GET, names)
        if set(request.GET) - {*form.fields, REFUSED}:
            return HttpResponseRedirect(f"{request.path}?{REFUSED}=1")
        figures = _figures(form, dict(names)) if form.is_valid() else {}
        return self.page(
            request,
            "dashboard",
            _("Dashboard"),
            status=200 if form.is_valid() else 400,
            form=form,
            presets=_presets(request, form),
            was_refused=REFUSED in request.GET,
            **figures,
            **context,
        )


def _figures(form: DashboardForm, names: Mapping[str, str]) -> dict[str, Any]:
    """Return everything that the page shows, in a fixed number of queries."""
    now = timezone.now()
    span = form.span(timezone.localdate())
    kept = {name: form.data[name] for name in ("client", "region") if form.data.get(name)}
    doors, found = Doors(kept), figure_series(span)
    first, last = _days(span)
    share = shares(span)
    return {
        "span": (day(first), day(last)),
        "zone": timezone.get_current_timezone_name(),
        "total": grouped(found[Figure.STATE].total),
        "all_attempts": doors.attempts(first, last),
        "is_empty": not found[Figure.STATE].total,
        "has_rollups": bool(found[Figure.STATE].total) or has_rollups(),
        "counted": moment(counted_at()),
        "outcomes": _outcomes(span, found[Figure.OUTCOME], doors, now),
        "verdicts": _verdicts(span, found[Figure.VERDICT], doors, now),
        "rates": _rates(span, found, doors, now),
        "device_tags": _tags(found[Figure.DEVICE_TAG]),
        "verify_tags": _tags(found[Figure.VERIFY_TAG]),
        "reasons": _reasons(found[Figure.REASON]),
        "clients": _by_client(share, names, doors, (first, last)),
        "regions": _by_region(share, doors, (first, last)),
        "queue": _queue(queue_figures(span, at=now)),
        "loads": officer_loads(span),
        "latency": _latency(found[Figure.LATENCY]),
        "errors": _tags(found[Figure.ERROR]),
        "cost": _cost(found[Figure.BILLABLE]),
    }


def _outcomes(span: Span, found: FigureSeries, doors: Doors, now: datetime) -> Chart:
    series = [Series(_(OUTCOMES[each][0]), f"series-{each.value}") for each in Outcome]
    columns = [
        Column(
            label,
            tuple(
                _count(counts.get(each.value), doors.attempts(*days, outcome=each.value))
                for each in Outcome
            ),
            is_partial,
        )
        for label, days, is_partial, counts in _columns(span, found, now)
    ]
    return stacked(_("Attempts by outcome"), columns, series)


def _verdicts(span: Span, found: FigureSeries, doors: Doors, now: datetime) -> Chart:
    series = [Series(str(name), f"series-{each.value}") for each, name in VERDICTS.items()]
    columns = [
        Column(
            label,
            tuple(
                _count(counts.get(each.value), doors.attempts(*days, verdict=each.value))
                for each in VERDICTS
            ),
            is_partial,
        )
        for label, days, is_partial, counts in _columns(span, found, now)
    ]
    return stacked(_("Attempts by the policy's verdict"), columns, series)


def _rates(span: Span, found: Mapping[Figure, FigureSeries], doors: Doors, now: datetime) -> Chart:
    """Draw suspected attacks among answers that looked for them, and mismatches among compared."""
    series = [
        Series(_("Attacks suspected"), "series-attack"),
        Series(_("Mismatches"), "series-other"),
    ]
    attacks = found[Figure.ATTACK].steps
    columns = []
    for at, (label, days, is_partial, counts) in _placed(span, found[Figure.OUTCOME], now):
        looked = attacks.get(at, {})
        compared = sum(counts.get(each, 0) for each in NOT_FAILED)
        columns.append(
            Column(
                label,
                (
                    _rate(
                        looked.get("yes", 0),
                        sum(looked.values()),
                        doors.attempts(*days, attack="yes"),
                    ),
                    _rate(
                        counts.get(Outcome.DIFFERENT_PERSON.value, 0),
                        compared,
                        doors.attempts(*days, outcome=Outcome.DIFFERENT_PERSON.value),
                    ),
                ),
                is_partial,
            )
        )
    return lines(_("Attack and mismatch rates"), columns, series)


def _columns(span: Span, found: FigureSeries, now: datetime) -> Iterable[Any]:
    return (column for _at, column in _placed(span, found, now))


def _placed(span: Span, found: FigureSeries, now: datetime) -> Iterable[tuple[datetime, Any]]:
    """Yield each step of the span: its beginning, then label, days, whether it goes on, counts."""
    today = timezone.make_naive(now)
    for at in _beginnings(span):
        end = at + {Step.HOUR: timedelta(hours=1), Step.DAY: timedelta(days=1)}.get(
            span.step, timedelta(days=7)
        )
        if at > today:
            return
        label = date_format(at, "H:i") if span.step is Step.HOUR else day_of_year(at)
        last = min(end - timedelta(microseconds=1), timezone.make_naive(span.end))
        first = max(at, timezone.make_naive(span.start))
        yield at, (label, (first.date(), last.date()), at <= today < end, found.steps.get(at, {}))


def _beginnings(span: Span) -> Iterable[datetime]:
    at, end = timezone.make_naive(span.start), timezone.make_naive(span.end)
    if span.step is Step.WEEK:
        at -= timedelta(days=at.weekday())
    width = {Step.HOUR: timedelta(hours=1), Step.DAY: timedelta(days=1)}.get(
        span.step, timedelta(days=7)
    )
    while at < end:
        yield at
        at += width


def _count(number: int | None, address: str) -> Mark | None:
    return Mark(number, grouped(number), address) if number else None


def _rate(part: int, whole: int, address: str) -> Mark | None:
    """Return a percentage with the number of cases that it is of; None without cases."""
    if not whole:
        return None
    shown = _("%(share)s of %(number)s") % {
        "share": percent(part, whole),
        "number": grouped(whole),
    }
    return Mark(100 * part / whole, shown, address)


def _tags(found: FigureSeries) -> list[tuple[Bar, SafeString]]:
    """Return the most frequent members, as they came from outside."""
    labels = {name: code(name) for name in found.totals}
    return _drawn(bars(found.totals, labels, {})[:MOST_BARS])


def _reasons(found: FigureSeries) -> list[tuple[Bar, SafeString]]:
    """Return the policy's reasons, by name; those of the desk lead to what waits for it."""
    desk = reverse("admin:verification_review_changelist")
    labels = {name: text(str(REASONS.get(name, name))) for name in found.totals}
    addresses = {name: f"{desk}?{urlencode({'reason': name})}" for name in found.totals}
    return _drawn(bars(found.totals, labels, addresses)[:MOST_BARS])


def _by_client(
    found: Sequence[Share], names: Mapping[str, str], doors: Doors, days: tuple[date, date]
) -> list[tuple[Bar, SafeString]]:
    counts: dict[str, int] = {}
    for each in found:
        counts[str(each.client_id)] = counts.get(str(each.client_id), 0) + each.attempts
    labels = {each: text(names.get(each, each)) for each in counts}
    addresses = {each: doors.attempts(*days, client=each) for each in counts}
    return _drawn(bars(counts, labels, addresses)[:MOST_BARS])


def _by_region(
    found: Sequence[Share], doors: Doors, days: tuple[date, date]
) -> list[tuple[Bar, SafeString]]:
    counts: dict[str, int] = {}
    for each in found:
        counts[each.region] = counts.get(each.region, 0) + each.attempts
    labels = {each: code(each) for each in counts}
    addresses = {each: doors.attempts(*days, region=each) for each in counts}
    return _drawn(bars(counts, labels, addresses))


def _drawn(found: Iterable[Bar]) -> list[tuple[Bar, SafeString]]:
    return [(each, bar_drawing(each.width)) for each in found]


def _queue(found: QueueFigures) -> dict[str, Any]:
    desk = reverse("admin:verification_review_changelist")
    oldest = timezone.now() - found.oldest_at if found.oldest_at else None
    return {
        "open": grouped(found.open),
        "proposed": grouped(found.proposed),
        "overdue": grouped(found.overdue),
        "is_late": bool(found.overdue),
        "oldest": duration(oldest) if oldest else None,
        "decided": grouped(found.decided),
        "in_time": percent(found.in_time, found.decided) if found.decided else None,
        "median": None if found.median_s is None else duration(timedelta(seconds=found.median_s)),
        "address": desk,
        "late_address": f"{desk}?{urlencode({'due': 'overdue'})}",
    }


def _latency(found: FigureSeries) -> dict[str, Any]:
    """Return quantiles as the upper ends of their buckets, and how the answers spread."""
    tops = [*(str(each) for each in LATENCY_MS), "more"]
    labels = {each: _bucket_label(each) for each in tops}
    longest = max(found.totals.values(), default=0)
    spread = [
        (
            labels[each],
            grouped(found.totals.get(each, 0)),
            bar_drawing(f"{100 * count / longest:.2f}"),
        )
        for each in tops
        if (count := found.totals.get(each, 0))
    ]
    return {
        "number": grouped(found.total),
        "quantiles": [
            (f"p{share:.0%}".rstrip("%"), _quantile_label(found, share))
            for share in (0.5, 0.95, 0.99)
        ],
        "spread": spread,
    }


def _quantile_label(found: FigureSeries, share: float) -> str:
    if not found.total:
        return "-"
    top = quantile(found.totals, share, LATENCY_MS)
    if top is None:
        return _("over %(top)s s") % {"top": localised(f"{LATENCY_MS[-1] / 1000:g}")}
    return _("under %(top)s s") % {"top": localised(f"{top / 1000:g}")}


def _bucket_label(top: str) -> str:
    if top == "more":
        return _("over %(top)s s") % {"top": localised(f"{LATENCY_MS[-1] / 1000:g}")}
    return _("under %(top)s s") % {"top": localised(f"{int(top) / 1000:g}")}


def _cost(found: FigureSeries) -> list[tuple[str, str, str]]:
    return [
        (
            str(name),
            grouped(found.totals.get(each, 0)),
            percent(found.totals.get(each, 0), found.total),
        )
        for each, name in BILLED.items()
    ]


def _presets(request: HttpRequest, form: DashboardForm) -> list[tuple[str, str, bool]]:
    kept = {name: form.data[name] for name in ("client", "region") if form.data.get(name)}
    is_dated = bool(form.data.get("since") or form.data.get("until"))
    current = form.data.get("period") or (None if is_dated else Preset.WEEK.value)
    return [
        (str(LABELS[each]), f"{request.path}?{urlencode({**kept, 'period': each.value})}",
         not is_dated and current == each.value)
        for each in Preset
    ]  # fmt: skip


def _days(span: Span) -> tuple[date, date]:
    return timezone.localdate(span.start), timezone.localdate(span.end - timedelta(microseconds=1))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
