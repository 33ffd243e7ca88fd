"""What the pages of retention show."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from verification.admin.facts import Fact
from verification.admin.fragments import brief_moment, code, moment, pill, text
from verification.admin.numbers import grouped
from verification.models import RetentionRule, RetentionRun
from verification.models.retention import RUN_ENDS, Kept, RunState
from verification.selectors.due import Preview, read_preview

WHOLE = 100
KEPT: Mapping[str, Promise] = MappingProxyType(
    {
        Kept.EVIDENCE: pgettext_lazy("what a rule is about", "Evidence"),
        Kept.RECORD: pgettext_lazy("what a rule is about", "Records"),
    }
)
STATES: Mapping[str, tuple[Promise, str, str]] = MappingProxyType(
    {
        RunState.ASKED: (gettext_lazy("Waits for a decision"), "busy", "clock"),
        RunState.REFUSED: (pgettext_lazy("a run", "Refused"), "quiet", "cross"),
        RunState.APPROVED: (gettext_lazy("Waits for the worker"), "busy", "clock"),
        RunState.RUNNING: (pgettext_lazy("a run", "Running"), "busy", "clock"),
        RunState.DONE: (pgettext_lazy("a run", "Done"), "good", "check"),
        RunState.CANCELLED: (pgettext_lazy("a run", "Cancelled"), "quiet", "dash"),
        RunState.FAILED: (pgettext_lazy("a run", "Failed"), "bad", "cross"),
    }
)


def run_address(run: RetentionRun) -> str:
    """Return the path of a run's page."""
    return reverse("admin:verification_retentionrun_change", args=[run.pk])


def state_of(run: RetentionRun) -> SafeString:
    """Draw how far a run is."""
    label, tone, shape = STATES[run.state]
    return pill(str(label), tone=tone, shape=shape)


def rule_row(row: RetentionRule, *, holds: bool) -> dict[str, Any]:
    """Return one rule; `holds` is false for one that a newer one has replaced."""
    return {
        "what": KEPT[row.what],
        "kind": code(row.kind) if row.kind else None,
        "region": code(row.region) if row.region else None,
        "days": grouped(row.days),
        "holds": holds,
        "by": text(row.recorded_by.get_username()) if row.recorded_by else None,
        "when": brief_moment(row.recorded_at),
        "note": text(row.note),
    }


def run_row(run: RetentionRun) -> dict[str, Any]:
    """Return one run, for the list."""
    return {
        "address": run_address(run),
        "what": KEPT[run.what],
        "when": brief_moment(run.asked_at),
        "by": text(run.asked_by.get_username()),
        "approver": text(run.decided_by.get_username()) if run.decided_by else None,
        "state": state_of(run),
        "expired": grouped(run.expired),
        "held": grouped(run.held),
        "doubtful": grouped(run.doubtful),
    }


def due_context(preview: Preview) -> dict[str, Any]:
    """Return what `_due.html` shows."""
    return {
        "due": grouped(preview.due),
        "expiring": grouped(preview.expiring),
        "held": grouped(preview.held),
        "doubtful": grouped(preview.doubtful),
        "has_due": preview.due > 0,
        "waiting": preview.waiting,
        "items": [
            {
                "month": each.month,
                "region": code(each.region),
                "kind": code(each.kind),
                "count": grouped(each.count),
            }
            for each in preview.items
        ],
    }


def run_context(run: RetentionRun) -> dict[str, Any]:
    """Return what the page of one run shows."""
    preview = read_preview(run.preview)
    return {
        "run": run,
        "is_record": run.what == Kept.RECORD,
        "state": state_of(run),
        "facts": _facts(run),
        "is_open": run.state == RunState.ASKED,
        "is_ended": run.state in RUN_ENDS or run.state == RunState.ASKED,
        "may_end": run.finished_at is None,
        "was_stopped": run.state == RunState.CANCELLED and run.finished_by is None,
        "has_failed": run.state == RunState.FAILED,
        "percent": WHOLE * run.seen // preview.due if preview.due else 0,
        "seen": grouped(run.seen),
        "total": grouped(preview.due),
        "figures": due_context(preview),
    }


def _facts(run: RetentionRun) -> list[Fact]:
    found = [
        Fact(_("What expires"), text(str(KEPT[run.what]))),
        Fact(_("Asked for by"), text(run.asked_by.get_username())),
        Fact(_("Asked for"), moment(run.asked_at)),
        Fact(_("Reason"), text(run.reason)),
    ]
    if run.decided_by:
        who = _("Refused by") if run.state == RunState.REFUSED else _("Approved by")
        found.append(Fact(who, text(run.decided_by.get_username())))
        found.append(Fact(_("Decided"), moment(run.decided_at)))
    if run.started_at:
        found += [
            Fact(_("Expired"), text(grouped(run.expired))),
            Fact(_("Kept by a legal hold"), text(grouped(run.held))),
            Fact(_("Kept because in doubt"), text(grouped(run.doubtful))),
        ]
    if run.finished_by:
        found.append(Fact(_("Cancelled by"), text(run.finished_by.get_username())))
    if run.finished_at:
        found.append(Fact(_("Ended"), moment(run.finished_at)))
    return found
