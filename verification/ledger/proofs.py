"""Inclusion and consistency proofs of RFC 6962, from stored nodes to a verdict.

A plan names the stored nodes that a proof needs, so that one query can fetch them all; from
their hashes it assembles the proof. The verifiers are the iterative ones of RFC 9162, sections
2.1.3.2 and 2.1.4.2, and take no more and no fewer hashes than sizes and index demand.
"""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from verification.ledger.errors import ProofError, TreeError
from verification.ledger.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    MAX_SIZE,
    Coordinate,
    complete_subtrees,
    fold,
    node_hash,
)

GetNode = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class ProofPlan:
    """What a proof is made of: each of its hashes folds the complete subtrees of one step."""

    steps: tuple[tuple[Coordinate, ...], ...]

    @property
    def needed(self) -> tuple[Coordinate, ...]:
        """Return all (level, index) whose hashes `assemble` wants: O(log n), each once."""
        return tuple(each for step in self.steps for each in step)

    def assemble(self, hashes: Mapping[Coordinate, bytes]) -> tuple[bytes, ...]:
        """Return the proof, in the order of the RFC; TreeError if a needed hash is missing."""
        try:
            return tuple(fold([hashes[each] for each in step]) for step in self.steps)
        except KeyError:
            raise TreeError("a node that the proof needs is missing") from None


def plan_inclusion(index: int, size: int) -> ProofPlan:
    """Plan the proof that the leaf `index` stands in the tree of `size` leaves."""
    if not 0 <= index < size <= MAX_SIZE:
        raise TreeError("a proof of inclusion needs 0 <= index < size")
    return _plan(_inclusion_ranges(index, size))


def plan_consistency(old_size: int, new_size: int) -> ProofPlan:
    """Plan the proof that the tree of `new_size` continues that of `old_size`.

    It is empty for equal sizes and from the empty tree.
    """
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise TreeError("a proof of consistency needs 0 <= old size <= new size")
    return _plan(_consistency_ranges(old_size, new_size) if old_size else iter(()))


def prove_inclusion(index: int, size: int, get: GetNode) -> tuple[bytes, ...]:
    """Return the proof of a leaf, asking `get(level, index)` for each needed node in turn."""
    return _prove(plan_inclusion(index, size), get)


def prove_consistency(old_size: int, new_size: int, get: GetNode) -> tuple[bytes, ...]:
    """Return the proof between two sizes, asking `get(level, index)` for each needed node."""
    return _prove(plan_consistency(old_size, new_size), get)


def verify_inclusion(
    *, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Return if the leaf hash `leaf` stands at `index` under `root`; else raise ProofError."""
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofError("the index lies outside the tree")
    _check_hashes(leaf, root, *proof)
    place, last = index, size - 1
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == last:
            leaf = node_hash(sibling, leaf)
            place, last = _climb(place, last)
        else:
            leaf = node_hash(leaf, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    _check_root(leaf, root)


def verify_consistency(
    *, old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Return if the tree under `new_root` continues the one under `old_root`; else ProofError.

    Between equal sizes the roots must be equal and the proof empty. Every tree continues the
    empty one, with an empty proof.
    """
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise ProofError("the sizes are not those of a tree and its continuation")
    _check_hashes(old_root, new_root, *proof)
    if 0 < old_size < new_size:
        _verify_growth(old_size, new_size, proof, old_root, new_root)
        return
    if proof:
        raise ProofError("the proof is too long")
    _check_root(EMPTY_ROOT if old_size == 0 else new_root, old_root)
    if new_size == 0:
        _check_root(EMPTY_ROOT, new_root)


def _verify_growth(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    # An old tree that is complete is a node of the new one: its root is known, not sent.
    path = [old_root, *proof] if old_size.bit_count() == 1 else list(proof)
    if not proof:
        raise ProofError("the proof is too short")
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            place, last = _climb(place, last)
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    _check_root(old, old_root)
    _check_root(new, new_root)


def _climb(place: int, last: int) -> tuple[int, int]:
    """Skip the levels at which a node on the right border has no sibling and moves up alone."""
    while not place & 1 and place:
        place, last = place >> 1, last >> 1
    return place, last


def _inclusion_ranges(index: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the leaves under each sibling on the way down from the root."""
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            yield middle, end
            end = middle
        else:
            yield start, middle
            start = middle


def _consistency_ranges(old_size: int, new_size: int) -> Iterator[tuple[int, int]]:
    """Yield the leaves under each hash of the proof, from the root down to the old border."""
    start, end = 0, new_size
    while old_size < end:
        middle = start + _split(end - start)
        if old_size <= middle:
            yield middle, end
            end = middle
        else:
            yield start, middle
            start = middle
    if start:
        yield start, end


def _split(count: int) -> int:
    """Return the largest power of two below `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _plan(ranges: Iterator[tuple[int, int]]) -> ProofPlan:
    """Order a proof as the RFC does: from the leaves up, the reverse of the way down."""
    return ProofPlan(tuple(complete_subtrees(*each) for each in reversed(tuple(ranges))))


def _prove(plan: ProofPlan, get: GetNode) -> tuple[bytes, ...]:
    return plan.assemble({each: get(each.level, each.index) for each in plan.needed})


def _check_hashes(*hashes: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise ProofError("a hash has 32 bytes")


def _check_root(computed: bytes, claimed: bytes) -> None:
    if not hmac.compare_digest(computed, claimed):
        raise ProofError("the proof leads to another root")
