"""The Merkle tree of RFC 6962 (section 2.1; the same as RFC 9162): hashes and growth.

The whole format, with vectors, is docs/formats/tree.md. A tree of n leaves is held as its
frontier: the roots of its largest complete subtrees, at most 64 hashes for any size.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from verification.ledger.errors import TreeError

HASH_BYTES = 32
MAX_SIZE = 2**63 - 1
EMPTY_ROOT = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A complete subtree of 2**level leaves, the first of which has index `index << level`."""

    level: int
    index: int


@dataclass(frozen=True, slots=True)
class Node:
    """The hash (32 bytes) of the complete subtree at (level, index); level 0 is a leaf's hash."""

    level: int
    index: int
    hash: bytes


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of an entry's bytes as a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of the node above two hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root above adjoining complete subtrees, largest first; EMPTY_ROOT for none."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def complete_subtrees(start: int, end: int) -> tuple[Coordinate, ...]:
    """Return the complete subtrees that cover the leaves `start` <= index < `end`, left to right.

    `start` must be 0 or a multiple of a power of two that is at least `end - start`, as every
    range of a proof is. For `start == 0` these are the nodes of the frontier of size `end`.
    """
    cover = []
    while start < end:
        level = (end - start).bit_length() - 1
        cover.append(Coordinate(level, start >> level))
        start += 1 << level
    return tuple(cover)


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of `size` leaves as the hashes of its largest complete subtrees, largest first.

    There is one hash (32 bytes) for each bit that is set in `size`. To store it keep size and
    hashes; TreeError if they do not fit each other.
    """

    size: int
    hashes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """Refuse hashes that no tree of this size has."""
        if not 0 <= self.size <= MAX_SIZE:
            raise TreeError("a tree's size lies between 0 and 2**63 - 1")
        if len(self.hashes) != self.size.bit_count():
            raise TreeError("a frontier has one hash for each bit of its size")
        _check_lengths(self.hashes)

    @classmethod
    def empty(cls) -> "Frontier":
        """Return the tree without leaves."""
        return cls(0, ())

    def root(self) -> bytes:
        """Return the root hash (32 bytes)."""
        return fold(self.hashes)

    def extend(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """Return the tree with these leaves added on the right."""
        grown, _ = self._grow(list(leaf_hashes))
        return grown

    def append_all(self, leaf_hashes: Iterable[bytes]) -> tuple["Frontier", list[Node]]:
        """Return the grown tree, and every complete subtree it has and this one had not.

        The new nodes come level by level, the new leaves themselves first. Stored under (level,
        index) they never change and serve every later proof (see `proofs`).
        """
        grown, runs = self._grow(list(leaf_hashes))
        return grown, [node for run in runs for node in run.nodes()]

    def _grow(self, hashes: list[bytes]) -> tuple["Frontier", list["_Run"]]:
        """Combine level by level: at each one the waiting left sibling, if any, comes first."""
        _check_lengths(hashes)
        size = self.size + len(hashes)
        runs, kept = [], []
        waiting = list(self.hashes)
        for level in range(size.bit_length()):
            first = self.size >> level
            runs.append(_Run(level, first, hashes))
            row = [waiting.pop(), *hashes] if first & 1 else hashes
            if len(row) & 1:
                kept.append(row[-1])
            pairs = iter(row)
            hashes = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=False)]
        return Frontier(size, tuple(reversed(kept))), runs


class _Run(NamedTuple):
    """Adjoining new nodes of one level."""

    level: int
    first: int
    hashes: list[bytes]

    def nodes(self) -> Iterator[Node]:
        """Yield them one by one."""
        for index, each in enumerate(self.hashes, self.first):
            yield Node(self.level, index, each)


def _check_lengths(hashes: Sequence[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise TreeError(f"a hash has {HASH_BYTES} bytes")
