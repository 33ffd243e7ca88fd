"""Seal the log at once, for an operator who will not wait for the sequencer's next checkpoint."""

import time
from collections.abc import Callable
from dataclasses import replace

from verification.models import LedgerCheckpoint
from verification.selectors.ledger import last_checkpoint
from verification.services.errors import LedgerRefusalError
from verification.services.runtime import Runtime
from verification.services.sequencing import BATCH, tend_log

TRIES = 40
PAUSE_S = 0.05
AT_ONCE_S = 1e-6


def seal_now(*, runtime: Runtime, sleep: Callable[[float], None] = time.sleep) -> LedgerCheckpoint:
    """Move all that is staged into the log, and return a checkpoint made since the call.

    Each call makes another. LedgerRefusalError if this process has no signing key, if the log
    does not continue what was published, or if another process keeps the sequencer's lock.
    """
    if runtime.conf.ledger_key is None:
        raise LedgerRefusalError("This process has no key to sign with.")
    before = _size()
    eager = replace(runtime, conf=replace(runtime.conf, ledger_checkpoint_s=AT_ONCE_S))
    for _ in range(TRIES):
        while tend_log(runtime=eager) >= BATCH:
            pass
        newest = last_checkpoint()
        if newest is not None and newest.size > before:
            return newest
        sleep(PAUSE_S)  # another sequencer is at work
    raise LedgerRefusalError(
        "No checkpoint was made: another process holds the sequencer's lock, or the clock stands "
        "before the newest checkpoint."
    )


def _size() -> int:
    newest = last_checkpoint()
    return newest.size if newest else 0
