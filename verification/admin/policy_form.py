"""The form in which people propose a version: a field for each member, and a document to paste."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from verification.admin.policy_wording import ENDINGS, ERROR_RATES, PRIORITIES, REASONS, VERDICTS
from verification.ledger.canonical import Json
from verification.outcomes import Outcome
from verification.policy.document import MAX_COUNT, MAX_HOURS, MAX_MINUTES, SCHEMA, Policy
from verification.policy.terms import Decision, Priority, Reason
from verification.services.reasons import MAX_REASON, MIN_REASON

NOTE = gettext_lazy("Why, and who agreed to it")
VERDICT_CHOICES = [(each.value, label) for each, label in VERDICTS.items()]
PRIORITY_CHOICES = [(each.name.lower(), label) for each, label in PRIORITIES.items()]
LISTS = ("device_tags", "device_levels", "verify_tags")
PARTS_OF_CODE = 3


class NoteField(forms.CharField):
    """The reason that stands with a version for ever."""

    def __init__(self) -> None:
        widget = forms.Textarea(attrs={"rows": 2, "minlength": MIN_REASON})
        super().__init__(label=NOTE, max_length=MAX_REASON, widget=widget)


class PasteForm(forms.Form):
    """A document from a file or a repository."""

    document = forms.CharField(
        label=gettext_lazy("Document"),
        strip=True,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )
    note = NoteField()


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """The three fields of one reason."""

    label: str
    always: forms.BoundField
    second: forms.BoundField
    priority: forms.BoundField


class PolicyForm(forms.Form):
    """Each member of a policy; texts of lists stand one in a line."""

    threshold = forms.ChoiceField(
        label=gettext_lazy("Threshold for an error rate of"), choices=list(ERROR_RATES.items())
    )
    margin = forms.CharField(label=gettext_lazy("Near means within"), max_length=7)
    device_tags = forms.CharField(
        label=gettext_lazy("Device tags, one in a line; * for every one"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    device_levels = forms.CharField(
        label=gettext_lazy("Device levels, one in a line"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    verify_tags = forms.CharField(
        label=gettext_lazy("Verification tags, one in a line; * for every one"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    failures_count = forms.IntegerField(
        label=gettext_lazy("So many failures"), min_value=1, max_value=MAX_COUNT
    )
    failures_hours = forms.IntegerField(
        label=gettext_lazy("within hours"), min_value=1, max_value=MAX_HOURS
    )
    lease_minutes = forms.IntegerField(
        label=gettext_lazy("Minutes for which a review is taken"),
        min_value=1,
        max_value=MAX_MINUTES,
    )
    reason_codes = forms.CharField(
        label=gettext_lazy("Reason codes, one in a line: code | decisions | label"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )
    note = NoteField()

    def __init__(
        self, data: Mapping[str, Any] | None = None, initial: dict[str, object] | None = None
    ) -> None:
        super().__init__(data, initial=initial, label_suffix="")
        for ending, label in ENDINGS.items():
            self.fields[_ending_name(ending)] = forms.ChoiceField(
                label=str(label), choices=VERDICT_CHOICES
            )
        for each, label in PRIORITIES.items():
            self.fields[f"sla_{each.name.lower()}"] = forms.IntegerField(
                label=str(label), min_value=1, max_value=MAX_MINUTES
            )
        for reason, label in REASONS.items():
            self._add_reason(reason.value, str(label))

    def _add_reason(self, name: str, label: str) -> None:
        names = {"reason": label}
        self.fields[f"always_{name}"] = forms.BooleanField(
            label=_("%(reason)s: always a review") % names, required=False
        )
        self.fields[f"second_{name}"] = forms.BooleanField(
            label=_("%(reason)s: two people decide") % names, required=False
        )
        self.fields[f"priority_{name}"] = forms.ChoiceField(
            label=_("%(reason)s: priority") % names, choices=PRIORITY_CHOICES
        )

    def endings(self) -> list[forms.BoundField]:
        """Return the fields of where an attempt can end."""
        return [self[_ending_name(each)] for each in ENDINGS]

    def due(self) -> list[forms.BoundField]:
        """Return the fields of how soon a review is due."""
        return [self[f"sla_{each.name.lower()}"] for each in Priority]

    def lists(self) -> list[forms.BoundField]:
        """Return the fields that hold lists of names."""
        return [self[each] for each in LISTS]

    def reasons(self) -> list[ReasonRow]:
        """Return the fields of each reason."""
        return [
            ReasonRow(
                str(label),
                self[f"always_{reason}"],
                self[f"second_{reason}"],
                self[f"priority_{reason}"],
            )
            for reason, label in REASONS.items()
        ]

    def document(self) -> dict[str, Json]:
        """Return what the fields say; the form must be valid, and the document need not be."""
        said = self.cleaned_data
        return {
            "schema": SCHEMA,
            "outcomes": {e.value: said[_ending_name(e)] for e in ENDINGS if _is_outcome(e)},
            "states": {e.value: said[_ending_name(e)] for e in ENDINGS if not _is_outcome(e)},
            "threshold": said["threshold"],
            "margin": said["margin"],
            **{name: list(_lines(said[name])) for name in LISTS},
            "failures": {"count": said["failures_count"], "hours": said["failures_hours"]},
            "always_review": [e.value for e in Reason if said[f"always_{e}"]],
            "second_person": [e.value for e in Reason if said[f"second_{e}"]],
            "priorities": {
                e.value: said[f"priority_{e}"]
                for e in Reason
                if said[f"priority_{e}"] != Priority.NORMAL.name.lower()
            },
            "sla_minutes": {e.name.lower(): said[f"sla_{e.name.lower()}"] for e in Priority},
            "lease_minutes": said["lease_minutes"],
            "reason_codes": [_code(line) for line in _lines(said["reason_codes"])],
        }

    def clean_reason_codes(self) -> str:
        """Refuse a line that is not made of three parts."""
        text: str = self.cleaned_data["reason_codes"]
        for line in _lines(text):
            if line.count("|") < PARTS_OF_CODE - 1:
                raise forms.ValidationError(
                    _("“%(line)s” is not made of a code, decisions and a label."),
                    params={"line": line},
                )
        return text


def fields_of(policy: Policy) -> dict[str, object]:
    """Return what the fields hold for a policy, as the form's initial values."""
    return {
        **{_ending_name(each): verdict.value for each, verdict in policy.outcomes.items()},
        **{_ending_name(each): verdict.value for each, verdict in policy.states.items()},
        "threshold": policy.threshold,
        "margin": f"{policy.margin:f}",
        "device_tags": "\n".join(sorted(policy.device_tags)),
        "device_levels": "\n".join(sorted(policy.device_levels)),
        "verify_tags": "\n".join(sorted(policy.verify_tags)),
        "failures_count": policy.failures.count,
        "failures_hours": policy.failures.hours,
        **{f"always_{each}": each in policy.always_review for each in Reason},
        **{f"second_{each}": each in policy.second_person for each in Reason},
        **{
            f"priority_{each}": policy.priorities.get(each, Priority.NORMAL).name.lower()
            for each in Reason
        },
        **{f"sla_{each.name.lower()}": policy.sla_minutes[each] for each in Priority},
        "lease_minutes": policy.lease_minutes,
        "reason_codes": "\n".join(_code_lines(policy)),
    }


def _ending_name(ending: object) -> str:
    return f"ending_{ending}"


def _is_outcome(ending: object) -> bool:
    return isinstance(ending, Outcome)


def _lines(text: str) -> Iterator[str]:
    return (line for line in text.replace("\r", "").split("\n") if line.strip())


def _code(line: str) -> dict[str, Json]:
    code, decisions, label = (part.strip() for part in line.split("|", PARTS_OF_CODE - 1))
    words: list[Json] = [word.strip() for word in decisions.split(",")]
    return {"code": code, "decisions": words, "label": label}


def _code_lines(policy: Policy) -> Iterator[str]:
    for each in policy.reason_codes:
        decisions = ", ".join(word.value for word in Decision if word in each.decisions)
        yield f"{each.code} | {decisions} | {each.label}"
