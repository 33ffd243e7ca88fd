"""Lists, the queue and a record over five million attempts, against the same over 20,000."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from bench.report import Finding
from bench.site import BenchError, Site, background, new_site

TARGET = 1.5
TARGET_RECORD_MS = 300.0
FEW, MANY, MANY_QUICK = 20_000, 5_000_000, 500_000
EVIDENCE_EVERY = 10
WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """One page: milliseconds, and how many queries it took."""

    ms: float
    queries: int


class Reader:
    """A process that reads pages: bench/list_reader.py. `names` are those it knows."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.names: Sequence[str] = json.loads(self._line())

    def read(self, name: str) -> Reading:
        """Read a page."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name}\n".encode())
        self._process.stdin.flush()
        return Reading(**json.loads(self._line()))

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        line: bytes = self._process.stdout.readline()
        if not line:
            raise BenchError("the reader of pages has ended")
        return line


def lists(site: Site, *, quick: bool) -> list[Finding]:
    """Fill two databases and read the same pages of both, taking turns."""
    with new_site() as small:
        small.child("rows", str(FEW), str(EVIDENCE_EVERY))
        site.child("rows", str(MANY_QUICK if quick else MANY), str(EVIDENCE_EVERY))
        return compare(site, small, rounds=10 if quick else 40)


def compare(large: Site, small: Site, *, rounds: int) -> list[Finding]:
    """Compare the medians of every page, and count the queries of both."""
    with _reader(large) as ours, _reader(small) as few:
        findings, more = [], 0
        for name in ours.names:
            turns = [(ours.read(name), few.read(name)) for _ in range(WARM_UP + rounds)][WARM_UP:]
            findings.append(_of_page(name, turns))
            more += sum(one.queries != other.queries for one, other in turns)
            if name == "record":
                p50 = median(one.ms for one, _ in turns)
                findings.append(Finding("record, itself", p50, "ms", TARGET_RECORD_MS, "p50"))
    return [*findings, Finding("pages with other queries", more, "", 0, "of all readings")]


def _of_page(name: str, turns: Sequence[tuple[Reading, Reading]]) -> Finding:
    large, small = (median(each.ms for each in side) for side in zip(*turns, strict=True))
    queries = turns[0][0].queries
    detail = f"p50 {large:.1f} ms, with {FEW:,} rows {small:.1f} ms, {queries} queries"
    return Finding(name, large / small, "x", TARGET, detail)


@contextmanager
def _reader(site: Site) -> Iterator[Reader]:
    with background(site, ["-m", "bench.child", "list_reader"], pipe=subprocess.PIPE) as process:
        yield Reader(process)
