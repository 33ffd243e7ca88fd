"""Check an export's bundle offline: `python verify_export.py BUNDLE.zip --key VKEY`.

It shows that no row of the file was altered, added or dropped. It needs `verify_proof.py` and
`verify_rows.py` beside it, Python 3.11 and the package `cryptography`, and shares no code with the
writer. The format is docs/formats/bundle.md. Exit code: 0 all holds; 1 it does not, and the first
break is named; 2 a file or an argument cannot be read.
"""

import argparse
import csv
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
        Opening,
        Tree,
        cells_of,
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
        Opening,
        Tree,
        cells_of,
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
NONE = "-"
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
    "columns": lambda value: isinstance(value, list) and "id" in value,
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What the file should hold: the public filters, the columns, and how clients are called."""

    columns: tuple[str, ...]
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


def check_group(group: Group, asked: Asked) -> tuple[bool, Leaves]:
    """Check one attempt; return whether it is in the file, and its leaves' indexes and hashes."""
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
    return wanted, leaves


def check_row(fold: Fold, group: Group, asked: Asked) -> None:
    """Hold one row against the log."""
    row = dict(zip(asked.columns, group.row or (), strict=True))
    proof.demand(group.opening is not None, "nothing opens its values")
    opening = Opening(group.opening or b"")
    proof.demand(opening.attempt == fold.accepted["attempt"], "its opening is another's")
    expected = cells_of(fold, opening, row, asked.clients)
    for name, shown in row.items():
        if shown != (said := expected.get(name, shown)):
            pair = f"{proof.visible(shown)!r}, but the log says {proof.visible(said)!r}"
            raise proof.BrokenError(f"{name} is {pair}")


def check_groups(groups: Sequence[Group], asked: Asked) -> tuple[int, Leaves]:
    """Check some attempts; return how many rows and which leaves. BrokenError names the first."""
    rows, found = 0, []
    for group in groups:
        try:
            wanted, leaves = check_group(group, asked)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise proof.BrokenError(f"attempt {group.attempt}: not of its form ({error})") from None
        except proof.BrokenError as error:
            raise proof.BrokenError(f"attempt {group.attempt}: {error}") from None
        rows += wanted
        found += leaves
    return rows, found


def check_others(lines: Sequence[tuple[int, bytes]], asked: Asked) -> tuple[list[str], Leaves]:
    """Check entries that concern no attempt of the period; return which attempts they are about."""
    about, leaves = [], []
    for index, raw in lines:
        try:
            entry = read_entry(raw)
            if "attempt" in entry:
                about.append(str(entry["attempt"]))
            is_missed = entry["kind"] == ACCEPTED and asked.since <= entry["at"] < asked.until
        except (KeyError, TypeError, ValueError) as error:
            raise proof.BrokenError(f"entry {index}: not of its form ({error})") from None
        proof.demand(not is_missed, f"entry {index}: an attempt of the period is not accounted for")
        leaves.append((index, hashlib.sha256(b"\0" + raw).digest()))
    return about, leaves


def lines_of(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Yield the lines of a member; the last one must end, too."""
    with archive.open(name) as file:
        for line in file:
            if not line.endswith(b"\n") or len(line) > MAX_LINE:
                raise ValueError(f"{name}: a line is cut off, or too long")
            yield line[:-1]


def entry_lines(archive: zipfile.ZipFile) -> Iterator[tuple[str, int, bytes]]:
    """Yield attempt (a dash for none of the period), index and entry."""
    for line in lines_of(archive, "entries.txt"):
        index, attempt, raw = line.split(b" ", 2)
        yield attempt.decode("ascii"), int(index), raw


def file_rows(archive: zipfile.ZipFile, columns: Sequence[str]) -> Iterator[list[str]]:
    """Yield the rows of the file behind its line of names; ValueError if these are others."""
    with archive.open("attempts.csv") as file:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        rows = csv.reader(text, strict=True)
        if next(rows, None) != list(columns):
            raise ValueError("attempts.csv: its columns are not those of the manifest")
        yield from rows


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
        query = manifest["query"]
        self.asked = Asked(
            tuple(manifest["columns"]), query["client"], query["state"],
            query["since"] or "", query["until"] or "~", manifest["clients"],
        )  # fmt: skip
        frontier = [proof.unbase64(each) for each in manifest["frontier"]]
        self.tree = Tree(manifest["first"], manifest["size"], frontier)
        self.note = proof.read_note(archive.read("checkpoint.txt").decode())
        self.attempts: set[str] = set()
        self.rows = 0

    def check(self, keys: proof.Keys, processes: int) -> None:
        """Check all of it; BrokenError names the first break."""
        proof.check_signed(self.note, keys, "checkpoint")
        proof.demand(self.note.size == self.tree.size, "checkpoint: it is of another size")
        self._check_digests()
        with ExitStack() as stack:
            pool = stack.enter_context(ProcessPoolExecutor(processes)) if processes > 1 else None
            for kind, result in self._results(pool):
                counted, leaves = result
                if kind is Group:
                    self.rows += counted
                else:
                    missed = self.attempts.intersection(counted)
                    proof.demand(not missed, f"attempt {min(missed, default='')}: entries apart")
                self.tree.put(leaves)
        proof.demand(self.tree.root() == self.note.root, "the entries are not those of the log")
        proof.demand(self.rows == self.manifest["rows"], "the manifest counts other rows")

    def _check_digests(self) -> None:
        for name, said in self.manifest["files"].items():
            digest = hashlib.sha256()
            with self.archive.open(name) as file:
                while block := file.read(BLOCK):
                    digest.update(block)
            proof.demand(
                digest.hexdigest() == said, f"{name} is not the file that the manifest names"
            )

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

    def _chunks(self) -> Iterator[tuple[Any, Any, list[Any]]]:
        lines = self._checked_first(entry_lines(self.archive))
        groups: list[Group] = []
        others: list[tuple[int, bytes]] = []
        for each in self._groups(lines):
            if isinstance(each, Group):
                groups.append(each)
                if len(groups) >= CHUNK:
                    yield Group, check_groups, groups
                    groups = []
            else:
                others.append(each)
                if len(others) >= CHUNK:
                    yield tuple, check_others, others
                    others = []
        yield Group, check_groups, groups
        yield tuple, check_others, others

    def _groups(
        self, lines: Iterator[tuple[str, int, bytes]]
    ) -> Iterator[Group | tuple[int, bytes]]:
        """Yield an attempt of the period with its row, or one of the other entries."""
        rows, openings = (
            file_rows(self.archive, self.asked.columns),
            lines_of(self.archive, "openings.txt"),
        )
        place = self.asked.columns.index("id")
        row = next(rows, None)
        for attempt, each in groupby(lines, key=lambda line: line[0]):
            if attempt == NONE:
                yield from ((index, raw) for _, index, raw in each)
                continue
            proof.demand(attempt not in self.attempts, f"attempt {attempt}: entries apart")
            self.attempts.add(attempt)
            entries = [(index, raw) for _, index, raw in each]
            if row is not None and row[place : place + 1] == [attempt]:
                yield Group(attempt, entries, row, next(openings, None))
                row = next(rows, None)
            else:
                yield Group(attempt, entries, None, None)
        if row is not None:
            name = proof.visible(",".join(row[place : place + 1]))
            raise proof.BrokenError(
                f"the file's row of {name} is in no place that the log gives it"
            )
        proof.demand(next(openings, None) is None, "openings.txt opens what is not in the file")

    def _checked_first(
        self, lines: Iterator[tuple[str, int, bytes]]
    ) -> Iterator[tuple[str, int, bytes]]:
        """Look in passing at the heartbeat that shows that nothing earlier is of the period."""
        shown = self.tree.first == 0
        for attempt, index, raw in lines:
            if index == self.tree.first and not shown:
                entry = read_entry(raw)
                shown = entry["kind"] == HEARTBEAT and is_before(entry["at"], self.asked.since)
                proof.demand(shown, "the entries begin too late for the period")
            yield attempt, index, raw
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
