"""Rules, runs and holds as people make them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from verification.ledger.canonical import parse
from verification.models import LedgerEntry, LegalHold, RetentionRule, RetentionRun, StagedEntry
from verification.services.expiring import continue_runs
from verification.services.holding import place_hold
from verification.services.retention import decide_run, request_run, set_rule
from verification.services.runtime import Runtime

REASON = "the time of these is over"


@dataclass(frozen=True)
class People:
    """Staff of each role."""

    officer: User
    approver: User
    second: User
    administrator: User


def rule(
    people: People,
    runtime: Runtime,
    days: int | str,
    *,
    what: str = "evidence",
    kind: str | None = None,
    region: str | None = None,
) -> RetentionRule:
    """Set a rule."""
    return set_rule(
        what=what,
        kind=kind,
        region=region,
        days=str(days),
        note="as the board decided",
        by=people.administrator,
        runtime=runtime,
    )


def approved(people: People, runtime: Runtime, what: str = "evidence") -> RetentionRun:
    """Ask for a run, and approve it as somebody else."""
    run = request_run(what=what, reason=REASON, by=people.approver, runtime=runtime)
    return decide_run(run_id=run.pk, approve=True, by=people.second, runtime=runtime)


def finished(people: People, runtime: Runtime, what: str = "evidence") -> RetentionRun:
    """Have a run done to its end."""
    run = approved(people, runtime, what)
    while continue_runs(runtime=runtime):
        pass
    run.refresh_from_db()
    return run


def hold(attempt_id: UUID, by: User, runtime: Runtime, *, whole_subject: bool = False) -> LegalHold:
    """Place a hold."""
    return place_hold(
        attempt_id=attempt_id,
        whole_subject=whole_subject,
        reason="the court wants to see it",
        by=by,
        runtime=runtime,
    )


def entries(kind: str) -> list[dict[str, Any]]:
    """Return the entries of a kind, sequenced or staged."""
    raw = [*LedgerEntry.objects.order_by("index").values_list("raw", flat=True)]
    raw += StagedEntry.objects.order_by("no").values_list("raw", flat=True)
    return [said for each in raw if (said := parse(bytes(each)))["kind"] == kind]
