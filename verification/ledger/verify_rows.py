"""The log's tree, what its entries say of an attempt, and the row that follows from it.

A part of `verify_export.py`, beside which it lies with `verify_proof.py`. docs/formats/bundle.md.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

try:
    from verification.ledger import verify_proof as proof
except ImportError:  # as an auditor runs it: three files in a folder
    import verify_proof as proof  # type: ignore[import-not-found,no-redef]

HASH_BYTES = 32
MAX_ENTRIES = 2**31
HEARTBEAT, ACCEPTED, SETTLED, RECONCILED = (
    "heartbeat", "attempt.accepted", "attempt.settled", "attempt.reconciled",
)  # fmt: skip
ERASED, REVIEW = ("evidence.erased", "evidence.expired"), "review."
ANSWERED, NOT_SENT = "answered", "not_sent"
FORMULA_STARTS = "\t\n\r+-=@\uff0b\uff0d\uff1d\uff20"
TEXTS = {
    "biz_no", "subject", "request_id", "result_message", "error_code", "error_argument",
    "device_level",
}  # fmt: skip
"""Cells of outside text, before which an apostrophe may stand."""
UNPROVEN = {"client", "review_due_at", "ledger_leaf_hash", "ledger_index"}
"""Columns of which the log says nothing, or only by an id."""
STEPS = {
    "opened": "open", "proposed": "proposed", "returned": "open", "decided": "decided",
    "reopened": "open", "glass_broken": "decided",
}  # fmt: skip
"""What steps of a review lead to; the others change nothing that is in the file."""


def _refuse(number: str) -> Any:
    raise ValueError(f"{number} is no integer")


READ = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse).decode
WRITE = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
SLICE = json.JSONDecoder().raw_decode
EXACT = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse).decode


Entry = Mapping[str, Any]
Cells = dict[str, str]
Leaves = list[tuple[int, bytes]]


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
        for index, leaf in leaves:
            place = index - self.first
            is_free = 0 <= place < len(self._seen) and not self._seen[place]
            proof.demand(is_free, f"entry {index} stands there twice, or outside of the log")
            self._seen[place] = 1
            self._hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES] = leaf

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
            [each["kind"] == ACCEPTED for each in entries].index(True) == 0
            and sum(each["kind"] == ACCEPTED for each in entries) == 1,
            "it was not accepted first, or more than once",
        )
        self.accepted = entries[0]
        self.state = "accepted"
        self.settled_at = ""
        self.result: Entry = {}
        self.doubt: Entry | None = None
        self.evidence: list[Entry] = []
        self.erased_at: str | None = None
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
    """Return what an entry says; ValueError unless it is canonical (docs/formats/entry.md)."""
    content = READ(raw.decode())
    if type(content) is not dict or WRITE(content).encode() != raw:
        raise ValueError("an entry is not an object in its canonical form")
    return content


def members_of(text: str, names: Sequence[str]) -> list[Any]:
    """Return the members of a group: figures as their digits, objects as their text.

    ValueError for another number of them.
    """
    members = EXACT(text)
    if type(members) is not list or len(members) != len(names):
        raise ValueError("a group is not the list it should be")
    at = len("[")
    for place in range(len(members) if dict in map(type, members) else 0):
        _, end = SLICE(text, at)
        if type(members[place]) is dict:
            members[place] = text[at:end]
        at = end + len(", ")
    return members


def cell_of(name: str, member: Any) -> str:
    """Return the cell of a group's member."""
    if member is None:
        return ""
    if type(member) is bool:
        return "true" if member else "false"
    if type(member) is list:
        return " ".join(member)
    return guarded(member) if name in TEXTS else member


def guarded(text: str) -> str:
    """Return a text as a cell shows it, so that no spreadsheet runs it."""
    return f"'{text}" if text[:1] and text[0] in FORMULA_STARTS else text


class Opening:
    """The key of an attempt's commitments and the values that it opens."""

    def __init__(self, raw: bytes) -> None:
        """Read one line; ValueError if it is not of its form."""
        content = READ(raw.decode())
        if set(content) != {"id", "key", "values"} or not proof.is_hex(content["key"]):
            raise ValueError("an opening is not of its form")
        self.attempt, self.values = content["id"], content["values"]
        self.key = bytes.fromhex(content["key"])

    def open(self, name: str, entry: Entry, told_as: str | None = None) -> str | None:
        """Return the value behind a commitment of an entry, None where there is none."""
        committed = entry.get("commitments", {}).get(name)
        value = self.values.get(told_as or name)
        proof.demand((committed is None) == (value is None), f"{name} is told wrongly")
        if committed is None:
            return None
        opens = hmac.compare_digest(proof.commitment(self.key, name, value), committed)
        proof.demand(opens, f"{name} is not what was committed to")
        return str(value)


def cells_of(fold: Fold, opening: Opening, row: Cells, clients: Mapping[str, str]) -> Cells:
    """Return the row that follows from the log and what opens its commitments.

    Its columns are those of `row`, which is asked for the digests of the evidence only: they are
    committed to as a whole. `clients` tells their names by their ids.
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
    wanted = set(row)
    for name in sorted({"biz_no", "subject"} & wanted):
        cells[name] = guarded(opening.open(name, fold.accepted) or "")
    if "request_id" in wanted:
        cells["request_id"] = guarded(opening.open("request_id", fold.result) or "")
    for group, names in proof.GROUPS.items():
        if wanted & set(names) or (group == "judgement" and needs_judgement(wanted)):
            cells |= group_cells(names, opening.open(group, fold.result))
    if "evidence" in wanted:
        cells["evidence"] = evidence_cell(fold, opening, row["evidence"])
    if needs_judgement(wanted):
        cells |= review_cells(fold, opening, cells["verdict"])
    return cells


def needs_judgement(wanted: set[str]) -> bool:
    """Say whether a column depends on what the policy said."""
    return bool(wanted & {"decision", "review_state", "reason_code", "decided_at"})


def group_cells(names: Sequence[str], text: str | None) -> Cells:
    """Return the cells of one group; an absent one is empty cells."""
    if text is None:
        return dict.fromkeys(names, "")
    members = members_of(text, names)
    return {name: cell_of(name, each) for name, each in zip(names, members, strict=True)}


def evidence_cell(fold: Fold, opening: Opening, shown: str) -> str:
    """Return the cell of the evidence, its digests being those that were committed to."""
    items = fold.items()
    if not items:
        return ""
    digests = {each["kind"]: each["sha256"] for each in json.loads(shown or "[]")}
    for entry in fold.evidence:
        listed = [[each["kind"], digests.get(each["kind"])] for each in entry["evidence"]]
        committed = entry["commitments"].get("evidence")
        text = json.dumps(listed, ensure_ascii=False)
        made = proof.commitment(opening.key, "evidence", text) if listed else None
        proof.demand(made == committed, "evidence: a digest is not the one committed to")
    erased = json.dumps(fold.erased_at)
    rendered = ", ".join(
        f'{{"kind": {json.dumps(each["kind"], ensure_ascii=False)}, "size_bytes": '
        f'{each["size_bytes"]}, "sha256": "{digests[each["kind"]]}", "erased_at": {erased}}}'
        for each in items
    )
    return f"[{rendered}]"


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
