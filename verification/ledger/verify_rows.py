"""The log's tree, what its entries say of an attempt, and the row that follows from it.

A part of `verify_export.py`, beside which it lies with `verify_proof.py`. docs/formats/bundle.md.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

try:
    from verification.ledger import verify_proof as proof
except ImportError:  # as an auditor runs it: three files in a folder
    import verify_proof as proof  # type: ignore[import-not-found,no-redef]

HASH_BYTES, HASHED_BYTES = 32, 64
MAX_ENTRIES = 2**31
HEARTBEAT, ACCEPTED, SETTLED, RECONCILED = (
    "heartbeat", "attempt.accepted", "attempt.settled", "attempt.reconciled",
)  # fmt: skip
ERASED, REVIEW = ("evidence.erased", "evidence.expired"), "review."
RECORD_ERASED = "record.erased"
ANSWERED, NOT_SENT = "answered", "not_sent"
FORMULA_STARTS = "\t\n\r+-=@\uff0b\uff0d\uff1d\uff20"
TEXTS = {
    "biz_no", "subject", "request_id", "result_message", "error_code", "error_argument",
    "device_level",
}  # fmt: skip
"""Cells of outside text, before which an apostrophe may stand."""
UNPROVEN = {"client", "review_due_at", "ledger_leaf_hash", "ledger_index"}
"""Columns of which the log says nothing, or only by an id."""
COUNTED = {
    "http_status", "time_used_ms", "result_code", "outcome", "billable", "error_code", "is_attack",
    *proof.GROUPS["judgement"],
}  # fmt: skip
"""Of the groups, what an erased record keeps; nothing proves it any more."""
STEPS = {
    "opened": "open", "proposed": "proposed", "returned": "open", "decided": "decided",
    "reopened": "open", "glass_broken": "decided",
}  # fmt: skip
"""What steps of a review lead to; the others change nothing that is in the file."""


def _refuse(number: str) -> Any:
    raise ValueError(f"{number} is no integer")


READ = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse).raw_decode
WRITE = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode
TEXT = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
SLICE = json.JSONDecoder().raw_decode
EXACT = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse).decode
DIGESTS = re.compile(r'"sha256": "([0-9a-f]{64})"').findall
DIGIT_TEXTS = re.compile(r'":"[0-9a-fTZ:.-]{27,64}"').sub
SIZES = re.compile(r'size_bytes":[1-9][0-9]*').sub
INNER, OUTER = (bytes(each ^ pad for each in range(256)) for pad in (0x36, 0x5C))
"""What a key is turned into for the two hashes of an HMAC (RFC 2104)."""


Entry = Mapping[str, Any]
Cells = dict[str, str]
Leaves = list[tuple[int, bytes]]
Needed = tuple[tuple[str, ...], bool]


class Tree:
    """The leaves of the log from `first` to `size`, as they are found, and the frontier before."""

    def __init__(self, first: int, size: int, frontier: Sequence[bytes]) -> None:
        """Begin with no leaf; ValueError for numbers or a frontier that no tree has."""
        if not 0 <= first < size or size - first > MAX_ENTRIES:
            raise ValueError("the manifest's sizes are not those of a log")
        if len(frontier) != first.bit_count() or any(len(each) != HASH_BYTES for each in frontier):
            raise ValueError("the manifest's frontier does not fit")
        self.first, self.size, self.frontier = first, size, list(frontier)
        self._hashes = bytearray((size - first) * HASH_BYTES)
        self._seen = bytearray(size - first)

    def put(self, leaves: Leaves) -> None:
        """Put leaves to their places; BrokenError if one is taken or outside."""
        first, seen, hashes = self.first, self._seen, self._hashes
        for index, leaf in leaves:
            place = index - first
            if not 0 <= place < len(seen) or seen[place]:
                raise proof.BrokenError(f"entry {index} stands there twice, or outside of the log")
            seen[place] = 1
            hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES] = leaf

    def root(self) -> bytes:
        """Return the root (RFC 6962, 2.1) once every leaf is there; BrokenError before."""
        missing = self._seen.find(0)
        proof.demand(missing < 0, f"entry {self.first + missing} is missing")
        row = [bytes(self._hashes[at : at + 32]) for at in range(0, len(self._hashes), 32)]
        waiting, kept, first = list(self.frontier), [], self.first
        for _ in range(self.size.bit_length()):
            if first & 1:
                row.insert(0, waiting.pop())
            if len(row) & 1:
                kept.append(row.pop())
            pairs = iter(row)
            row = [
                hashlib.sha256(b"\1" + left + right).digest()
                for left, right in zip(pairs, pairs, strict=True)
            ]
            first >>= 1
        top = kept[0]
        for left in kept[1:]:
            top = hashlib.sha256(b"\1" + left + top).digest()
        return top


class Fold:
    """What the log says of one attempt, entry by entry."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Take its entries in their order; BrokenError for a life that none has."""
        proof.demand(
            [each["kind"] for each in entries].count(ACCEPTED) == 1
            and entries[0]["kind"] == ACCEPTED,
            "it was not accepted first, or more than once",
        )
        self.accepted = entries[0]
        self.state = "accepted"
        self.settled_at = ""
        self.result: Entry = {}
        self.doubt: Entry | None = None
        self.evidence: list[Entry] = []
        self.erased_at: str | None = None
        self.is_erased = False
        self.steps: list[Entry] = []
        for each in entries[1:]:
            self._take(each)

    def _take(self, entry: Entry) -> None:
        kind = entry["kind"]
        if kind in (SETTLED, RECONCILED):
            self.state = entry["state"]
            if kind == SETTLED:
                self.settled_at = "" if self.state == NOT_SENT else instant(entry["at"])
            if kind == RECONCILED and self.state == ANSWERED:
                self.doubt = self.result
            if kind == SETTLED or self.state == ANSWERED:
                self.result = entry
        if kind in (SETTLED, RECONCILED, "evidence.kept"):
            self.evidence.append(entry)
        elif kind in ERASED:
            self.erased_at = instant(entry["at"])
        elif kind == RECORD_ERASED:
            self.is_erased = True
        elif kind.startswith(REVIEW):
            self.steps.append(entry)

    def items(self) -> list[Entry]:
        """Return the kept items by kind."""
        listed = [item for entry in self.evidence for item in entry["evidence"]]
        return sorted(listed, key=lambda item: str(item["kind"]))


def instant(at: str) -> str:
    """Return a time as a cell has it: no zeros at the end of its fraction."""
    whole, fraction = at[:-1].split(".")
    return f"{whole}.{kept}Z" if (kept := fraction.rstrip("0")) else f"{whole}Z"


def read_entry(raw: bytes) -> Entry:
    """Return what an entry says; ValueError unless it is canonical (docs/formats/entry.md).

    Entries differ by little but digests, ids, times and sizes, which can be written in one way
    only: what is left without them is canonical if the entry is, and was mostly seen before.
    """
    text = raw.decode()
    content, end = READ(text)
    form = SIZES('size_bytes":1', DIGIT_TEXTS('":"1"', text))
    if type(content) is not dict or end != len(text) or not is_canonical(form):
        raise ValueError("an entry is not an object in its canonical form")
    return content


@lru_cache(maxsize=4096)
def is_canonical(text: str) -> bool:
    """Say whether a JSON text is in its canonical form."""
    content, end = READ(text)
    return end == len(text) and WRITE(content) == text


def members_of(text: str, names: Sequence[str]) -> list[Any]:
    """Return the members of a group: figures as their digits, objects as their text.

    ValueError for another number of them.
    """
    members = EXACT(text)
    if type(members) is not list or len(members) != len(names):
        raise ValueError("a group is not the list it should be")
    if dict not in map(type, members):
        return members
    at = len("[")
    for place in range(len(members)):
        _, end = SLICE(text, at)
        if type(members[place]) is dict:
            members[place] = text[at:end]
        at = end + len(", ")
    return members


def cell_of(name: str, member: Any) -> str:
    """Return the cell of a group's member."""
    if member is None:
        return ""
    if type(member) is str:
        return guarded(member) if name in TEXTS else member
    return " ".join(member) if type(member) is list else ("true" if member else "false")


def guarded(text: str) -> str:
    """Return a text as a cell shows it, so that no spreadsheet runs it."""
    return f"'{text}" if text[:1] and text[0] in FORMULA_STARTS else text


class Opening:
    """The key of an attempt's commitments and the values that it opens."""

    def __init__(self, raw: bytes) -> None:
        """Read one line; ValueError if it is not of its form. An erased record has its id only."""
        text = raw.decode()
        content, end = READ(text)
        self.is_erased = content.keys() == {"id"}
        is_whole = self.is_erased or content.keys() == {"id", "key", "values"}
        if end != len(text) or not (is_whole and proof.is_hex(content.get("key", "0" * 64))):
            raise ValueError("an opening is not of its form")
        self.attempt, self.values = content["id"], content.get("values", {})
        if self.is_erased:
            return
        key = bytes.fromhex(content["key"]).ljust(HASHED_BYTES, b"\0")
        self._inner, self._outer = key.translate(INNER), key.translate(OUTER)

    def open(self, name: str, entry: Entry, told_as: str | None = None) -> str | None:
        """Return the value behind a commitment of an entry, None where there is none."""
        committed = entry["commitments"].get(name) if "commitments" in entry else None
        value = self.values.get(told_as or name)
        if (committed is None) != (value is None):
            raise proof.BrokenError(f"{name} is told wrongly")
        if committed is None:
            return None
        if self.commitment(name, value) != committed:
            raise proof.BrokenError(f"{name} is not what was committed to")
        return str(value)

    def commitment(self, name: str, value: str) -> str:
        """Return what `verify_proof.commitment` does, in half the time: the key is ready."""
        said = value.encode()
        message = self._inner + beginning(name) + len(said).to_bytes(8) + said
        return hashlib.sha256(self._outer + hashlib.sha256(message).digest()).hexdigest()


@cache
def beginning(name: str) -> bytes:
    """Return what stands before the value in a commitment of this name."""
    named = name.encode()
    return b"verification commitment v1\n" + len(named).to_bytes(8) + named


def cells_of(
    fold: Fold, opening: Opening, row: Cells, clients: Mapping[str, str], needed: Needed
) -> Cells:
    """Return the row that follows from the log and what opens its commitments.

    Its columns are those of `row`, which is asked for the digests of the evidence only: they are
    committed to as a whole. `clients` tells their names by their ids, `needed` is `groups_of`.
    """
    packet = fold.accepted["packet"]
    cells = {
        "id": str(fold.accepted["attempt"]),
        "state": str(fold.state),
        "region": str(fold.accepted["region"]),
        "client": guarded(clients[fold.accepted["client"]]),
        "packet_sha256": str(packet["sha256"]),
        "packet_size_bytes": str(packet["size_bytes"]),
        "created_at": instant(fold.accepted["at"]),
        "settled_at": fold.settled_at,
        "ledger_leaf_hash": "",
        "ledger_index": "",
    }
    if opening.is_erased:
        return cells | erased_cells(fold, opening, row)
    for name in ("biz_no", "subject"):
        if name in row:
            cells[name] = guarded(opening.open(name, fold.accepted) or "")
    if "request_id" in row:
        cells["request_id"] = guarded(opening.open("request_id", fold.result) or "")
    groups, needs_judgement = needed
    for group in groups:
        cells |= group_cells(proof.GROUPS[group], opening.open(group, fold.result))
    if "evidence" in row:
        cells["evidence"] = evidence_cell(fold, opening, row["evidence"])
    if needs_judgement:
        cells |= review_cells(fold, opening, cells["verdict"])
    return cells


def erased_cells(fold: Fold, opening: Opening, row: Cells) -> Cells:
    """Return what an erased record must not tell any more, and which evidence there was."""
    grouped = {name for names in proof.GROUPS.values() for name in names}
    gone = {"biz_no", "subject", "request_id", *grouped} - COUNTED
    cells = {name: "" for name in row if name in gone}
    if "evidence" in row:
        cells["evidence"] = evidence_cell(fold, opening, row["evidence"])
    return cells


def groups_of(columns: Sequence[str]) -> Needed:
    """Return the groups that columns are of, and whether one depends on what the policy said."""
    wanted = set(columns)
    needs_judgement = bool(wanted & {"decision", "review_state", "reason_code", "decided_at"})
    groups = [group for group, names in proof.GROUPS.items() if wanted & set(names)]
    if needs_judgement and "judgement" not in groups:
        groups.append("judgement")
    return tuple(groups), needs_judgement


@lru_cache(maxsize=4096)
def group_cells(names: tuple[str, ...], text: str | None) -> Mapping[str, str]:
    """Return the cells of one group; an absent one is empty cells. Many attempts say the same."""
    if text is None:
        return dict.fromkeys(names, "")
    members = members_of(text, names)
    return {
        name: each if type(each) is str and name not in TEXTS else cell_of(name, each)
        for name, each in zip(names, members, strict=True)
    }


def evidence_cell(fold: Fold, opening: Opening, shown: str) -> str:
    """Return the cell of the evidence, its digests being those that were committed to."""
    items, found = fold.items(), DIGESTS(shown)
    if not items:
        return ""
    if len(found) != len(items):
        raise proof.BrokenError("evidence: a digest is missing, or is none")
    digests = {each["kind"]: told for each, told in zip(items, found, strict=True)}
    for entry in () if opening.is_erased else fold.evidence:
        pairs = ", ".join(
            f'[{quoted(each["kind"])}, "{digests[each["kind"]]}"]' for each in entry["evidence"]
        )
        committed = entry["commitments"].get("evidence")
        made = opening.commitment("evidence", f"[{pairs}]") if pairs else None
        proof.demand(made == committed, "evidence: a digest is not the one committed to")
    erased = TEXT(fold.erased_at)
    rendered = ", ".join(
        f'{{"kind": {quoted(each["kind"])}, "size_bytes": {each["size_bytes"]}, '
        f'"sha256": "{digests[each["kind"]]}", "erased_at": {erased}}}'
        for each in items
    )
    return f"[{rendered}]"


@lru_cache(maxsize=1024)
def quoted(kind: str) -> str:
    """Return a kind of evidence as JSON has it."""
    return TEXT(kind)


def review_cells(fold: Fold, opening: Opening, verdict: str) -> Cells:
    """Return what people concluded, as their steps lead."""
    verdicts = {verdict}
    if fold.doubt is not None:
        told = opening.open("judgement", fold.doubt, "doubt")
        verdicts.add(group_cells(proof.GROUPS["judgement"], told)["verdict"])
    state = "open" if "review" in verdicts else ""
    last: Entry = {}
    for each in fold.steps:
        step = str(each["kind"])[len(REVIEW) :]
        if step in STEPS:
            state, last = STEPS[step], each
    is_decided = state == "decided"
    concluded = str(last.get("decision")) if is_decided else ""
    return {
        "review_state": state,
        "decision": concluded if state else verdict,
        "reason_code": str(last.get("reason_code") or "") if is_decided else "",
        "decided_at": instant(last["at"]) if is_decided else "",
    }
