"""Turn the address of a list into a page of rows, links and counts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _

from verification.admin.dates import DateBar, date_bar
from verification.admin.filters import RecordFilterForm
from verification.admin.numbers import grouped
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
TURNS = ("before", "after")


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """A page of a list. `newer` and `older` are addresses, None where there is no such page."""

    page: Page[Row]
    total: str
    is_narrowed: bool
    is_turned: bool
    was_refused: bool
    newer: str | None
    older: str | None
    dates: DateBar | None


def way_back(request: HttpRequest, form: RecordFilterForm) -> HttpResponseRedirect | None:
    """Return the way to the plain list, for an address that no link or form of ours makes."""
    known = {*form.fields, *TURNS, REFUSED}
    is_ours = all(name in known and len(values) == 1 for name, values in request.GET.lists())
    turns = [request.GET[name] for name in TURNS if name in request.GET]
    if is_ours and len(turns) <= 1 and all(read_position(each) for each in turns):
        return None
    return HttpResponseRedirect(f"{request.path}?{REFUSED}=1")


def list_rows(
    request: HttpRequest, form: RecordFilterForm, find: Callable[[], QuerySet[Row]]
) -> Listing[Row]:
    """Read the page that the address names, in a fixed number of queries at any depth.

    `find` is called for a valid form only; an invalid one shows no rows and says what is wrong.
    """
    found = find() if form.is_valid() else None
    page: Page[Row] = Page((), None, None) if found is None else _turned(request, found)
    return Listing(
        page=page,
        total="" if found is None else _total(form, found),
        is_narrowed=bool(form.given),
        is_turned=any(name in request.GET for name in TURNS),
        was_refused=REFUSED in request.GET,
        newer=_turn(form, "after", page.newer),
        older=_turn(form, "before", page.older),
        dates=None if found is None else _date_bar(form, found.model),
    )


def _turned(request: HttpRequest, found: QuerySet[Row]) -> Page[Row]:
    if before := read_position(request.GET.get("before", "")):
        return older_page(found, before=before, size=PAGE_SIZE)
    if after := read_position(request.GET.get("after", "")):
        return newer_page(found, after=after, size=PAGE_SIZE)
    return first_page(found, size=PAGE_SIZE)


def _turn(form: RecordFilterForm, name: str, position: Position | None) -> str | None:
    return f"?{urlencode({**form.given, name: write_position(position)})}" if position else None


def _total(form: RecordFilterForm, found: QuerySet[Row]) -> str:
    model = found.model
    cap = min(COUNT_CAP, form.count_cap or COUNT_CAP)
    count = count_up_to(found, cap) if form.given else count_all(model, COUNT_CAP)
    options = model._meta  # noqa: SLF001  (documented API)
    noun = options.verbose_name if count == Count(1) else options.verbose_name_plural
    number = f"{grouped(count.number)}{'+' * count.is_capped}"
    said = _("about %(number)s %(noun)s") if count.is_estimate else _("%(number)s %(noun)s")
    return said % {"number": number, "noun": noun}


def _date_bar(form: RecordFilterForm, model: type[Row]) -> DateBar | None:
    span = span_of(model._default_manager.all())  # noqa: SLF001  (documented API)
    if span is None:
        return None
    kept = {k: v for k, v in form.given.items() if k not in {"period", "since", "until"}}
    return date_bar(
        span,
        form.days(timezone.localdate()),
        form.preset,
        lambda chosen: f"?{urlencode({**kept, **chosen})}",
    )
