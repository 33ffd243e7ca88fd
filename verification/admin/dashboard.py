"""The dashboard: what came in, what came of it, and how the queue is worked on."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from verification.admin.acting import may
from verification.admin.dashboard_figures import figures_of
from verification.admin.dates import DAYS, LABELS, Preset
from verification.admin.filters import RecordFilterForm
from verification.admin.fragments import plain
from verification.admin.listing import REFUSED
from verification.admin.readonly import ReadOnlyAdmin
from verification.faceid.contract import REGIONS
from verification.models import Rollup
from verification.selectors.figures import Span
from verification.selectors.record import client_names

LONGEST = timedelta(days=366)
LONG = {gettext_lazy("Last 90 days"): 90, gettext_lazy("Last 366 days"): LONGEST.days}


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
        elif since and (until or timezone.localdate()) - since >= LONGEST:
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
        figures = _figures(request, form, dict(names)) if form.is_valid() else {}
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


def _figures(request: HttpRequest, form: DashboardForm, names: Mapping[str, str]) -> dict[str, Any]:
    return figures_of(
        form.span(timezone.localdate()),
        names=names,
        kept=_kept(form),
        now=timezone.now(),
        with_costs=may(request, "view_costs"),
    )


def _kept(form: DashboardForm) -> dict[str, str]:
    return {name: form.data[name] for name in ("client", "region") if form.data.get(name)}


def _presets(request: HttpRequest, form: DashboardForm) -> list[tuple[str, str, bool]]:
    """Return label, address and whether it is chosen; the long ones are the dashboard's own."""
    kept, today = _kept(form), timezone.localdate()
    ends = form.data.get("since", ""), form.data.get("until", "")
    current = None if any(ends) else form.data.get("period") or Preset.WEEK.value
    short = [(str(LABELS[each]), {"period": each.value}, current == each.value) for each in Preset]
    long = []
    for label, days in LONG.items():
        since = today - timedelta(days=days - 1)
        dates = {"since": since.isoformat(), "until": today.isoformat()}
        long.append((str(label), dates, ends == tuple(dates.values())))
    return [
        (label, f"{request.path}?{urlencode({**kept, **chosen})}", is_current)
        for label, chosen, is_current in (*short, *long)
    ]


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
