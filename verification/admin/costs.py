"""What calls cost, month by month, and the price list, to which a price can be added."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from verification.admin.acting import ActingAdmin, may, person_of
from verification.admin.cost_wording import BILLED, CALLS, money, price_row, result, total_row
from verification.admin.fragments import code, text
from verification.admin.listing import REFUSED
from verification.admin.numbers import grouped
from verification.admin.readonly import READING
from verification.admin.reauth import requires_fresh_login
from verification.admin.refusals import sentence_of, status_of
from verification.billing.months import Month, MonthError, read_month
from verification.billing.prices import CallKind
from verification.lifecycle import State
from verification.models import Price
from verification.outcomes import OUTCOMES, Outcome
from verification.selectors.costs import MonthReport, ReportRow, month_report, report_csv
from verification.selectors.prices import prices_as_recorded
from verification.services.errors import ServiceError
from verification.services.prices import PRICED_REGIONS, set_price
from verification.services.runtime import get_runtime

SHOWN = 500
FIELDS = ("call", "region", "amount", "currency", "valid_from", "note")


@admin.register(Price)
class PriceAdmin(ActingAdmin[Price]):
    """The price list, the form that adds to it, and the report of a month."""

    def get_urls(self) -> list[URLPattern]:
        """Route the pages; a price has none of its own."""
        wrap = self.admin_site.admin_view
        name = "verification_price"
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("set/", wrap(self.set_view), name=f"{name}_set"),
            path("costs/", wrap(self.costs_view), name=f"{name}_costs"),
            path("costs.csv", wrap(self.csv_view), name=f"{name}_csv"),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:  # noqa: ARG002
        """Costs have a permission of their own."""
        return may(request, "view_costs")

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the prices, the newest first."""
        rows = prices_as_recorded(SHOWN)
        return self.page(
            request,
            "price_list",
            _("Prices"),
            rows=[price_row(row, holds=holds) for row, holds in rows],
            may_set=may(request, "set_price"),
            **context,
        )

    @requires_fresh_login
    def set_view(self, request: HttpRequest) -> HttpResponse:
        """Record a price."""
        self.require(request, "set_price")
        if request.method != "POST":
            return self._form(request)
        try:
            set_price(
                kind=request.POST.get("call", ""),
                region=request.POST.get("region", "") or None,
                amount=request.POST.get("amount", "").strip(),
                currency=request.POST.get("currency", "").strip(),
                valid_from=request.POST.get("valid_from", ""),
                note=request.POST.get("note", ""),
                by=person_of(request),
                runtime=get_runtime(),
            )
        except ServiceError as error:
            return self._form(request, sentence_of(error), status_of(error))
        messages.success(request, _("The price is on record."))
        return HttpResponseRedirect(reverse("admin:verification_price_changelist"))

    def costs_view(self, request: HttpRequest) -> HttpResponse:
        """Show what the calls of a month cost."""
        self._check(request)
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        if set(request.GET) - {"month", REFUSED}:
            return HttpResponseRedirect(f"{request.path}?{REFUSED}=1")
        month = _month(request)
        return self.page(
            request,
            "costs",
            _("Costs"),
            status=200 if month else 400,
            given=str(month or ""),
            was_refused=REFUSED in request.GET,
            may_set=may(request, "set_price"),
            **(_shown(month_report(month)) if month else {}),
        )

    def csv_view(self, request: HttpRequest) -> HttpResponse:
        """Answer with the report as CSV."""
        self._check(request)
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        month = _month(request)
        if month is None:
            return HttpResponseRedirect(reverse("admin:verification_price_costs"))
        answer = HttpResponse(
            report_csv(month_report(month)), content_type="text/csv; charset=utf-8"
        )
        answer.headers["Content-Disposition"] = f'attachment; filename="costs-{month}.csv"'
        return answer

    def _form(self, request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
        given = {name: request.POST.get(name, "") for name in FIELDS}
        return self.page(
            request,
            "price_set",
            _("Set a price"),
            status=status,
            problem=problem,
            given=given,
            calls=[(each.value, str(CALLS[each])) for each in CallKind],
            regions=PRICED_REGIONS,
        )


def _this_month() -> Month:
    today = timezone.now()
    return Month(today.year, today.month)


def _month(request: HttpRequest) -> Month | None:
    """Return the month of the address, this one without it, None if it is none."""
    given = request.GET.get("month")
    if not given:
        return _this_month()
    try:
        return read_month(given)
    except MonthError:
        return None


def _shown(report: MonthReport) -> dict[str, Any]:
    totals, month = report.totals, report.month
    before = Month(month.year - 1, 12) if month.number == 1 else Month(month.year, month.number - 1)
    return {
        "month": str(month),
        "before": str(before),
        "after": str(month.following),
        "calls": grouped(totals.calls),
        "not_billed": grouped(totals.not_billed_calls),
        "totals": [total_row(each) for each in totals.by_currency],
        "bare_billed": grouped(totals.billed_without_price) if totals.billed_without_price else "",
        "bare_unknown": (
            grouped(totals.not_known_without_price) if totals.not_known_without_price else ""
        ),
        "rows": list(_rows(report)),
        "left_out": grouped(len(report.rows) - SHOWN) if len(report.rows) > SHOWN else "",
    }


def _rows(report: MonthReport) -> Iterator[dict[str, object]]:
    for row in report.rows[:SHOWN]:
        yield {
            "call": CALLS[row.group.kind],
            "client": text(row.client_name),
            "region": code(row.group.region),
            "result": result(row.group.state, row.group.result_code, row.group.result_message),
            "billed": BILLED[row.line.billed],
            "calls": grouped(row.line.calls),
            "amount": money(row.line),
            "address": _attempts(row, report.month),
        }


def _attempts(row: ReportRow, month: Month) -> str | None:
    """Return the list of the attempts of a row, as near as its filters come; none for tokens."""
    group = row.group
    if group.state is None:
        return None
    last = timezone.localdate(month.end - timedelta(microseconds=1))
    given = {
        "client": str(group.client_id),
        "region": group.region,
        "state": group.state.value,
        "since": timezone.localdate(month.start).isoformat(),
        "until": last.isoformat(),
    }
    if group.state is State.ANSWERED and group.result_code is not None:
        given["outcome"] = OUTCOMES.get(group.result_code, Outcome.UNRECOGNISED).value
    address = reverse("admin:verification_verificationattempt_changelist")
    return f"{address}?{urlencode(given)}"
