"""What a list may be asked for. Anything else in an address is refused, never tried."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from verification.admin.dates import LABELS, Days, Preset, days_of
from verification.admin.pills import DECISIONS, OUTCOMES, STATES
from verification.faceid.contract import REGIONS
from verification.lifecycle import State
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Verdict
from verification.selectors.record import AttemptFilter, SessionFilter

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Choices = list[tuple[str, str]]

LONGEST_IDENTIFIER = 512
LONGEST_ERROR = 200
EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)
FEW = 500
YES_NO = {"yes": True, "no": False}


def _choices(
    anything: Promise, labels: Mapping[str, tuple[str, str, str]]
) -> list[tuple[str, Promise]]:
    return [("", anything), *((one, _(label)) for one, (label, *_pill) in labels.items())]


def _decisions(anything: Promise, each: Iterable[str]) -> list[tuple[str, Promise]]:
    return [("", anything), *((one, DECISIONS[one][0]) for one in each)]


class _DayField(forms.DateField):
    """A day in the browser's own calendar, of a year that can be."""

    def __init__(self, label: "_StrPromise") -> None:
        super().__init__(
            label=label,
            required=False,
            input_formats=["%Y-%m-%d"],
            widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)],
        )


class RecordFilterForm(forms.Form):
    """The filters that lists share. `names` are the clients to choose from."""

    q = forms.CharField(label=_("Find"), required=False, max_length=LONGEST_IDENTIFIER)
    client = forms.ChoiceField(label=_("Client"), required=False)
    since = _DayField(_("From"))
    until = _DayField(_("To"))
    period = forms.ChoiceField(
        label=_("Time"),
        required=False,
        choices=[("", ""), *LABELS.items()],
        widget=forms.HiddenInput,
    )

    def __init__(self, data: QueryDict, names: Choices) -> None:
        super().__init__(data, auto_id="filter_%s", label_suffix="")
        client = self.fields["client"]
        assert isinstance(client, forms.ChoiceField)  # noqa: S101  (narrows the type)
        client.choices = [("", str(_("Any client"))), *names]

    @property
    def given(self) -> dict[str, str]:
        """The parameters that narrow the list, as they stand in the address."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}

    @property
    def told(self) -> list[tuple[str, str]]:
        """What narrows the list in words: what it is called, and what was chosen or typed."""
        chosen = {name: dict(getattr(self.fields[name], "choices", ())) for name in self.given}
        return [
            (str(self[name].label), str(chosen[name].get(value, value)))
            for name, value in self.given.items()
        ]

    @property
    def query(self) -> str:
        """The same as the query of an address, with its question mark; empty if there are none."""
        return f"?{urlencode(self.given)}" if self.given else ""

    @property
    def count_cap(self) -> int | None:
        """Up to how many matches are counted, where the list's own cap would take too long."""
        return None

    @property
    def preset(self) -> Preset | None:
        """The preset in force: dates of one's own win."""
        named = self.cleaned_data["period"]
        dated = self.cleaned_data["since"] or self.cleaned_data["until"]
        return Preset(named) if named and not dated else None

    def days(self, today: date) -> Days:
        """Return the chosen days; the form must be valid."""
        return days_of(self.preset, self.cleaned_data["since"], self.cleaned_data["until"], today)


class AttemptFilterForm(RecordFilterForm):
    """The filters of the attempts list."""

    state = forms.ChoiceField(
        label=_("State"), required=False, choices=_choices(_("Any state"), STATES)
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=_choices(_("Any outcome"), OUTCOMES)
    )
    verdict = forms.ChoiceField(
        label=_("Policy's verdict"),
        required=False,
        choices=_decisions(_("Any verdict"), [each.value for each in Verdict]),
    )
    decision = forms.ChoiceField(
        label=_("Decision now"),
        required=False,
        choices=_decisions(_("Any decision"), [each.value for each in Decision]),
    )
    attack = forms.ChoiceField(
        label=_("Attack"),
        required=False,
        choices=[("", _("Any")), ("yes", _("Suspected")), ("no", _("Not suspected"))],
    )
    region = forms.ChoiceField(
        label=_("Region"),
        required=False,
        choices=[("", _("Any region")), *((r, r) for r in (*REGIONS, "sandbox"))],
    )

    error = forms.CharField(label=_("Error code"), required=False, max_length=LONGEST_ERROR)

    field_order = (
        *("q", "state", "outcome", "verdict", "decision", "attack", "error", "client", "region"),
        *("since", "until"),
    )

    @property
    def count_cap(self) -> int | None:
        """Count few by decision: no index knows it."""
        return FEW if self.cleaned_data["decision"] else None

    def which(self, today: date) -> AttemptFilter:
        """Return the filter; the form must be valid."""
        found, days = self.cleaned_data, self.days(today)
        return AttemptFilter(
            identifier=found["q"] or None,
            state=State(found["state"]) if found["state"] else None,
            outcome=Outcome(found["outcome"]) if found["outcome"] else None,
            verdict=Verdict(found["verdict"]) if found["verdict"] else None,
            decision=Decision(found["decision"]) if found["decision"] else None,
            is_attack=YES_NO.get(found["attack"]),
            error_code=found["error"] or None,
            client_id=UUID(found["client"]) if found["client"] else None,
            region=found["region"] or None,
            created_from=days.start,
            created_before=days.end,
        )


class SessionFilterForm(RecordFilterForm):
    """The filters of the sessions list."""

    def which(self, today: date) -> SessionFilter:
        """Return the filter; the form must be valid."""
        days, client = self.days(today), self.cleaned_data["client"]
        return SessionFilter(
            identifier=self.cleaned_data["q"] or None,
            client_id=UUID(client) if client else None,
            created_from=days.start,
            created_before=days.end,
        )
