"""The matrix of controls laid out for readers.

What the matrix and the results say is evidence, and English in every language: templates mark it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from verification.admin.facts import Fact
from verification.admin.fragments import brief_moment, code, moment, pill, text
from verification.controls.catalogue import CONTROLS, Control
from verification.controls.matrix import BY_ID, lines_by_instrument, lines_of, place_of, state_of
from verification.controls.requirements import Line
from verification.controls.results import CheckResult, Evidence, State
from verification.models import ControlResult, ControlRun
from verification.models.control import Origin

STATES: Mapping[State | None, tuple[str, str, str]] = MappingProxyType(
    {
        State.HOLDS: (gettext_noop("Holds"), "good", "check"),
        State.FAILS: (gettext_noop("Fails"), "bad", "cross"),
        State.UNKNOWN: (gettext_noop("Unknown"), "doubt", "question"),
        None: (gettext_noop("Left to you"), "quiet", "dash"),
    }
)
"""What a state is called, with the tone and the symbol of its pill; None has no check."""

Results = Mapping[str, CheckResult]


@dataclass(frozen=True, slots=True)
class ControlRow:
    """A control and how it stands; `remedy` says what to do where it does not hold."""

    title: str
    address: str
    holds: str
    state: SafeString
    sentence: SafeString | None
    remedy: str | None
    evidence: list[tuple[str, SafeString]]


@dataclass(frozen=True, slots=True)
class LineRow:
    """A requirement, what answers it, and how that stands."""

    place: str
    subject: str
    says: str
    duty: str
    state: SafeString
    controls: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What one run found of a control."""

    when: SafeString
    state: SafeString
    sentence: SafeString
    who: SafeString
    evidence: list[tuple[str, SafeString]]


def table_of(results: Results, *, is_narrow: bool) -> list[ControlRow]:
    """Return a row for each control; `is_narrow` leaves out what holds."""
    rows = [(each, results.get(each.id)) for each in CONTROLS]
    return [_control_row(*row) for row in rows if not is_narrow or _is_broken(row[1])]


def groups_of(results: Results, *, is_narrow: bool) -> list[tuple[str, list[LineRow]]]:
    """Return the lines of each instrument; `is_narrow` leaves out what holds, or has no check."""
    states = {control: found.state for control, found in results.items()}
    shown = {State.FAILS, State.UNKNOWN} if is_narrow else set(STATES)
    groups = [
        (instrument.name, [_line_row(e, states) for e in lines if state_of(e, states) in shown])
        for instrument, lines in lines_by_instrument()
    ]
    return [(name, rows) for name, rows in groups if rows]


def run_facts(run: ControlRun) -> list[Fact]:
    """Return when a run was, who had it made, and what it found."""
    found = {State.HOLDS: run.holds, State.FAILS: run.fails, State.UNKNOWN: run.unknown}
    said = ", ".join(f"{_(STATES[state][0])}: {number}" for state, number in found.items())
    return [
        Fact(_("Checked"), moment(run.started_at)),
        Fact(_("By"), _who(run)),
        Fact(_("Found"), text(said)),
        Fact(_("Digest of the results"), code(run.digest)),
    ]


def control_facts(control: Control) -> list[tuple[str, str]]:
    """Return what is to be known of a control, with what it answers; both are said in English."""
    answered = [f"{_names()[each.instrument]}: {place_of(each)}" for each in lines_of(control.id)]
    return [
        (_("What it holds"), control.holds),
        (_("How it is checked"), control.checked),
        (_("What to do when it fails"), control.remedy),
        (_("What it answers"), "; ".join(answered)),
    ]


def history_rows(results: Iterable[ControlResult]) -> list[HistoryRow]:
    """Return a row for each result."""
    return [
        HistoryRow(
            when=brief_moment(each.run.started_at),
            state=state_pill(State(each.state)),
            sentence=text(each.sentence),
            who=_who(each.run),
            evidence=_evidence(each.evidence),
        )
        for each in results
    ]


def state_pill(state: State | None) -> SafeString:
    """Return the pill of a state."""
    label, tone, shape = STATES[state]
    return pill(_(label), tone=tone, shape=shape)


def control_address(control: str) -> str:
    """Return the path of a control's page."""
    return reverse("admin:verification_controlrun_control", args=[control])


def _control_row(control: Control, found: CheckResult | None) -> ControlRow:
    return ControlRow(
        title=control.title,
        address=control_address(control.id),
        holds=control.holds,
        state=state_pill(found.state if found else State.UNKNOWN),
        sentence=text(found.sentence) if found else None,
        remedy=control.remedy if _is_broken(found) else None,
        evidence=_evidence(found.evidence) if found else [],
    )


def _line_row(line: Line, states: Mapping[str, State]) -> LineRow:
    return LineRow(
        place=place_of(line),
        subject=line.subject,
        says=line.says,
        duty=line.duty,
        state=state_pill(state_of(line, states)),
        controls=[(BY_ID[each].title, control_address(each)) for each in line.controls],
    )


def _is_broken(found: CheckResult | None) -> bool:
    return found is None or found.state != State.HOLDS


def _evidence(evidence: Evidence) -> list[tuple[str, SafeString]]:
    return [(name, code(_plain(value))) for name, value in sorted(evidence.items())]


def _plain(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _who(run: ControlRun) -> SafeString:
    return text(str(Origin.WORKER.label) if run.origin == Origin.WORKER else run.by_name)


def _names() -> dict[str, str]:
    return {instrument.id: instrument.name for instrument, _lines in lines_by_instrument()}
