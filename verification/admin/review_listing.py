"""The desk's list: what it may be asked for, and its pages by position instead of number."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib.auth.models import AbstractUser
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from verification.admin.fragments import plain
from verification.admin.numbers import grouped
from verification.admin.review_wording import PRIORITIES, REASONS
from verification.models import Review
from verification.models.review import ReviewState
from verification.policy.terms import Priority, Reason
from verification.selectors.listing import count_up_to
from verification.selectors.reviews import Due, ReviewFilter, in_queue, reviews_for_list

PAGE_SIZE = 50
COUNT_CAP = 1_000
REFUSED = "e"
TURNS = ("before", "after")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOKEN = re.compile(r"([1-9])\.([0-9]{1,16})\.([0-9a-f]{32})", re.ASCII)
SHOWN = {
    "open": {"state": ReviewState.OPEN},
    "proposed": {"state": ReviewState.PROPOSED},
    "decided": {"state": ReviewState.DECIDED},
    "snoozed": {"snoozed": True},
    "glass": {"glass": True},
}
QUEUED = ("open", "proposed")
YES = "yes"


class Position(NamedTuple):
    """Where a review stands in the queue."""

    priority: int
    due_at: datetime
    attempt_id: UUID


class ReviewFilterForm(forms.Form):
    """The filters of the desk; `names` are the clients, `people` who may work on reviews."""

    q = forms.CharField(label=_("Find"), required=False, max_length=512)
    show = forms.ChoiceField(
        label=_("Show"),
        required=False,
        choices=[
            ("", _("All that wait")),
            ("open", _("Open")),
            ("proposed", _("Wait for a second person")),
            ("snoozed", _("Snoozed")),
            ("decided", _("Decided")),
            ("glass", _("Break-glass to review")),
        ],
    )
    due = forms.ChoiceField(
        label=_("Due"),
        required=False,
        choices=[
            ("", _("Any time")),
            (Due.OVERDUE.value, _("Overdue")),
            (Due.SOON.value, _("Within an hour")),
            (Due.TODAY.value, _("Until tonight")),
        ],
    )
    priority = forms.ChoiceField(
        label=_("Priority"),
        required=False,
        choices=[
            ("", _("Any priority")),
            *((each.name.lower(), PRIORITIES[each][0]) for each in Priority),
        ],
    )
    reason = forms.ChoiceField(
        label=_("Reason"),
        required=False,
        choices=[("", _("Any reason")), *((each.value, REASONS[each]) for each in Reason)],
    )
    client = forms.ChoiceField(label=_("Client"), required=False)
    assignee = forms.ChoiceField(label=_("Assigned to"), required=False)
    mine = forms.ChoiceField(
        label=_("Whose"), required=False, choices=[("", _("Everybody's")), (YES, _("Mine"))]
    )

    def __init__(
        self, data: QueryDict, names: list[tuple[UUID, str]], people: Iterable[AbstractUser]
    ) -> None:
        super().__init__(data, auto_id="filter_%s", label_suffix="")
        self._choose("client", _("Any client"), ((str(k), plain(name)) for k, name in names))
        them = ((str(each.pk), plain(each.get_username())) for each in people)
        self._choose("assignee", _("Anybody"), them)

    def _choose(self, name: str, anything: object, choices: Iterable[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (narrows the type)
        field.choices = [("", str(anything)), *choices]

    @property
    def given(self) -> dict[str, str]:
        """The parameters that narrow the list, as they stand in the address."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}

    def which(self, person_id: int) -> ReviewFilter:
        """Return the filter; the form must be valid."""
        found = self.cleaned_data
        return ReviewFilter(
            reason=Reason(found["reason"]) if found["reason"] else None,
            priority=Priority[found["priority"].upper()] if found["priority"] else None,
            client_id=UUID(found["client"]) if found["client"] else None,
            due=Due(found["due"]) if found["due"] else None,
            assignee_id=int(found["assignee"]) if found["assignee"] else None,
            mine=person_id if found["mine"] else None,
            identifier=found["q"] or None,
            **SHOWN.get(found["show"], {}),  # type: ignore[arg-type] # each of its own type
        )


def found_for(form: ReviewFilterForm, person_id: int, at: datetime) -> QuerySet[Review]:
    """Return what a valid form asks for; what is snoozed is listed where that is asked for only."""
    found = reviews_for_list(form.which(person_id), at=at)
    return found.filter(in_queue(at)) if form.cleaned_data["show"] in QUEUED else found


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """One page. `earlier` and `later` are addresses, None where there is no such page."""

    rows: tuple[Review, ...]
    total: str
    is_narrowed: bool
    is_turned: bool
    was_refused: bool
    earlier: str | None
    later: str | None


def way_back(request: HttpRequest, form: ReviewFilterForm) -> HttpResponseRedirect | None:
    """Return the way to the plain desk, for an address that no link or form of ours makes."""
    known = {*form.fields, *TURNS, REFUSED}
    is_ours = all(name in known and len(values) == 1 for name, values in request.GET.lists())
    turns = [request.GET[name] for name in TURNS if name in request.GET]
    if is_ours and len(turns) <= 1 and all(read_position(each) for each in turns):
        return None
    return HttpResponseRedirect(f"{request.path}?{REFUSED}=1")


def list_reviews(
    request: HttpRequest, form: ReviewFilterForm, found: QuerySet[Review] | None
) -> ReviewPage:
    """Read the page that the address names, in one query, and count; nothing for None."""
    rows, earlier, later = ((), None, None) if found is None else _turned(request, found)
    return ReviewPage(
        rows,
        "" if found is None else _total(found),
        bool(form.given),
        any(name in request.GET for name in TURNS),
        REFUSED in request.GET,
        _turn(form, "before", earlier),
        _turn(form, "after", later),
    )


def read_position(text: str) -> Position | None:
    """Return the position of a text; None for anything `write_position` does not write."""
    if not (match := TOKEN.fullmatch(text)):
        return None
    at = EPOCH + timedelta(microseconds=int(match[2]))
    return Position(int(match[1]), at, UUID(hex=match[3]))


def write_position(review: Review) -> str:
    """Return the text for an address: priority, microseconds since 1970, the attempt's id."""
    micros = (review.due_at - EPOCH) // timedelta(microseconds=1)
    return f"{review.priority}.{micros}.{review.attempt_id.hex}"


Turned = tuple[tuple[Review, ...], Review | None, Review | None]


def _turned(request: HttpRequest, found: QuerySet[Review]) -> Turned:
    if before := read_position(request.GET.get("before", "")):
        rows = tuple(found.filter(_beyond(before, "lt")).reverse()[: PAGE_SIZE + 1])
        kept = rows[:PAGE_SIZE][::-1]
        return kept, kept[0] if len(rows) > PAGE_SIZE else None, kept[-1] if kept else None
    after = read_position(request.GET.get("after", ""))
    rows = tuple((found.filter(_beyond(after, "gt")) if after else found)[: PAGE_SIZE + 1])
    kept = rows[:PAGE_SIZE]
    last = kept[-1] if len(rows) > PAGE_SIZE else None
    return kept, kept[0] if after and kept else None, last


def _beyond(position: Position, way: str) -> Q:
    """Return the condition of standing before or after; the first part ranges on the index."""
    priority, due_at, attempt_id = position
    same = Q(priority=priority)
    return Q(**{f"priority__{way}e": priority}) & (
        Q(**{f"priority__{way}": priority})
        | same & Q(**{f"due_at__{way}": due_at})
        | same & Q(due_at=due_at, **{f"attempt_id__{way}": attempt_id})
    )


def _turn(form: ReviewFilterForm, name: str, edge: Review | None) -> str | None:
    return f"?{urlencode({**form.given, name: write_position(edge)})}" if edge else None


def _total(found: QuerySet[Review]) -> str:
    count = count_up_to(found, COUNT_CAP)
    shown = f"{grouped(count.number)}{'+' * count.is_capped}"
    return ngettext("%(n)s review", "%(n)s reviews", count.number) % {"n": shown}
