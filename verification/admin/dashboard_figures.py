"""Everything that the dashboard shows of a span."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from verification.admin.charts import Bar, Chart, bar_drawing, bars, percent
from verification.admin.cost_wording import total_row
from verification.admin.dashboard_charts import (
    Doors,
    outcome_chart,
    places_of,
    rate_chart,
    verdict_chart,
)
from verification.admin.fragments import code, day, moment, text
from verification.admin.numbers import grouped, localised
from verification.admin.review_wording import REASONS
from verification.admin.timeline import duration
from verification.billing.lines import Totals
from verification.models.rollup import HANDLING_S, LATENCY_MS, Figure
from verification.selectors.costs import span_totals
from verification.selectors.figures import (
    Counts,
    FigureSeries,
    Share,
    Span,
    attempt_figures,
    counted_at,
    has_rollups,
    quantile,
)
from verification.selectors.review_figures import (
    QueueFigures,
    WorkFigures,
    queue_figures,
    work_figures,
)

MOST_BARS = 12
MOST_PEOPLE = 50
STATUS = re.compile(r"\A[1-5][0-9]{2} ", re.ASCII)
WHOLE_CODE = 190
BILLED = {
    "yes": gettext_lazy("Billed, by the contract"),
    "no": gettext_lazy("Not billed, by the contract"),
    "unknown": gettext_lazy("Not known"),
}

Drawn = tuple[Bar, SafeString]
Days = tuple[date, date]


def figures_of(
    span: Span,
    *,
    names: Mapping[str, str],
    kept: Mapping[str, str],
    now: datetime,
    with_costs: bool,
) -> dict[str, Any]:
    """Return the page's context, in a fixed number of queries.

    `names` are those of the clients by id; `kept` are the parameters that every link keeps;
    `with_costs` says whether the reader may see what calls cost.
    """
    doors, found, counted = Doors(kept), attempt_figures(span), counted_at()
    days = timezone.localdate(span.start), timezone.localdate(span.end - timedelta.resolution)
    work = work_figures(span, counted_at=counted)
    return {
        "span": tuple(day(each) for each in days),
        "zone": timezone.get_current_timezone_name(),
        "total": grouped(found.total),
        "all_attempts": doors.attempts(*days),
        "is_empty": not found.total,
        "has_rollups": bool(found.total) or has_rollups(),
        "counted": moment(counted),
        **_charts(span, found.series, doors, (now, counted or now)),
        "device_tags": _tags(found.sums[Figure.DEVICE_TAG]),
        "verify_tags": _tags(found.sums[Figure.VERIFY_TAG]),
        "reasons": _reasons(found.sums[Figure.REASON]),
        "errors": _errors(found.sums[Figure.ERROR], doors, days),
        "clients": _by_client(found.shares, names, doors, days),
        "regions": _by_region(found.shares, doors, days),
        "queue": _queue(queue_figures(span, at=now), now, doors),
        "work": _work(work),
        "loads": work.loads[:MOST_PEOPLE],
        "latency": _latency(found.sums[Figure.LATENCY]),
        "billed": _billed(found.sums[Figure.BILLABLE]),
        "cost": _cost(span_totals(span)) if with_costs else None,
    }


def _charts(
    span: Span, found: Mapping[Figure, FigureSeries], doors: Doors, times: tuple[datetime, datetime]
) -> dict[str, Chart]:
    now, counted = times
    places = places_of(span, now=now, counted=counted)
    return {
        "outcomes": outcome_chart(places, found[Figure.OUTCOME], doors),
        "verdicts": verdict_chart(places, found[Figure.VERDICT], doors),
        "rates": rate_chart(places, found, doors),
    }


def _tags(found: Counts) -> list[Drawn]:
    """Return the most frequent members, as they came from outside."""
    labels = {name: code(name) for name in found}
    return _drawn(bars(found, labels, {})[:MOST_BARS])


def _errors(found: Counts, doors: Doors, days: Days) -> list[Drawn]:
    """Return the most frequent codes, whatever HTTP status they came with."""
    counts: dict[str, int] = {}
    for member, number in found.items():
        name = STATUS.sub("", member)
        counts[name] = counts.get(name, 0) + number
    labels = {name: code(name) for name in counts}
    # A code that was cut when it was counted is no filter.
    whole = (name for name in counts if len(name) <= WHOLE_CODE)
    addresses = {name: doors.attempts(*days, error=name) for name in whole}
    return _drawn(bars(counts, labels, addresses)[:MOST_BARS])


def _reasons(found: Counts) -> list[Drawn]:
    """Return the policy's reasons, by name; those of the desk lead to what waits for it."""
    desk = reverse("admin:verification_review_changelist")
    labels = {name: text(str(REASONS.get(name, name))) for name in found}
    addresses = {name: f"{desk}?{urlencode({'reason': name})}" for name in found}
    return _drawn(bars(found, labels, addresses)[:MOST_BARS])


def _by_client(
    found: Sequence[Share], names: Mapping[str, str], doors: Doors, days: Days
) -> list[Drawn]:
    counts: dict[str, int] = {}
    for each in found:
        counts[str(each.client_id)] = counts.get(str(each.client_id), 0) + each.attempts
    labels = {each: text(names.get(each, each)) for each in counts}
    addresses = {each: doors.attempts(*days, client=each) for each in counts}
    return _drawn(bars(counts, labels, addresses)[:MOST_BARS])


def _by_region(found: Sequence[Share], doors: Doors, days: Days) -> list[Drawn]:
    counts: dict[str, int] = {}
    for each in found:
        counts[each.region] = counts.get(each.region, 0) + each.attempts
    labels = {each: code(each) for each in counts}
    addresses = {each: doors.attempts(*days, region=each) for each in counts}
    return _drawn(bars(counts, labels, addresses))


def _drawn(found: Iterable[Bar]) -> list[Drawn]:
    return [(each, bar_drawing(each.width)) for each in found]


def _queue(found: QueueFigures, now: datetime, doors: Doors) -> dict[str, Any]:
    return {
        "open": grouped(found.open),
        "open_address": doors.desk(show="open"),
        "proposed": grouped(found.proposed),
        "proposed_address": doors.desk(show="proposed"),
        "overdue": grouped(found.overdue),
        "overdue_address": doors.desk(due="overdue"),
        "is_late": bool(found.overdue),
        "oldest": duration(now - found.oldest_at) if found.oldest_at else None,
    }


def _work(found: WorkFigures) -> dict[str, Any]:
    return {
        "decided": grouped(found.decided),
        "approved": grouped(found.approved),
        "rejected": grouped(found.rejected),
        "retry": grouped(found.retry),
        "in_time": percent(found.in_time, found.decided) if found.decided else None,
        "seconded": grouped(found.seconded),
        "given_back": grouped(found.returned),
        "glass": grouped(found.glass),
        "median": _median(found.median_s),
    }


def _median(seconds: float | None) -> str | None:
    """Return a median, no more exactly than it is known."""
    if seconds is None or seconds >= HANDLING_S[0]:
        return None if seconds is None else duration(timedelta(seconds=seconds))
    return _("under %(top)s s") % {"top": f"{HANDLING_S[0]:g}"}


def _latency(found: Counts) -> dict[str, Any]:
    """Return quantiles as the upper ends of their buckets, and how the answers spread."""
    tops = [*(str(each) for each in LATENCY_MS), "more"]
    labels = {each: _bucket_label(each) for each in tops}
    longest = max(found.values(), default=0)
    spread = [
        (
            labels[each],
            grouped(found.get(each, 0)),
            bar_drawing(f"{100 * count / longest:.2f}"),
        )
        for each in tops
        if (count := found.get(each, 0))
    ]
    return {
        "number": grouped(sum(found.values())),
        "quantiles": [
            (f"p{share:.0%}".rstrip("%"), _quantile_label(found, share))
            for share in (0.5, 0.95, 0.99)
        ],
        "spread": spread,
    }


def _quantile_label(found: Counts, share: float) -> str:
    if not found:
        return "-"
    top = quantile(found, share, LATENCY_MS)
    if top is None:
        return _("over %(top)s s") % {"top": localised(f"{LATENCY_MS[-1] / 1000:g}")}
    return _("under %(top)s s") % {"top": localised(f"{top / 1000:g}")}


def _bucket_label(top: str) -> str:
    if top == "more":
        return _("over %(top)s s") % {"top": localised(f"{LATENCY_MS[-1] / 1000:g}")}
    return _("under %(top)s s") % {"top": localised(f"{int(top) / 1000:g}")}


def _billed(found: Counts) -> list[tuple[str, str, str]]:
    return [
        (
            str(name),
            grouped(found.get(each, 0)),
            percent(found.get(each, 0), sum(found.values())),
        )
        for each, name in BILLED.items()
    ]


def _cost(totals: Totals) -> dict[str, Any] | None:
    """Return what the calls cost at the prices of their days; None where nothing has a price."""
    if not totals.by_currency:
        return None
    bare = totals.billed_without_price + totals.not_known_without_price
    return {
        "totals": [total_row(each) for each in totals.by_currency],
        "bare": grouped(bare) if bare else "",
    }
