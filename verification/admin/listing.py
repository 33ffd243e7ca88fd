"""Turn the address of a list into a page of rows, links and counts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from verification.admin.dates import DateBar, Days, date_bar
from verification.admin.filters import RecordFilterForm
from verification.admin.positions import read_position, write_position
from verification.selectors.listing import (
    Count,
    Page,
    Position,
    count_all,
    count_up_to,
    first_page,
    newer_page,
    older_page,
    span_of,
)

Row = TypeVar("Row", bound=Model)

PAGE_SIZE = 50
COUNT_CAP = 10_000
REFUSED = "e"
TURNING = ("before", "after")


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """A page of a list as its template shows it. Addresses are None where there is no page."""

    rows: tuple[Row, ...]
    total: str
    is_narrowed: bool
    is_turned: bool
    was_refused: bool
    newer: str | None
    older: str | None
    dates: DateBar | None


def refused(request: HttpRequest, form: RecordFilterForm) -> HttpResponse | None:
    """Return a way back to the plain list for an address no link or form of ours makes."""
    known = {*form.fields, *TURNING, REFUSED}
    is_ours = all(name in known and len(values) == 1 for name, values in request.GET.lists())
    turns = [request.GET[name] for name in TURNING if name in request.GET]
    if is_ours and len(turns) <= 1 and all(read_position(each) for each in turns):
        return None
    return HttpResponseRedirect(f"{request.path}?{REFUSED}=1")


def list_rows(
    request: HttpRequest, form: RecordFilterForm, found: Callable[[], QuerySet[Row]], model: type[Row]
) -> Listing[Row]:
    """Read the page that the address names: a fixed number of queries at any depth.

    An address with an invalid value shows no rows; the form says what is wrong.
    """
    rows = found() if form.is_valid() else model._default_manager.none()  # noqa: SLF001
    page = _page(request, rows)
    span = span_of(model._default_manager.all())  # noqa: SLF001  (documented API)
    address = _addresses(form)
    return Listing(
        rows=page.rows,
        total=_total(_count(form, rows, model), model),
        is_narrowed=bool(form.given),
        is_turned=any(name in request.GET for name in TURNING),
        was_refused=REFUSED in request.GET,
        newer=address("after", page.newer),
        older=address("before", page.older),
        dates=_dates(form, span) if span else None,
    )


def _page(request: HttpRequest, rows: QuerySet[Row]) -> Page[Row]:
    if before := read_position(request.GET.get("before", "")):
        return older_page(rows, before=before, size=PAGE_SIZE)
    if after := read_position(request.GET.get("after", "")):
        return newer_page(rows, after=after, size=PAGE_SIZE)
    return first_page(rows, size=PAGE_SIZE)
