"""Check an export's bundle offline: `python verify_export.py BUNDLE.zip --key VKEY`.

It shows that no row of the file was altered, added or dropped. It needs `verify_proof.py` and
`verify_rows.py` beside it, Python 3.11 and the package `cryptography`, and shares no code with the
writer. The format is docs/formats/bundle.md. Exit code: 0 all holds; 1 it does not, and the first
break is named; 2 a file or an argument cannot be read.
"""

import argparse
import csv
import gc
import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TextIO

try:
    from verification.ledger import verify_proof as proof
    from verification.ledger.verify_rows import (
        ACCEPTED,
        HEARTBEAT,
        UNPROVEN,
        Fold,
        Leaves,
        Needed,
        Opening,
        Tree,
        cells_of,
        groups_of,
        read_entry,
    )  # fmt: skip
except ImportError:  # as an auditor runs it: three files in a folder
    import verify_proof as proof  # type: ignore[import-not-found,no-redef]
    from verify_rows import (  # type: ignore[import-not-found,no-redef]
        ACCEPTED,
        HEARTBEAT,
        UNPROVEN,
        Fold,
        Leaves,
        Needed,
        Opening,
        Tree,
        cells_of,
        groups_of,
        read_entry,
    )  # fmt: skip

FORMAT = "verification-export/v1"
MEMBERS = (
    "README.txt", "manifest.json", "checkpoint.txt", "attempts.csv", "entries.txt", "openings.txt",
)  # fmt: skip
MAX_MANIFEST_BYTES = 16 * 2**20
MAX_LINE = BLOCK = 2**20
CHUNK, UNDER_WAY = 5_000, 4
MARGIN_S = 120
NONE, QUOTE, BYTE_ORDER_MARK = b"-", b'"', b"\xef\xbb\xbf"
PROVEN = """
The export holds. Proven, if the key is the log's own:
- Every attempt that was accepted in the period and is asked for has its row, and only these have.
- Each cell says what the log fixed: no row was altered, added, dropped or moved."""
NOT_PROVEN = """Not proven:
- That what was recorded is true, times included: they are the operator's.
- Without an anchor or witnesses: that everyone is shown this log, and that it never was another."""

is_count, is_maybe_text = (
    lambda value: type(value) is int and value >= 0,
    lambda value: value is None or proof.is_text(value),
)
is_time = proof.like(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z")
MANIFEST = {
    "format": lambda value: value == FORMAT,
    "export": proof.is_uuid,
    "size": is_count,
    "first": is_count,
    "frontier": [proof.is_hash],
    "rows": is_count,
    "columns": lambda value: (
        isinstance(value, list) and value[:1] == ["id"] and all(map(proof.is_text, value))
    ),
    "query": {
        "client": lambda value: value is None or proof.is_uuid(value),
        "state": is_maybe_text,
        "since": lambda value: value is None or is_time(value),
        "until": lambda value: value is None or is_time(value),
    },
    "clients": lambda value: isinstance(value, dict) and all(map(proof.is_text, value.values())),
    "files": dict.fromkeys(("attempts.csv", "entries.txt", "openings.txt"), proof.is_hex),
}


class Group(NamedTuple):
    """All of the file and the log about one attempt; `row` and `opening` are None where missing."""

    attempt: str
    entries: list[tuple[int, bytes]]
    row: list[str] | None
    opening: bytes | None


class Part(NamedTuple):
    """Some attempts as they stand in the bundle: lines of entries, and rows with their openings.

    `has_row` has a byte for each attempt, in order.
    """

    entries: list[bytes]
    has_row: bytes
    rows: bytes
    openings: list[bytes | None]


Other = list[bytes]
"""Lines of entries about no attempt of the period."""


class Parts:
    """A part as it is gathered."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.entries: list[bytes] = []
        self.has_row = bytearray()
        self.rows: list[bytes] = []
        self.openings: list[bytes | None] = []

    def begin(self, row: bytes | None, opening: bytes | None) -> None:
        """Begin another attempt, with its row if it has one."""
        self.has_row.append(row is not None)
        if row is not None:
            self.rows.append(row)
            self.openings.append(opening)

    def whole(self) -> Part:
        """Return what was gathered."""
        return Part(self.entries, bytes(self.has_row), b"\n".join(self.rows), self.openings)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the file should hold: the public filters, the columns, and how clients are called."""

    columns: tuple[str, ...]
    needed: Needed
    client: str | None
    state: str | None
    since: str
    until: str
    clients: Mapping[str, str] = field(repr=False)

    def wants(self, fold: Fold) -> bool:
        """Say whether an attempt belongs into the file."""
        return (self.client is None or fold.accepted["client"] == self.client) and (
            self.state is None or fold.state == self.state
        )


def check_group(group: Group, asked: Asked) -> tuple[bool, bool, Leaves]:
    """Check one attempt; return whether it is in the file, and erased, and its leaves' indexes and
    hashes."""
    leaves = [(index, hashlib.sha256(b"\0" + raw).digest()) for index, raw in group.entries]
    entries = [read_entry(raw) for _, raw in group.entries]
    indexes = [index for index, _ in group.entries]
    about = {each.get("attempt") for each in entries}
    proof.demand(about == {group.attempt}, "an entry is not about it")
    proof.demand(indexes == sorted(indexes), "its entries are not in order")
    fold = Fold(entries)
    at = str(fold.accepted["at"])
    proof.demand(asked.since <= at < asked.until, "it was not accepted in the period")
    wanted = asked.wants(fold)
    proof.demand(wanted or group.row is None, "the file holds it, and should not")
    proof.demand(not wanted or group.row is not None, "the file lacks it")
    if group.row is not None:
        check_row(fold, group, asked)
    return wanted, fold.is_erased, leaves


def check_row(fold: Fold, group: Group, asked: Asked) -> None:
    """Hold one row against the log."""
    row = dict(zip(asked.columns, group.row or (), strict=True))
    proof.demand(group.opening is not None, "nothing opens its values")
    opening = Opening(group.opening or b"")
    proof.demand(opening.attempt == fold.accepted["attempt"], "its opening is another's")
    proof.demand(opening.is_erased == fold.is_erased, "nothing opens its values, or it should not")
    expected = row | cells_of(fold, opening, row, asked.clients, asked.needed)
    if group.row != [expected[name] for name in asked.columns]:
        name = next(name for name in asked.columns if row[name] != expected[name])
        pair = f"{proof.visible(row[name])!r}, but the log says {proof.visible(expected[name])!r}"
        raise proof.BrokenError(f"{name} is {pair}")


def attempts_of(part: Part) -> Iterator[Group]:
    """Yield the attempts of a part one by one."""
    rows = csv.reader(io.StringIO(part.rows.decode(), newline=""), strict=True)
    openings = iter(part.openings)
    lines = groupby(map(entry_of, part.entries), key=lambda line: line[0])
    for has_row, (attempt, each) in zip(part.has_row, lines, strict=True):
        entries = [(index, raw) for _, index, raw in each]
        row, opening = (next(rows, None), next(openings)) if has_row else (None, None)
        yield Group(attempt, entries, row, opening)
    proof.demand(next(rows, None) is None, "a line of the file is more than one row")


def check_groups(part: Part, asked: Asked) -> tuple[tuple[int, int], Leaves]:
    """Check some attempts; return how many rows, of which so many erased, and which leaves.

    BrokenError names the first that does not hold.
    """
    rows, erased, found = 0, 0, []
    for group in attempts_of(part):
        try:
            wanted, is_erased, leaves = check_group(group, asked)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise proof.BrokenError(f"attempt {group.attempt}: not of its form ({error})") from None
        except proof.BrokenError as error:
            raise proof.BrokenError(f"attempt {group.attempt}: {error}") from None
        rows += wanted
        erased += wanted and is_erased
        found += leaves
    return (rows, erased), found


def check_others(lines: Other, asked: Asked) -> tuple[list[bytes], Leaves]:
    """Check entries that concern no attempt of the period; return which attempts they are about."""
    about, leaves = [], []
    for _, index, raw in map(entry_of, lines):
        try:
            entry = read_entry(raw)
            if "attempt" in entry:
                about.append(str(entry["attempt"]).encode())
            is_missed = entry["kind"] == ACCEPTED and asked.since <= entry["at"] < asked.until
        except (KeyError, TypeError, ValueError) as error:
            raise proof.BrokenError(f"entry {index}: not of its form ({error})") from None
        proof.demand(not is_missed, f"entry {index}: an attempt of the period is not accounted for")
        leaves.append((index, hashlib.sha256(b"\0" + raw).digest()))
    return about, leaves


def entry_of(line: bytes) -> tuple[str, int, bytes]:
    """Return attempt (a dash for none of the period), index and entry."""
    index, attempt, raw = line.split(b" ", 2)
    return attempt.decode("ascii"), int(index), raw


def records_of(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield records of CSV; one goes on in the next line while a quote is open in it."""
    for line in lines:
        record = line
        while record.count(QUOTE) & 1:
            record += b"\n" + next(lines, QUOTE)
        yield record


def pool_of(processes: int) -> ProcessPoolExecutor:
    """Return processes that look for no cycles, of which this makes none."""
    return ProcessPoolExecutor(processes, initializer=gc.disable)


class Bundle:
    """A bundle that is read in one pass."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Read the manifest; ValueError if anything is not of its form."""
        if sorted(archive.namelist()) != sorted(MEMBERS):
            raise ValueError("the bundle has not the members that it should have")
        if archive.getinfo("manifest.json").file_size > MAX_MANIFEST_BYTES:
            raise ValueError("the manifest is too long")
        self.archive = archive
        manifest = proof.read_json(archive.read("manifest.json"))
        if not proof.fits(manifest, MANIFEST):
            raise ValueError(f"the manifest is not a {FORMAT}")
        self.manifest = manifest
        query, columns = manifest["query"], tuple(manifest["columns"])
        self.asked = Asked(
            columns, groups_of(columns), query["client"], query["state"], query["since"] or "",
            query["until"] or "~", manifest["clients"],
        )  # fmt: skip
        frontier = [proof.unbase64(each) for each in manifest["frontier"]]
        self.tree = Tree(manifest["first"], manifest["size"], frontier)
        self.note = proof.read_note(archive.read("checkpoint.txt").decode())
        self.attempts: set[bytes] = set()
        self.rows = self.erased = 0

    def check(self, keys: proof.Keys, processes: int) -> None:
        """Check all of it; BrokenError names the first break."""
        proof.check_signed(self.note, keys, "checkpoint")
        proof.demand(self.note.size == self.tree.size, "checkpoint: it is of another size")
        with ExitStack() as stack:
            pool = stack.enter_context(pool_of(processes)) if processes > 1 else None
            for kind, result in self._results(pool):
                counted, leaves = result
                if kind is Part:
                    self.rows, self.erased = self.rows + counted[0], self.erased + counted[1]
                elif missed := self.attempts.intersection(counted):
                    raise proof.BrokenError(f"attempt {min(missed).decode()}: entries apart")
                self.tree.put(leaves)
        proof.demand(self.tree.root() == self.note.root, "the entries are not those of the log")
        proof.demand(self.rows == self.manifest["rows"], "the manifest counts other rows")

    def _lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a member, which must have its digest; the last one must end, too."""
        digest, rest = hashlib.sha256(), b""
        with self.archive.open(name) as file:
            while block := file.read(BLOCK):
                digest.update(block)
                *lines, rest = (rest + block).split(b"\n")
                if max(map(len, (rest, *lines))) > MAX_LINE:
                    raise ValueError(f"{name}: a line is too long")
                yield from lines
        if rest:
            raise ValueError(f"{name}: a line is cut off")
        holds = digest.hexdigest() == self.manifest["files"][name]
        proof.demand(holds, f"{name} is not the file that the manifest names")

    def _rows(self) -> Iterator[bytes]:
        """Yield the rows of the file behind its line of names; ValueError if these are others."""
        records = records_of(self._lines("attempts.csv"))
        names = next(records, b"").removeprefix(BYTE_ORDER_MARK).decode()
        if next(csv.reader([names]), None) != list(self.asked.columns):
            raise ValueError("attempts.csv: its columns are not those of the manifest")
        return records

    def _results(self, pool: ProcessPoolExecutor | None) -> Iterator[tuple[Any, Any]]:
        """Yield what each chunk came to, with a few chunks under way at a time."""
        waiting: list[tuple[Any, Any]] = []
        for kind, check, chunk in self._chunks():
            if pool is None:
                yield kind, check(chunk, self.asked)
                continue
            waiting.append((kind, pool.submit(check, chunk, self.asked)))
            if len(waiting) > UNDER_WAY:
                first_kind, first = waiting.pop(0)
                yield first_kind, first.result()
        for each_kind, each in waiting:
            yield each_kind, each.result()

    def _chunks(self) -> Iterator[tuple[Any, Any, Any]]:
        """Yield parts of attempts, and lines about others, each with what checks it."""
        rows, openings = self._rows(), self._lines("openings.txt")
        row, part, others, attempt = next(rows, None), Parts(), [], NONE
        lines = self._lines("entries.txt")
        for line in self._checked_first(lines) if self.tree.first else lines:
            _, about, _ = line.split(b" ", 2)
            if about == NONE:
                others.append(line)
                if len(others) >= CHUNK:
                    yield Other, check_others, others
                    others = []
            elif about != attempt:
                if len(part.has_row) >= CHUNK:
                    yield Part, check_groups, part.whole()
                    part = Parts()
                self._begin(about)
                is_next = row is not None and row.partition(b",")[0] == about
                part.begin(row if is_next else None, next(openings, None) if is_next else None)
                row = next(rows, None) if is_next else row
            if about != NONE:
                part.entries.append(line)
            attempt = about
        if row is not None:
            name = proof.visible(row.partition(b",")[0].decode(errors="replace"))
            raise proof.BrokenError(
                f"attempts.csv: its row of {name} is in no place that the log gives it"
            )
        proof.demand(next(openings, None) is None, "openings.txt opens what is not in the file")
        yield Part, check_groups, part.whole()
        yield Other, check_others, others

    def _begin(self, attempt: bytes) -> None:
        """Note an attempt of the period, whose entries stand together."""
        if attempt in self.attempts:
            raise proof.BrokenError(f"attempt {attempt.decode(errors='replace')}: entries apart")
        self.attempts.add(attempt)

    def _checked_first(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """Look in passing at the heartbeat that shows that nothing earlier is of the period."""
        shown = False
        for line in lines:
            if not shown:
                _, index, raw = entry_of(line)
                if index == self.tree.first:
                    entry = read_entry(raw)
                    shown = entry["kind"] == HEARTBEAT and is_before(entry["at"], self.asked.since)
                    proof.demand(shown, "the entries begin too late for the period")
            yield line
        proof.demand(shown, "the entries begin too late for the period")


def is_before(at: str, since: str) -> bool:
    """Say whether a time lies before another by what clocks may differ."""
    if not since:
        return False
    moments = (datetime.fromisoformat(each) for each in (at, since))
    heartbeat, begin = moments
    return (begin - heartbeat).total_seconds() >= MARGIN_S


def report(bundle: Bundle) -> Iterator[str]:
    """Yield in plain words what was shown."""
    query, note = bundle.manifest["query"], bundle.note
    yield f"Log {proof.visible(note.origin)}: {note.size:,} entries, root {note.root.hex()}"
    yield f"File attempts.csv: {bundle.rows:,} rows, {len(bundle.asked.columns)} columns"
    period = f"from {query['since'] or 'the beginning'} to {query['until'] or 'the checkpoint'}"
    narrowed = [
        f"{name} {proof.visible(query[name])}" for name in ("client", "state") if query[name]
    ]
    yield f"Asked for: attempts accepted {period}{', '.join(['', *narrowed])}"
    yield PROVEN
    if bundle.erased:
        yield f"- The figures that are left of {bundle.erased:,} rows whose texts were erased."
    unproven = [each for each in bundle.asked.columns if each in UNPROVEN]
    yield NOT_PROVEN
    if unproven:
        names = ", ".join(unproven)
        yield f"- What stands in {names}: the log holds ids of clients, and no due times."


def main(argv: Sequence[str], out: TextIO) -> int:
    """Check the bundle that the arguments name, write the report, return the exit code."""
    parser = argparse.ArgumentParser(description="Check an export's bundle offline.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE.zip")
    parser.add_argument("--key", required=True, metavar="VKEY", help="the log's, pinned before")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    given = parser.parse_args(argv)
    try:
        keys = proof.read_key(given.key, proof.NOTE_KEY)
        with zipfile.ZipFile(given.bundle) as archive:
            bundle = Bundle(archive)
            bundle.check(keys, given.processes)
        text, code = "\n".join(report(bundle)), 0
    except proof.BrokenError as error:
        text, code = f"The export does NOT hold. {error}.", 1
    except (ValueError, OSError, RecursionError, zipfile.BadZipFile, csv.Error) as error:
        text, code = f"Cannot be read: {proof.visible(str(error))}.", 2
    encoding = out.encoding or "utf-8"
    out.write(f"{text}\n".encode(encoding, "backslashreplace").decode(encoding))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout))
