"""Check all controls and keep what was found, with an entry of the log."""

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from verification.controls.results import CheckResult, State, counts, digest
from verification.identifiers import uuid7
from verification.ledger.canonical import canonical
from verification.models import ControlResult, ControlRun
from verification.models.control import CONTROLS_CHECKED, Origin
from verification.services.controls import run_checks
from verification.services.entries import utc_text
from verification.services.reasons import check_permission
from verification.services.runtime import Runtime
from verification.services.staging import stage

PERMISSION = "view_controls"
WORKER = "worker"


def check_as_staff(*, by: AbstractUser, runtime: Runtime) -> ControlRun:
    """Check all controls for a member of the staff. Raises NotPermittedError."""
    check_permission(by, PERMISSION)
    return check_controls(origin=Origin.ADMIN, name=by.get_username(), by=by, runtime=runtime)


def check_controls(
    *, origin: Origin, name: str, runtime: Runtime, by: AbstractUser | None = None
) -> ControlRun:
    """Check all controls and keep the results; each call is another run.

    `name` is who is told of in the entry. Raises the database's errors.
    """
    started_at = runtime.now()
    results = run_checks(runtime=runtime)
    number = counts(each.state for each in results.values())
    with transaction.atomic():
        run = ControlRun.objects.create(
            id=uuid7(started_at),
            started_at=started_at,
            finished_at=runtime.now(),
            origin=origin,
            by_id=by.pk if by else None,
            by_name=name,
            digest=digest(results),
            holds=number[State.HOLDS],
            fails=number[State.FAILS],
            unknown=number[State.UNKNOWN],
        )
        ControlResult.objects.bulk_create(_rows(run, results))
        stage([checked_entry(run)])
    return run


def checked_entry(run: ControlRun) -> bytes:
    """Say that controls were checked, and what was found, as numbers and a digest."""
    return canonical(
        {
            "at": utc_text(run.started_at),
            "by": run.by_name,
            "by_id": str(run.by_id) if run.by_id else None,
            "digest": run.digest,
            "fails": run.fails,
            "holds": run.holds,
            "kind": CONTROLS_CHECKED,
            "origin": str(run.origin),
            "run": str(run.pk),
            "unknown": run.unknown,
        }
    )


def results_of(run: ControlRun) -> dict[str, CheckResult]:
    """Return what is stored of a run, by the ids of the controls."""
    return {
        each.control: CheckResult(State(each.state), each.sentence, each.evidence)
        for each in run.results.all()
    }


def _rows(run: ControlRun, results: dict[str, CheckResult]) -> list[ControlResult]:
    return [
        ControlResult(
            id=uuid7(run.started_at),
            run=run,
            control=control,
            state=found.state,
            sentence=found.sentence,
            evidence=dict(found.evidence),
        )
        for control, found in results.items()
    ]
