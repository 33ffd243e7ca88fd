"""Reads of a log in one fresh process: `python -m bench.child log_reader NAME` prints JSON."""

import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bench.site import BenchError
from verification.ledger.audit import Entry, SealedCheckpoint, Trust, audit
from verification.models import EvidenceKey, LedgerCheckpoint, LedgerEntry
from verification.selectors.ledger import inclusion_proof
from verification.services.log_audit import LogAudit
from verification.services.proving import prove_attempts
from verification.services.record_audit import check_dossier
from verification.services.record_streams import dossiers, snapshot
from verification.services.runtime import get_runtime
from verification.services.verifying import verify

ROUNDS = 3
PROOFS = 2000
DOCUMENTS = 400
EVERY = 1000
BUSY_ENTRIES = 9000
"""What a checkpoint covers at 150 attempts a second, one each half minute."""

Figures = Mapping[str, object]


def main(arguments: list[str]) -> None:
    """Measure one thing and print what was found."""
    sys.stdout.write(json.dumps(dict(MEASURES[arguments[0]]())))


def audit_from_memory() -> Figures:
    """Audit entries and checkpoints in memory; processor time, for it waits for nothing."""
    trust = Trust(get_runtime().conf.ledger_vkeys)
    rows = LedgerEntry.objects.order_by("index").values_list("index", "raw")
    entries = [(index, bytes(raw)) for index, raw in rows.iterator(chunk_size=10_000)]
    notes = LedgerCheckpoint.objects.order_by("size").values_list("note", "made_at")
    calm = [SealedCheckpoint(bytes(note), int(at.timestamp())) for note, at in notes]
    # Any log ends with the one that seals all of it.
    busy = [*calm[:: BUSY_ENTRIES * len(calm) // len(entries)], calm[-1]]
    return {
        "entries": len(entries),
        "mean_bytes": sum(len(raw) for _, raw in entries) / len(entries),
        "calm": _audited(entries, calm, trust),
        "busy": _audited(entries, busy, trust),
    }


def _audited(
    entries: Sequence[Entry], checkpoints: Sequence[SealedCheckpoint], trust: Trust
) -> Figures:
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        *_, last = audit(entries, checkpoints, trust)
        seconds.append(time.process_time() - began)
        if (last.size, last.checkpoints) != (len(entries), len(checkpoints)):
            raise BenchError("the audit did not read everything")
    return {"checkpoints": len(checkpoints), "seconds": seconds}


def audit_from_database() -> Figures:
    """Audit the log as `ledger_verify` reads it: leaf hashes, labels, times and nodes as well."""
    began = time.perf_counter()
    with snapshot("READ ONLY") as session:
        log = LogAudit(session, get_runtime().conf, ())
        _must_hold(log.faults())
    return {"entries": log.result.size, "seconds": time.perf_counter() - began}


def check_records() -> Figures:
    """Hold every record against its entries; the times of each EVERY attempts."""
    keyring, rows, attempts = get_runtime().conf.keyring, 0, 0
    seconds = []
    with snapshot("READ ONLY") as session:
        began = time.perf_counter()
        for dossier in dossiers(session):
            _must_hold(check_dossier(dossier, keyring))
            attempts += 1
            rows += 1 + len(dossier.entries) + len(dossier.evidence) + len(dossier.keys)
            if attempts % EVERY == 0:
                seconds.append((now := time.perf_counter()) - began)
                began = now
    return {"attempts": attempts, "rows": rows, "every": EVERY, "seconds": seconds}


def verify_all() -> Figures:
    """Run one whole verification."""
    began = time.perf_counter()
    outcome = verify(runtime=get_runtime())
    seconds = time.perf_counter() - began
    _must_hold(outcome.faults)
    return {"entries": outcome.log.size, "attempts": outcome.attempts, "seconds": seconds}


def prove() -> Figures:
    """Make single inclusion proofs, and proof documents of one attempt, at random places."""
    choose = random.Random(0)
    size = LedgerCheckpoint.objects.latest("size").size
    places = [choose.randrange(size) for _ in range(PROOFS)]
    known = list(EvidenceKey.objects.values_list("attempt_id", flat=True))
    attempts = [choose.choice(known) for _ in range(DOCUMENTS)]
    runtime = get_runtime()
    return {
        "entries": size,
        "proof_ms": _times_ms(lambda index: inclusion_proof(index, size), places),
        "document_ms": _times_ms(lambda each: prove_attempts([each], runtime=runtime), attempts),
    }


def _must_hold(faults: Iterable[object]) -> None:
    for each in faults:
        raise BenchError(f"the seeded log does not hold: {each}")


def _times_ms(make: Callable[[Any], object], subjects: Sequence[object]) -> list[float]:
    """Return how long each took, after a few that warm up connection and plans."""
    times = []
    for each in [*subjects[:20], *subjects]:
        began = time.perf_counter()
        make(each)
        times.append((time.perf_counter() - began) * 1000)
    return times[20:]


MEASURES: Mapping[str, Callable[[], Figures]] = MappingProxyType(
    {
        "memory": audit_from_memory,
        "database": audit_from_database,
        "records": check_records,
        "verify": verify_all,
        "proofs": prove,
    }
)
