"""Proof documents, good and bad: tests/vectors/ledger/proof_*.json.

Everything follows from fixed seeds. Run as a script, this writes the files again.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.unit.ledger.samples import COSIGNED_AT_S, LOG, ORIGIN, STRANGER, VECTORS, WITNESS
from verification.ledger.canonical import Json, canonical
from verification.ledger.checkpoint import Checkpoint, cosign, sign_checkpoint
from verification.ledger.commitment import commit
from verification.ledger.merkle import Coordinate, Frontier, leaf_hash
from verification.ledger.proof_document import (
    ProofDocument,
    ProvedAttempt,
    ProvedConsistency,
    ProvedEntry,
    to_json,
)
from verification.ledger.proofs import prove_consistency, prove_inclusion

FIRST = "019c1374-5f9b-7c3a-9d3e-2f1a5b6c7d8e"
SECOND = "019c1374-7000-7c3a-9d3e-2f1a5b6c7d8f"
KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
DATA_KEY = "d" * 64
NULLS = ", ".join(["null"] * 10)
SUBMITTED = {"biz_no": "order-17", "subject": "Zoë", "token_digest": "7" * 64}
ANSWERED = {
    "request_id": "1769851800,6b1c",
    "result": '[200, 1204, 1000, "SUCCESS", "verified", true, null, null]',
    "scores": f"[0.003, 0.5, false, 84.30, 62.2, 69.1, 74.4, 78.0, {NULLS}]",
    "risk": '["low", ["is_root, \\"x\\""], null, null, {"later": 1.50}]',
    "evidence": f'[["best_image", "{"a" * 64}"]]',
    "evidence_key": DATA_KEY,
}
TOLD = {name: text for name, text in ANSWERED.items() if name != "evidence_key"}


def accepted(attempt: str, key: bytes, texts: Mapping[str, str] = SUBMITTED) -> bytes:
    """Return the entry of an attempt that was accepted."""
    return canonical(
        {
            "at": "2026-01-31T09:30:00.123456Z",
            "attempt": attempt,
            "client": "onboarding",
            "commitments": committed(key, texts),
            "kind": "attempt.accepted",
            "packet": {"sha256": "5" * 64, "size_bytes": 104857},
            "region": "sgp",
            "session": None,
        }
    )


def settled(attempt: str, key: bytes, texts: Mapping[str, str] = ANSWERED) -> bytes:
    """Return the entry of a send that was answered."""
    item: Json = {
        "id": "019c1374-6400-7000-8000-000000000001",
        "kind": "best_image",
        "sealed_sha256": "e" * 64,
        "size_bytes": 9000,
    }
    return canonical(
        {
            "at": "2026-01-31T09:30:01.500000Z",
            "attempt": attempt,
            "commitments": committed(key, texts),
            "evidence": [item],
            "kind": "attempt.settled",
            "send_no": 1,
            "sent_at": "2026-01-31T09:30:00.200000Z",
            "state": "answered",
        }
    )


def later(attempt: str, **members: Json) -> bytes:
    """Return an entry of a kind that no verifier knows yet."""
    return canonical({"attempt": attempt, "kind": "review.imagined", **members})


def committed(key: bytes, texts: Mapping[str, str]) -> dict[str, Json]:
    """Return the commitments to some texts."""
    return {name: commit(key, name, text.encode()).hex() for name, text in texts.items()}


class ProvableLog:
    """A log of some entries, which can prove all that it holds."""

    def __init__(self, raws: Sequence[bytes]) -> None:
        self.raws = list(raws)
        self.frontier, nodes = Frontier.empty().append_all(map(leaf_hash, raws))
        self._nodes = {Coordinate(node.level, node.index): node.hash for node in nodes}

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        """Return the state of the log, now or when it was smaller."""
        leaves = [leaf_hash(raw) for raw in self.raws[:size]]
        return Checkpoint(ORIGIN, len(leaves), Frontier.empty().extend(leaves).root())

    def note(self, size: int | None = None) -> bytes:
        """Return the signed checkpoint."""
        return sign_checkpoint(self.checkpoint(size), LOG)

    def entry(self, index: int, values: Mapping[str, str] | None = None) -> ProvedEntry:
        """Return an entry with its proof."""
        proof = prove_inclusion(index, len(self.raws), self._node)
        return ProvedEntry(index, self.raws[index], proof, values or {})

    def growth(self, size: int) -> ProvedConsistency:
        """Return the proof that the log only grew since it was of `size`."""
        proof = prove_consistency(size, len(self.raws), self._node)
        return ProvedConsistency(self.note(size), proof)

    def _node(self, level: int, index: int) -> bytes:
        return self._nodes[Coordinate(level, index)]


def log_of(*raws: bytes) -> ProvableLog:
    """Return a log of 11 entries, some of others; `raws` stand at 2, 5, 6 and so on."""
    others = [canonical({"kind": "heartbeat", "number": number}) for number in range(11)]
    for index, raw in zip((2, 5, 6, 8, 9), raws, strict=False):
        others[index] = raw
    return ProvableLog(others)


LOG_11 = log_of(
    accepted(FIRST, KEY),
    settled(FIRST, KEY),
    accepted(SECOND, OTHER_KEY),
    settled(SECOND, OTHER_KEY),
    later(FIRST, at="2026-02-01T00:00:00.000000Z", note="\x1b[2J\u202e\nProven: all"),
)


def document(
    *, log: ProvableLog = LOG_11, grown_from: int | None = None, witnessed: bool = False
) -> ProofDocument:
    """Return a document about two attempts; the key of the second one was destroyed."""
    first = (log.entry(2, SUBMITTED), log.entry(5, TOLD), log.entry(9))
    second = (log.entry(6), log.entry(8))
    note = log.note()
    return ProofDocument(
        cosign(note, WITNESS, time_s=COSIGNED_AT_S) if witnessed else note,
        (ProvedAttempt(FIRST, KEY, first), ProvedAttempt(SECOND, None, second)),
        None if grown_from is None else log.growth(grown_from),
    )


def about(*raws: bytes, key: bytes | None = KEY, told: Mapping[str, str] | None = None) -> Any:
    """Return the content of a document about one attempt that consists of `raws`."""
    log = log_of(*raws)
    entries = [log.entry(index) for index, _ in zip((2, 5, 6, 8, 9), raws, strict=False)]
    content = json.loads(to_json(ProofDocument(log.note(), [ProvedAttempt(FIRST, key, entries)])))
    content["attempts"][0]["entries"][0]["values"] = dict(told or {})
    return content


def content() -> Any:
    """Return the content of the good document, to be altered."""
    return json.loads(to_json(document(grown_from=7)))


def altered(alter: Callable[[Any], object]) -> bytes:
    """Return the good document with something altered."""
    changed = copy.deepcopy(content())
    alter(changed)
    return written(changed)


def written(value: Any) -> bytes:
    """Return a document as our own writer would spell it."""
    return f"{json.dumps(value, indent=1)}\n".encode()


def _flip(text: str) -> str:
    return ("B" if text[0] != "B" else "C") + text[1:]


def _entry(value: Any, number: int = 1) -> Any:
    return value["attempts"][0]["entries"][number]


def vectors() -> dict[str, bytes]:
    """Return the files of vectors, by the name that follows `proof_`."""
    stranger = sign_checkpoint(Checkpoint(STRANGER.name, 11, LOG_11.checkpoint().root), STRANGER)
    told = {**SUBMITTED, "biz_no": "order-18"}
    raw = to_json(document())
    return {
        "good_told": raw,
        "good_grown": to_json(document(grown_from=7)),
        "good_witnessed": to_json(document(witnessed=True)),
        "bad_signer": altered(lambda it: it.update(checkpoint=stranger.decode())),
        "bad_inclusion": altered(lambda it: _entry(it)["proof"].reverse()),
        "bad_consistency": altered(lambda it: it["consistency"]["proof"].reverse()),
        "bad_value": altered(lambda it: _entry(it, 0).update(values=told)),
        "bad_data_key": altered(lambda it: _entry(it)["values"].update(evidence_key=DATA_KEY)),
        "bad_destroyed": altered(lambda it: it["attempts"][0].update(key=None)),
        "bad_order": altered(
            lambda it: it["attempts"][0]["entries"].insert(1, it["attempts"][0]["entries"].pop())
        ),
        "bad_start": altered(lambda it: it["attempts"][0]["entries"].pop(0)),
        "bad_attempt": altered(lambda it: it["attempts"][0].update(id=SECOND[:-1] + "0")),
        "bad_canonical": altered(
            lambda it: _entry(it).update(raw=_entry(it)["raw"].replace(":", ": ", 1))
        ),
        "bad_member": altered(lambda it: it.update(comment="all is well")),
        "bad_twice": raw.replace(b'"format":', b'"format": "", "format":', 1),
        "bad_fraction": raw.replace(b'"index": 5', b'"index": 5.0', 1),
        "bad_base64": altered(
            lambda it: _entry(it)["proof"].__setitem__(0, _entry(it)["proof"][0][:-2] + "B=")
        ),
    }


if __name__ == "__main__":
    for name, raw in vectors().items():
        (VECTORS / f"proof_{name}.json").write_bytes(raw)
