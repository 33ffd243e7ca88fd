"""The operator's own anchor file: every checkpoint is appended, and the log must continue it."""

import os
from pathlib import Path

from verification.conf import Conf
from verification.ledger.anchors import anchor, last_anchor
from verification.ledger.checkpoint import Checkpoint, open_checkpoint
from verification.ledger.errors import LedgerError
from verification.selectors.ledger import frontier_at
from verification.services.errors import LedgerRefusalError

TAIL_BYTES = 65_536


def publish(note: bytes, *, conf: Conf) -> None:
    """Append a signed checkpoint to the anchor file, flushed to the disk; nothing without one."""
    if conf.ledger_anchor_file is None:
        return
    descriptor = os.open(conf.ledger_anchor_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, anchor(note))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_anchor(*, size: int, conf: Conf) -> None:
    """Refuse to sign a log of `size` that does not continue the newest anchor.

    LedgerRefusalError: the database was rolled back or rewritten, or the file is another log's.
    """
    try:
        published = newest_anchor(conf=conf)
    except LedgerError as error:
        raise LedgerRefusalError(f"The anchor file does not hold: {error}") from error
    if published is None:
        return
    if published.size > size:
        raise LedgerRefusalError(
            f"The log has {size} entries, but {published.size} were published: it was rolled back."
        )
    if frontier_at(published.size).root() != published.root:
        raise LedgerRefusalError(
            f"The log's first {published.size} entries are not those that were published."
        )


def newest_anchor(*, conf: Conf) -> Checkpoint | None:
    """Return the newest checkpoint of the anchor file; None without one. LedgerError, OSError."""
    file = conf.ledger_anchor_file
    if file is None or not file.exists():
        return None
    note = last_anchor(_tail(file))
    return open_checkpoint(note, log_keys=conf.ledger_vkeys).checkpoint if note else None


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read()
