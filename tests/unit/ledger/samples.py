"""Notes and proofs of ours for others to judge: tests/vectors/ledger/ours.json.

Everything follows from fixed seeds. Run as a script, this writes the file again.
"""

import base64
import json
from pathlib import Path
from typing import Any

from verification.ledger.checkpoint import Checkpoint, cosign, sign_checkpoint
from verification.ledger.keys import SignatureType, SigningKey
from verification.ledger.merkle import Coordinate, Frontier, leaf_hash
from verification.ledger.note import parse_note, sign_note
from verification.ledger.proofs import prove_consistency, prove_inclusion

VECTORS = Path(__file__).resolve().parents[2] / "vectors/ledger"
ORIGIN = "log.example/attempts"
LOG = SigningKey(ORIGIN, SignatureType.NOTE, b"l" * 32)
WITNESS = SigningKey("witness.example/w1", SignatureType.COSIGNATURE, b"w" * 32)
STRANGER = SigningKey("other.example/log", SignatureType.NOTE, b"s" * 32)
COSIGNED_AT_S = 1_700_000_000


def vector(name: str) -> Any:
    """Return the content of a file of vectors."""
    return json.loads((VECTORS / name).read_text())


class Tree:
    """A tree of counted leaves with all its nodes stored, as a table would."""

    def __init__(self, size: int) -> None:
        self.leaves = [leaf_hash(b"entry %d" % index) for index in range(size)]
        self.frontier, nodes = Frontier.empty().append_all(self.leaves)
        self.nodes = {Coordinate(node.level, node.index): node.hash for node in nodes}
        self.asked: list[Coordinate] = []

    def get(self, level: int, index: int) -> bytes:
        """Return a stored node and remember that it was asked for."""
        self.asked.append(Coordinate(level, index))
        return self.nodes[Coordinate(level, index)]

    def root(self, size: int) -> bytes:
        """Return the root that the tree had when it was smaller."""
        return Frontier.empty().extend(self.leaves[:size]).root()


def good_notes() -> dict[str, bytes]:
    """Return notes that must be accepted, by what is special about them."""
    plain = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(b"one")), LOG)
    extended = Checkpoint(ORIGIN, 2, leaf_hash(b"two"), ("first \u2014 line", "second"))
    foreign = sign_note(parse_note(plain), STRANGER).to_bytes()
    return {
        "empty log": sign_checkpoint(Checkpoint(ORIGIN, 0, Frontier.empty().root()), LOG),
        "plain": plain,
        "extension lines": sign_checkpoint(extended, LOG),
        "cosigned": cosign(plain, WITNESS, time_s=COSIGNED_AT_S),
        "cosigned at the epoch": cosign(plain, WITNESS, time_s=0),
        "cosigned with extension lines": cosign(
            sign_checkpoint(extended, LOG), WITNESS, time_s=COSIGNED_AT_S
        ),
        "stranger as well": foreign,
        "stranger and witness as well": cosign(foreign, WITNESS, time_s=COSIGNED_AT_S),
    }


def bad_notes() -> dict[str, bytes]:
    """Return notes that must be refused, by what is wrong with them."""
    good = good_notes()
    plain = good["plain"]
    body, _, line = plain.partition("\u2014".encode())
    signature = base64.b64decode(line.split()[-1])
    flipped = signature[:-1] + bytes([signature[-1] ^ 1])
    name = ORIGIN.encode()
    dash = "\u2014 ".encode()

    def signed(raw: bytes, by: bytes = name) -> bytes:
        return body + dash + by + b" " + base64.b64encode(raw) + b"\n"

    return {
        "nothing": b"",
        "no signature": body,
        "only a stranger": good["stranger as well"].replace(
            plain.splitlines(keepends=True)[-1], b""
        ),
        "flipped bit in the signature": signed(flipped),
        "cut signature": signed(signature[:-1]),
        "only a key id": signed(signature[:4]),
        "other text": plain.replace(b"\n1\n", b"\n2\n"),
        "other origin": plain.replace(name + b"\n", b"log.example/other\n"),
        "no blank line": plain.replace(b"\n\n", b"\n"),
        "no last newline": plain.removesuffix(b"\n"),
        "carriage returns": plain.replace(b"\n", b"\r\n"),
        "tab in the text": plain.replace(b"\n1\n", b"\n1\t\n"),
        "invalid UTF-8": plain.replace(b"\n1\n", b"\n1\xff\n"),
        "hyphen for the dash": plain.replace(dash, b"- "),
        "no space after the dash": plain.replace(dash, "\u2014".encode()),
        "two spaces": plain.replace(dash, dash + b" "),
        "plus in a name": signed(signature, by=name + b"+1"),
        "no-break space in a name": signed(signature, by=name + "\u00a0".encode()),
        "Base64 without padding": plain.replace(b"=\n", b"\n").replace(b"=\n", b"\n"),
        "Base64 for URLs": body + dash + name + b" " + b"-_-_" * 22 + b"\n",
        "text after the signature": plain + b"more\n",
        "cosigned with another time": good["cosigned"].replace(
            good["cosigned"].split()[-1], restamped(good["cosigned"], COSIGNED_AT_S + 1)
        ),
    }


def restamped(note: bytes, time_s: int) -> bytes:
    """Return the last cosignature of a note with another time put in, in Base64."""
    raw = base64.b64decode(note.split()[-1])
    return base64.b64encode(raw[:4] + time_s.to_bytes(8, "big") + raw[12:])


def ours() -> dict[str, Any]:
    """Return the whole content of ours.json."""
    tree = Tree(1000)
    sizes = (1, 2, 255, 256, 257, 700, 1000)
    return {
        "about": "Notes and proofs that our code made, for another implementation to judge.",
        "notes": {name: raw.decode() for name, raw in good_notes().items()}
        | {name: raw.decode() for name, raw in bad_notes().items() if name != "invalid UTF-8"},
        "inclusion": [
            {
                "size": size,
                "index": index,
                "root": tree.root(size).hex(),
                "leaf": tree.leaves[index].hex(),
                "proof": [each.hex() for each in prove_inclusion(index, size, tree.get)],
            }
            for size in sizes
            for index in sorted({0, size // 3, size // 2, size - 1})
        ],
        "consistency": [
            {
                "old_size": old,
                "new_size": new,
                "old_root": tree.root(old).hex(),
                "new_root": tree.root(new).hex(),
                "proof": [each.hex() for each in prove_consistency(old, new, tree.get)],
            }
            for new in sizes
            for old in sizes
            if old <= new
        ],
    }


if __name__ == "__main__":
    text = json.dumps(ours(), ensure_ascii=False, indent=1) + "\n"
    (VECTORS / "ours.json").write_text(text)
