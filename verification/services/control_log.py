"""Checks of controls: the log, its guards, its anchors, and the worker that tends it."""

from datetime import datetime, timedelta

from verification.controls.results import CheckResult, Fact, State, judged
from verification.ledger.errors import LedgerError
from verification.models import LedgerCheckpoint, LedgerCosignature, RollupPosition
from verification.models.guards import GUARDED
from verification.selectors.checkpoints import checkpoint_of_size
from verification.selectors.guard_state import lifted_guards
from verification.selectors.ledger import log_status
from verification.services.anchoring import newest_anchor
from verification.services.entries import utc_text
from verification.services.runtime import Runtime

VERIFIED_WITHIN = timedelta(hours=26)
SEALED_WITHIN = timedelta(seconds=120)
ANCHORED_WITHIN = timedelta(hours=24)
COUNTED_WITHIN = timedelta(minutes=10)
SHOWN = 20


def check_guards(_runtime: Runtime) -> CheckResult:
    """Compare triggers and functions with the migrations."""
    lifted = lifted_guards()
    return judged(
        fault=lifted[0] if lifted else "",
        held=f"All guards stand on {len(GUARDED)} tables.",
        evidence={"tables": len(GUARDED), "lifted": len(lifted), "sentences": lifted[:SHOWN]},
    )


def check_ledger_verified(runtime: Runtime) -> CheckResult:
    """Read the last verification."""
    last = log_status().verification
    if last is None:
        return CheckResult(State.FAILS, "Log and records were never verified.")
    evidence: dict[str, Fact] = {
        "result": last.result,
        "finished_at": utc_text(last.finished_at),
        "entries": last.size,
        "attempts": last.attempts,
        "finding": last.finding,
    }
    fault = ""
    if last.result != "held":
        fault = f"The last verification found: {last.finding}"
    elif _is_older(last.finished_at, VERIFIED_WITHIN, runtime):
        fault = f"The last verification is of {utc_text(last.finished_at)}: too old."
    return judged(fault=fault, held="The last verification found nothing.", evidence=evidence)


def check_checkpoint_fresh(runtime: Runtime) -> CheckResult:
    """Look at the age of the newest checkpoint."""
    newest = LedgerCheckpoint.objects.first()
    if newest is None:
        return CheckResult(State.FAILS, "There is no checkpoint: nothing is sealed.")
    is_old = _is_older(newest.made_at, SEALED_WITHIN, runtime)
    return judged(
        fault=f"The newest checkpoint is of {utc_text(newest.made_at)}: too old." if is_old else "",
        held="The newest checkpoint is young enough.",
        evidence=_checkpoint(newest),
    )


def check_anchored(runtime: Runtime) -> CheckResult:
    """Look for a young checkpoint outside of the database."""
    conf = runtime.conf
    cosigned = LedgerCosignature.objects.order_by("-cosigned_at").first()
    if cosigned and not _is_older(cosigned.cosigned_at, ANCHORED_WITHIN, runtime):
        evidence = {"witness": cosigned.witness, "at": utc_text(cosigned.cosigned_at)}
        return CheckResult(State.HOLDS, "A witness cosigned a checkpoint.", evidence)
    if conf.ledger_anchor_file is None:
        asked = "No witness cosigned a checkpoint in time." if conf.ledger_witnesses else ""
        return CheckResult(State.FAILS, asked or "There is neither an anchor file nor a witness.")
    if not conf.ledger_anchor_file.exists():
        return CheckResult(State.UNKNOWN, "The anchor file is not where this process can read it.")
    return _in_file(runtime)


def check_worker_alive(runtime: Runtime) -> CheckResult:
    """Look at when the worker last counted entries."""
    position = RollupPosition.objects.filter(pk=1).first()
    if position is None:
        return CheckResult(State.FAILS, "The worker has never counted entries.")
    is_old = _is_older(position.counted_at, COUNTED_WITHIN, runtime)
    at = utc_text(position.counted_at)
    return judged(
        fault=f"The worker last counted entries at {at}: too long ago." if is_old else "",
        held="The worker counts entries.",
        evidence={"counted_at": at, "entries": position.index},
    )


def _in_file(runtime: Runtime) -> CheckResult:
    try:
        newest = newest_anchor(conf=runtime.conf)
    except LedgerError as error:
        return CheckResult(State.FAILS, f"The anchor file does not hold: {error}")
    if newest is None:
        return CheckResult(State.FAILS, "The anchor file holds no checkpoint.")
    stored = checkpoint_of_size(newest.size)
    if stored is None or bytes(stored.root) != newest.root:
        sentence = f"The anchored checkpoint of {newest.size} entries is not in the database."
        return CheckResult(State.FAILS, sentence, {"size": newest.size, "root": newest.root.hex()})
    is_old = _is_older(stored.made_at, ANCHORED_WITHIN, runtime)
    return judged(
        fault=f"The newest anchor is of {utc_text(stored.made_at)}: too old." if is_old else "",
        held="The anchor file holds a young checkpoint.",
        evidence=_checkpoint(stored),
    )


def _checkpoint(row: LedgerCheckpoint) -> dict[str, str | int]:
    return {"size": row.size, "root": bytes(row.root).hex(), "made_at": utc_text(row.made_at)}


def _is_older(at: datetime, span: timedelta, runtime: Runtime) -> bool:
    return runtime.now() - at > span
