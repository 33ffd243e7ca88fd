"""Turn the address of a list of the log into a page of rows and the links to its neighbours."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Generic
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from verification.admin.listing import COUNT_CAP, PAGE_SIZE, REFUSED, TURNS
from verification.admin.log_fragments import kind_label
from verification.admin.numbers import grouped
from verification.selectors.listing import count_up_to
from verification.selectors.log_pages import (
    EntryFilter,
    LogPage,
    Row,
    first_rows,
    newer_rows,
    older_rows,
)

LONGEST_FIND = 64
SIGNS = re.compile(r"[.,\s]")
"""What stands between the digits of a number, in one language or another."""
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


class EntryFilterForm(forms.Form):
    """What the list of entries may be asked for; `kinds` are those that the log holds."""

    q = forms.CharField(label=_("Find"), required=False, max_length=LONGEST_FIND)
    kind = forms.ChoiceField(label=_("Kind"), required=False)

    def __init__(self, data: QueryDict, kinds: Collection[str]) -> None:
        super().__init__(data, auto_id="filter_%s", label_suffix="")
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)  # noqa: S101  (narrows the type)
        kind.choices = [("", str(_("Any kind"))), *((each, kind_label(each)) for each in kinds)]

    @property
    def given(self) -> dict[str, str]:
        """The parameters that narrow the list, as they stand in the address."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}

    def clean_q(self) -> int | UUID | None:
        """Read an entry's number or an attempt's id."""
        given = SIGNS.sub("", self.cleaned_data["q"])
        if not given:
            return None
        if NUMBER.fullmatch(given):
            return int(given)
        try:
            return UUID(given)
        except ValueError:
            raise forms.ValidationError(_("This is no attempt ID and no number.")) from None

    def which(self) -> EntryFilter:
        """Return the filter; the form must be valid."""
        wanted = self.cleaned_data["q"]
        return EntryFilter(
            kind=self.cleaned_data["kind"] or None,
            attempt_id=wanted if isinstance(wanted, UUID) else None,
            index=wanted if isinstance(wanted, int) else None,
        )


@dataclass(frozen=True, slots=True)
class LogListing(Generic[Row]):
    """A page of a list. `newer` and `older` are addresses, None where there is no such page."""

    rows: tuple[Row, ...]
    total: str
    is_narrowed: bool
    is_turned: bool
    was_refused: bool
    newer: str | None
    older: str | None


def way_back(request: HttpRequest, names: Collection[str] = ()) -> HttpResponseRedirect | None:
    """Return the way to the plain list, for an address that no link or form of ours makes."""
    known = {*names, *TURNS, REFUSED}
    is_ours = all(name in known and len(values) == 1 for name, values in request.GET.lists())
    turns = [request.GET[name] for name in TURNS if name in request.GET]
    if is_ours and len(turns) <= 1 and all(NUMBER.fullmatch(each) for each in turns):
        return None
    return HttpResponseRedirect(f"{request.path}?{REFUSED}=1")


def list_rows(
    request: HttpRequest, found: QuerySet[Row], given: dict[str, str], total: str
) -> LogListing[Row]:
    """Read the page that the address names; `total` is shown where nothing narrows the list."""
    page = _turned(request, found)
    return LogListing(
        page.rows,
        _counted(found) if given else total,
        bool(given),
        any(name in request.GET for name in TURNS),
        REFUSED in request.GET,
        _turn(given, "after", page.newer),
        _turn(given, "before", page.older),
    )


def _turned(request: HttpRequest, found: QuerySet[Row]) -> LogPage[Row]:
    if "before" in request.GET:
        return older_rows(found, before=int(request.GET["before"]), size=PAGE_SIZE)
    if "after" in request.GET:
        return newer_rows(found, after=int(request.GET["after"]), size=PAGE_SIZE)
    return first_rows(found, size=PAGE_SIZE)


def _turn(given: dict[str, str], name: str, key: int | None) -> str | None:
    return None if key is None else f"?{urlencode({**given, name: key})}"


def _counted(found: QuerySet[Any]) -> str:
    count = count_up_to(found, COUNT_CAP)
    return entries_counted(count.number, is_capped=count.is_capped)


def entries_counted(number: int, *, is_capped: bool = False) -> str:
    """Return a number of entries, with a `+` where there are more."""
    shown = f"{grouped(number)}{'+' * is_capped}"
    return ngettext("%(n)s entry", "%(n)s entries", number + is_capped) % {"n": shown}
