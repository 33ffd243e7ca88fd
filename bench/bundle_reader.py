"""Write a bundle of all attempts and check it: `python -m bench.child bundle_reader`, for JSON."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.memory import peak_bytes
from bench.site import BenchError
from verification.identifiers import uuid7
from verification.ledger import verify_export
from verification.models import LedgerCheckpoint
from verification.selectors.as_of import newest_repeatable
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_columns import COLUMNS
from verification.selectors.export_form import FileForm
from verification.selectors.exports import attempts_file
from verification.services.bundling import write_bundle
from verification.services.runtime import get_runtime

PAIRS = 3
UNLOGGED = {"decision", "review_state", "review_due_at", "reason_code", "decided_at"}
"""Columns of reviews, whose steps the benchmark's rows have without entries."""


def main(_arguments: list[str]) -> None:
    """Measure, and print what was found."""
    as_of = newest_repeatable()
    if as_of is None:
        raise BenchError("the log has no checkpoint")
    ratios, firsts = zip(*_pairs(as_of), strict=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        before, began = peak_bytes(os.getpid()), time.perf_counter()
        runtime = get_runtime()
        with path.open("wb") as file:
            written = write_bundle(
                file,
                export=uuid7(runtime.now()),
                query=AttemptQuery(),
                form=FileForm(tuple(each for each in COLUMNS if each.name not in UNLOGGED)),
                as_of=as_of,
            )
        written_s = time.perf_counter() - began
        grown = peak_bytes(os.getpid()) - before
        checked_s = _check(path, str(runtime.conf.ledger_vkeys[0]))
        found = {
            "as_of_ratio": median(ratios),
            "first_byte_s": median(firsts),
            "rows": written.rows,
            "entries": as_of.size,
            "size_bytes": path.stat().st_size,
            "written_s": written_s,
            "grown_bytes": grown,
            "checked_s": checked_s,
            "processes": os.cpu_count(),
        }
    sys.stdout.write(json.dumps(found))


def _pairs(as_of: LedgerCheckpoint) -> Iterator[tuple[float, float]]:
    """Yield how much longer a file as of a checkpoint takes, and when it begins."""
    for _ in range(PAIRS):
        now_s, _first = _read(None)
        then_s, first_s = _read(as_of)
        yield then_s / now_s, first_s


def _read(as_of: LedgerCheckpoint | None) -> tuple[float, float]:
    began, first_s = time.perf_counter(), 0.0
    for number, _ in enumerate(attempts_file(AttemptQuery(), as_of=as_of)):
        if number == 0:
            first_s = time.perf_counter() - began
    return time.perf_counter() - began, first_s


def _check(path: Path, vkey: str) -> float:
    began = time.perf_counter()
    command = [sys.executable, verify_export.__file__, str(path), "--key", vkey]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"the bundle does not hold: {done.stdout.decode()}")
    return time.perf_counter() - began
