"""How long data is kept: set a rule, ask for a run, decide on it, cancel it.

The worker does what a run was approved for: `expiring`.
"""

from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.translation import gettext_noop as _

from verification.faceid.contract import REGIONS
from verification.identifiers import uuid7
from verification.models import RetentionRule, RetentionRun
from verification.models.retention import (
    LEAST_RECORD_DAYS,
    MOST_DAYS,
    RUN_APPROVED,
    RUN_REFUSED,
    WORKING,
    Kept,
    RunState,
)
from verification.selectors.due import preview_of
from verification.selectors.retention import open_run
from verification.services.errors import (
    BadRuleError,
    FourEyesError,
    NothingDueError,
    RulesChangedError,
    RunDecidedError,
    RunOpenError,
    UnknownRunError,
)
from verification.services.reasons import check_permission, read_reason
from verification.services.retention_entries import (
    decided_entry,
    ended_entry,
    requested_entry,
    rule_entry,
)
from verification.services.retention_lock import share_destructions, wait_for_destructions
from verification.services.runtime import Runtime
from verification.services.settlement import visible
from verification.services.staging import stage

RULED_REGIONS = (*REGIONS, "sandbox")
MAX_KIND = 80


def set_rule(
    *,
    what: str,
    kind: str | None,
    region: str | None,
    days: str,
    note: str,
    by: AbstractUser,
    runtime: Runtime,
) -> RetentionRule:
    """Record how many days data is kept, counted from the creation of its attempt.

    A rule for the same kind and region takes the place of the one before, which stays on record.
    None is every kind, or every region. `days` is as people type it; repeating adds a row.
    Raises NotPermittedError, BadReasonError for the note, BadRuleError for anything else.
    """
    check_permission(by, "set_retention")
    row = RetentionRule(
        what=_what(what).value,
        kind=_kind(kind, what),
        region=_region(region),
        days=_days(days, what),
        recorded_by_id=by.pk,
        note=read_reason(note),
    )
    with transaction.atomic():
        wait_for_destructions()
        row.recorded_at = runtime.now()
        row.id = uuid7(row.recorded_at)
        row.save(force_insert=True)
        stage([rule_entry(row, by=by.get_username())])
    return row


def request_run(
    *, reason: str, by: AbstractUser, runtime: Runtime, what: str = Kept.EVIDENCE
) -> RetentionRun:
    """Ask that evidence, or records, due now expire; destroys nothing.

    Raises NotPermittedError, BadRuleError for another `what`, BadReasonError, NothingDueError, and
    RunOpenError if another one waits or works: so repeating does no harm.
    """
    check_permission(by, "request_purge")
    said, kept = read_reason(reason), _what(what)
    with transaction.atomic():
        share_destructions()
        if open_run() is not None:
            raise RunOpenError(_("Another run waits or works already."))
        now = runtime.now()
        preview = preview_of(now, kept)
        if not preview.due:
            raise NothingDueError(_("Nothing is due."))
        row = RetentionRun.objects.create(
            id=uuid7(now),
            what=kept.value,
            state=RunState.ASKED,
            preview=preview.to_json(),
            reason=said,
            asked_by_id=by.pk,
            asked_at=now,
        )
        stage([requested_entry(row, by=by.get_username())])
    return row


def decide_run(*, run_id: UUID, approve: bool, by: AbstractUser, runtime: Runtime) -> RetentionRun:
    """Let the worker destroy what a run was asked for, or refuse it.

    Raises NotPermittedError, UnknownRunError, FourEyesError, RulesChangedError, and
    RunDecidedError if it was decided before: so repeating does no harm.
    """
    check_permission(by, "decide_purge")
    with transaction.atomic():
        share_destructions()
        row = _lock(run_id)
        if row.state != RunState.ASKED:
            raise RunDecidedError(_("The run was decided on before."))
        if row.asked_by_id == by.pk:
            raise FourEyesError(_("You asked for this run: somebody else must decide."))
        if approve and has_other_rules(row):
            raise RulesChangedError(_("The rules have changed since: ask for another run."))
        now = runtime.now()
        row.decided_by_id, row.decided_at = by.pk, now
        row.state = RunState.APPROVED if approve else RunState.REFUSED
        row.finished_at = None if approve else now
        row.save(update_fields=["state", "decided_by", "decided_at", "finished_at"])
        kind = RUN_APPROVED if approve else RUN_REFUSED
        stage([decided_entry(row, kind=kind, at=now, by=by.get_username())])
    return row


def cancel_run(*, run_id: UUID, by: AbstractUser, runtime: Runtime) -> RetentionRun:
    """End a run early; what has expired stays destroyed. Waits for the slice that is at work.

    Who may ask for runs or decide on them may cancel one. Raises NotPermittedError,
    UnknownRunError, and RunDecidedError if it has ended.
    """
    may_ask = by.has_perm("verification.request_purge")
    check_permission(by, "request_purge" if may_ask else "decide_purge")
    with transaction.atomic():
        row = _lock(run_id)
        if row.state not in {RunState.ASKED, *WORKING}:
            raise RunDecidedError(_("It has ended already."))
        row.state, row.finished_at = RunState.CANCELLED, runtime.now()
        row.finished_by_id = by.pk
        row.save(update_fields=["state", "finished_at", "finished_by"])
        stage([ended_entry(row, at=row.finished_at, by=by.get_username())])
    return row


def has_other_rules(row: RetentionRun) -> bool:
    """Return whether a rule was set after a run was asked for: its figures are old then."""
    return RetentionRule.objects.filter(recorded_at__gt=row.asked_at).exists()


def _lock(run_id: UUID) -> RetentionRun:
    row = RetentionRun.objects.select_for_update().filter(pk=run_id).first()
    if row is None:
        raise UnknownRunError(_("There is no such run."))
    return row


def _what(text: str) -> Kept:
    try:
        return Kept(text)
    except ValueError:
        raise BadRuleError(_("Choose evidence or records.")) from None


def _kind(text: str | None, what: str) -> str | None:
    if text is None:
        return None
    if what == Kept.RECORD:
        raise BadRuleError(_("A rule for records is for every kind."))
    if not text or len(text) > MAX_KIND or visible(text, MAX_KIND) != text or " " in text:
        raise BadRuleError(_("Give a kind of evidence such as image_best, or none for every kind."))
    return text


def _region(text: str | None) -> str | None:
    if text is not None and text not in RULED_REGIONS:
        raise BadRuleError(_("Choose a region, or every region."))
    return text


def _days(text: str, what: str) -> int:
    least = LEAST_RECORD_DAYS if what == Kept.RECORD else 1
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_DAYS))
    if not is_number or not least <= int(text) <= MOST_DAYS:
        raise BadRuleError(
            _("Give %(least)s to %(most)s days."), {"least": least, "most": MOST_DAYS}
        )
    return int(text)
