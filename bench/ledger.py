"""What log and judgement cost a submission, how soon an entry is in it, how fast all is checked."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from bench.report import Finding
from bench.servers import new_key
from bench.site import BenchError, Site, background

TARGET_SUBMIT = 0.9
TARGET_JUDGED = 0.95
TARGET_LAG_MS = 500.0
TARGET_AUDIT_PER_S = 200_000.0
TARGET_ROWS_PER_S = 30_000.0
TARGET_DAY_S = 30.0
TARGET_PROOF_MS = 5.0

RATE_PER_S = 150
PROCESSES = 2
WARM_UP = 300
WAIT_S = 60.0

IS_DRAINED = "SELECT NOT EXISTS (SELECT FROM verification_ledger_stage)"
IS_SEALED = "SELECT EXISTS (SELECT FROM verification_ledger_checkpoint)"
SIZE = "SELECT coalesce(max(index) + 1, 0) FROM verification_ledger_entry"
ATTEMPTS = "SELECT count(*) FROM verification_attempt"
JUDGED = "SELECT count(verdict) FROM verification_attempt"
ENTRIES = "SELECT count(*) FROM verification_ledger_entry WHERE attempt_id IS NOT NULL"
LAGS = """
    SELECT 1000 * extract(epoch FROM
        sequenced_at - (convert_from(raw, 'UTF8')::jsonb->>'at')::timestamptz)::float8
    FROM verification_ledger_entry WHERE index >= %s AND attempt_id IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Took:
    """One round of a corridor: how long all of it took, and each submission."""

    seconds: float
    took_ms: Sequence[float]

    @property
    def per_s(self) -> float:
        """Return submissions a second."""
        return len(self.took_ms) / self.seconds


class Corridor:
    """Processes that wait for work, with sixteen writers together: bench/corridor.py."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        self._processes = processes

    def write(self, submissions: int, per_s: float = 0) -> Took:
        """Make submissions, at most `per_s` a second if that is not 0."""
        among = len(self._processes)
        for each in self._processes:
            assert each.stdin is not None
            each.stdin.write(f"{submissions // among} {per_s / among}\n".encode())
            each.stdin.flush()
        done = [self._read(each) for each in self._processes]
        return Took(
            max(took.seconds for took in done), [each for took in done for each in took.took_ms]
        )

    def _read(self, process: subprocess.Popen[bytes]) -> Took:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise BenchError("the corridor has ended")
        return Took(**json.loads(line))


def ledger_submit(site: Site, *, quick: bool) -> list[Finding]:
    """Compare the rates of alternating rounds; the sequencer runs beside, and idles without."""
    found = _compare(site, "bare", "submissions with the log", TARGET_SUBMIT, quick=quick)
    attempts, entries = _one(site, ATTEMPTS), _one(site, ENTRIES)
    if attempts != entries:
        raise BenchError(f"{attempts} attempts of both sides have {entries} entries")
    return [found]


def judged_submit(site: Site, *, quick: bool) -> list[Finding]:
    """Compare the rates of alternating rounds, with and without a judgement."""
    found = _compare(site, "unjudged", "submissions, judged", TARGET_JUDGED, quick=quick)
    attempts, judged = _one(site, ATTEMPTS), _one(site, JUDGED)
    if attempts != 2 * judged:
        raise BenchError(f"{judged} attempts of {attempts} of both sides are judged")
    return [found]


def ledger_lag(site: Site, *, quick: bool) -> list[Finding]:
    """Submit at a steady rate; look how long after its own time each entry was sequenced."""
    seconds = 10 if quick else 40
    new_key(site)
    with _sequencer(site), _corridor(site, "ledger") as ours:
        ours.write(WARM_UP, RATE_PER_S)
        _wait_for(site, IS_DRAINED)
        size = _one(site, SIZE)
        took = ours.write(RATE_PER_S * seconds, RATE_PER_S)
        _wait_for(site, IS_DRAINED)
    with site.connect() as connection:
        lags = [float(lag) for (lag,) in connection.execute(LAGS, [size])]
    if len(lags) != 2 * len(took.took_ms):
        raise BenchError(f"{len(took.took_ms)} submissions made {len(lags)} entries")
    detail = f"p50 {median(lags):.0f} ms, {len(lags):,} entries of {took.per_s:.0f} attempts/s"
    return [Finding("lag of the sequencer, p99", _p99(lags), "ms", TARGET_LAG_MS, detail)]


def ledger_verify(site: Site, *, quick: bool) -> list[Finding]:
    """Verify a day's log: its tree alone, its records alone, and all there is."""
    site.child("log_rows", "day", str(10_000 if quick else 100_000))
    memory, database, records, all_ = (
        _read(site, name) for name in ("memory", "database", "records", "verify")
    )
    return [
        *_of_tree(memory),
        _of_stored_tree(database),
        *_of_records(records),
        _of_day(all_, records, is_target=not quick),
    ]


def ledger_proof(site: Site, *, quick: bool) -> list[Finding]:
    """Prove entries at random places of a long log."""
    site.child("log_rows", "long", str(100_000 if quick else 1_000_000))
    found = _read(site, "proofs")
    single, whole = found["proof_ms"], found["document_ms"]
    detail = f"p50 {median(single):.2f} ms, {found['entries']:,} entries"
    document = f"p50 {median(whole):.2f} ms, prove_attempts of one attempt"
    return [
        Finding("inclusion proof, p99", _p99(single), "ms", TARGET_PROOF_MS, detail),
        Finding("proof document, p99", _p99(whole), "ms", None, document),
    ]


def _of_tree(memory: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the rate on one core of a log at 150 attempts a second, then of a calm day's."""
    for kind, target in (("busy", TARGET_AUDIT_PER_S), ("calm", None)):
        rate = memory["entries"] / median(memory[kind]["seconds"])
        detail = (
            f"{memory['entries']:,} entries of {memory['mean_bytes']:.0f} bytes,"
            f" {memory[kind]['checkpoints']:,} checkpoints, processor time"
        )
        yield Finding(f"tree and signatures, {kind}", rate, "/s", target, detail, at_least=True)


def _of_stored_tree(database: Mapping[str, Any]) -> Finding:
    rate = database["entries"] / database["seconds"]
    detail = f"{database['seconds']:.1f} s, with leaf hashes, labels, times, nodes"
    return Finding("tree and signatures, stored", rate, "/s", None, detail)


def _of_records(records: Mapping[str, Any]) -> list[Finding]:
    attempts_s = records["every"] / median(records["seconds"])
    rows_s = attempts_s * records["rows"] / records["attempts"]
    detail = f"{records['rows']:,} rows: attempts, evidence, keys, entries"
    return [
        Finding("rows against entries", rows_s, "/s", TARGET_ROWS_PER_S, detail, at_least=True),
        Finding("attempts against entries", attempts_s, "/s", None, f"{records['attempts']:,}"),
    ]


def _of_day(all_: Mapping[str, Any], records: Mapping[str, Any], *, is_target: bool) -> Finding:
    """Return how long a whole verification took; a part of a day has no target."""
    detail = f"{all_['entries']:,} entries, {records['rows']:,} rows, {all_['attempts']:,} attempts"
    target = TARGET_DAY_S if is_target else None
    return Finding("whole verification", all_["seconds"], "s", target, detail)


def _round(site: Site, side: Corridor, submissions: int) -> Took:
    """Let one side submit, and the sequencer catch up before the other does."""
    took = side.write(submissions)
    _wait_for(site, IS_DRAINED)
    return took


def _compare(site: Site, other: str, name: str, target: float, *, quick: bool) -> Finding:
    """Let both sides submit in turn, one of them with something cut out: bench/corridor.py."""
    rounds, submissions = (8, 400) if quick else (30, 400)
    new_key(site)
    with _sequencer(site), _corridor(site, "ledger") as ours, _corridor(site, other) as bare:
        _round(site, ours, WARM_UP)
        _round(site, bare, WARM_UP)
        pairs = []
        for turn in range(rounds):
            order = (ours, bare) if turn % 2 else (bare, ours)
            took = {each: _round(site, each, submissions) for each in order}
            pairs.append((took[ours], took[bare]))
    ratio = median(took.per_s / plain.per_s for took, plain in pairs)
    whole, without = (_describe(side) for side in zip(*pairs, strict=True))
    return Finding(name, ratio, "x", target, f"{whole}; without {without}", at_least=True)


def _describe(rounds: Sequence[Took]) -> str:
    times = [each for took in rounds for each in took.took_ms]
    return f"{median(took.per_s for took in rounds):.0f}/s, p99 {_p99(times):.0f} ms"


def _p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100)[-1]


def _read(site: Site, name: str) -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads(site.child("log_reader", name))
    return read


@contextmanager
def _corridor(site: Site, side: str) -> Iterator[Corridor]:
    command = ["-m", "bench.child", "corridor", side]
    with ExitStack() as stack:
        processes = [background(site, command, pipe=subprocess.PIPE) for _ in range(PROCESSES)]
        yield Corridor([stack.enter_context(each) for each in processes])


@contextmanager
def _sequencer(site: Site) -> Iterator[None]:
    """Run the worker as it is run in production; it has begun when it has sealed the log."""
    with background(site, ["manage.py", "worker_run"]):
        _wait_for(site, IS_SEALED)
        yield


def _wait_for(site: Site, condition: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not _one(site, condition):
        if time.monotonic() > deadline:
            raise BenchError(f"the sequencer did not get that far within {WAIT_S:.0f} s")
        time.sleep(0.05)


def _one(site: Site, statement: str) -> int:
    with site.connect() as connection:
        row = connection.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0
