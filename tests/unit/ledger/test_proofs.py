"""Proofs are those of the RFC, come from stored nodes, and prove nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger import rfc6962
from tests.unit.ledger.samples import Tree, vector
from verification.ledger.errors import ProofError, TreeError
from verification.ledger.merkle import EMPTY_ROOT, MAX_SIZE, Coordinate, leaf_hash, node_hash
from verification.ledger.proofs import (
    plan_consistency,
    plan_inclusion,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)

TREE = Tree(2000)
INPUTS = [b"entry %d" % index for index in range(2000)]
SMALL = 40


def _included(index: int, size: int, proof: list[bytes], root: bytes, leaf: bytes) -> bool:
    try:
        verify_inclusion(leaf=leaf, index=index, size=size, proof=proof, root=root)
    except ProofError:
        return False
    return True


def _continues(old_size: int, new_size: int, proof: list[bytes], old: bytes, new: bytes) -> bool:
    try:
        verify_consistency(
            old_size=old_size, new_size=new_size, proof=proof, old_root=old, new_root=new
        )
    except ProofError:
        return False
    return True


@pytest.mark.parametrize("size", range(1, SMALL))
def test_every_small_proof_of_inclusion_is_that_of_the_rfc(size: int) -> None:
    root = rfc6962.mth(INPUTS[:size])
    for index in range(size):
        proof = list(prove_inclusion(index, size, TREE.get))
        assert proof == rfc6962.path(index, INPUTS[:size])
        assert _included(index, size, proof, root, TREE.leaves[index])


@pytest.mark.parametrize("size", range(1, SMALL))
def test_every_small_proof_of_consistency_is_that_of_the_rfc(size: int) -> None:
    root = rfc6962.mth(INPUTS[:size])
    for old in range(1, size + 1):
        proof = list(prove_consistency(old, size, TREE.get))
        assert proof == rfc6962.proof(old, INPUTS[:size])
        assert _continues(old, size, proof, rfc6962.mth(INPUTS[:old]), root)


@given(size=st.integers(1, 2000), data=st.data())
def test_larger_proofs_are_those_of_the_rfc(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    path = list(prove_inclusion(index, size, TREE.get))
    proof = list(prove_consistency(old, size, TREE.get))
    assert path == rfc6962.path(index, INPUTS[:size])
    assert proof == rfc6962.proof(old, INPUTS[:size])
    assert _included(index, size, path, TREE.root(size), TREE.leaves[index])
    assert _continues(old, size, proof, TREE.root(old), TREE.root(size))


@pytest.mark.parametrize("case", vector("go_tree.json")["inclusion"])
def test_proofs_of_inclusion_that_go_made_are_ours(case: dict[str, Any]) -> None:
    known = vector("go_tree.json")
    inputs = [bytes.fromhex(each) for each in known["leaves"]]
    proof = [bytes.fromhex(each) for each in case["proof"]]
    root = bytes.fromhex(known["roots"][case["size"]])
    leaf = leaf_hash(inputs[case["index"]])
    assert _included(case["index"], case["size"], proof, root, leaf)
    assert proof == rfc6962.path(case["index"], inputs[: case["size"]])


@pytest.mark.parametrize("case", vector("go_tree.json")["consistency"])
def test_proofs_of_consistency_that_go_made_are_ours(case: dict[str, Any]) -> None:
    known = vector("go_tree.json")
    inputs = [bytes.fromhex(each) for each in known["leaves"]]
    old, new = case["old_size"], case["new_size"]
    proof = [bytes.fromhex(each) for each in case["proof"]]
    roots = [bytes.fromhex(known["roots"][size]) for size in (old, new)]
    assert _continues(old, new, proof, *roots)
    assert proof == rfc6962.proof(old, inputs[:new])


@given(index=st.integers(0, MAX_SIZE - 1), data=st.data())
def test_a_plan_names_few_nodes_each_once_and_all_complete(index: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(index + 1, MAX_SIZE))
    old = data.draw(st.integers(0, size))
    for plan in (plan_inclusion(index, size), plan_consistency(old, size)):
        assert len(plan.needed) == len(set(plan.needed)) <= 2 * size.bit_length()
        assert all((each.index + 1) << each.level <= size for each in plan.needed)


def test_a_plan_asks_for_what_assembling_uses() -> None:
    plan = plan_inclusion(700, 1999)
    fetched = {each: TREE.nodes[each] for each in plan.needed}
    assert list(plan.assemble(fetched)) == rfc6962.path(700, INPUTS[:1999])
    for each in plan.needed:
        with pytest.raises(TreeError, match="missing"):
            plan.assemble({other: fetched[other] for other in plan.needed if other != each})


def test_a_proof_asks_the_store_for_its_plan_only() -> None:
    tree = Tree(1000)
    prove_inclusion(123, 1000, tree.get)
    assert tuple(tree.asked) == plan_inclusion(123, 1000).needed


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0), (0, MAX_SIZE + 1)])
def test_no_plan_leaves_the_tree(index: int, size: int) -> None:
    with pytest.raises(TreeError, match="index < size"):
        plan_inclusion(index, size)


@pytest.mark.parametrize(("old", "new"), [(-1, 5), (6, 5), (0, MAX_SIZE + 1)])
def test_no_plan_goes_back(old: int, new: int) -> None:
    with pytest.raises(TreeError, match="old size <= new size"):
        plan_consistency(old, new)


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8])
def test_equal_trees_and_the_empty_one_need_no_hashes(size: int) -> None:
    root = TREE.root(size)
    assert prove_consistency(size, size, TREE.get) == ()
    assert prove_consistency(0, size, TREE.get) == ()
    assert _continues(size, size, [], root, root)
    assert _continues(0, size, [], EMPTY_ROOT, root)
    other = leaf_hash(b"other")
    assert not _continues(size, size, [], other, other if size == 0 else root)
    assert not _continues(size, size, [], root, other)
    assert not _continues(0, size, [], other, root)
    assert not _continues(0, size, [root], EMPTY_ROOT, root)
    assert not _continues(size, size, [root], root, root)


@pytest.mark.parametrize("size", range(1, SMALL))
def test_a_proof_of_inclusion_proves_nothing_else(size: int) -> None:
    root, other = TREE.root(size), leaf_hash(b"other")
    for index in range(size):
        proof, leaf = list(prove_inclusion(index, size, TREE.get)), TREE.leaves[index]
        assert not _included(index, size, [*proof, other], root, leaf)
        assert not _included(index, size, [other, *proof], root, leaf)
        assert not _included(index, size, [*proof, root], root, leaf)
        assert not _included(index, size, proof, other, leaf)
        assert not _included(index, size, proof, root, other)
        for wrong in {*range(-1, size + 1)} - {index}:
            assert not _included(wrong, size, proof, root, leaf)
        for at in range(len(proof)):
            assert not _included(index, size, proof[:at] + proof[at + 1 :], root, leaf)
            assert not _included(index, size, [*proof[:at], other, *proof[at + 1 :]], root, leaf)


@pytest.mark.parametrize("size", range(2, SMALL))
def test_a_proof_of_consistency_proves_nothing_else(size: int) -> None:
    new, other = TREE.root(size), leaf_hash(b"other")
    for old_size in range(1, size):
        proof = list(prove_consistency(old_size, size, TREE.get))
        old = TREE.root(old_size)
        assert not _continues(old_size, size, [*proof, other], old, new)
        assert not _continues(old_size, size, [other, *proof], old, new)
        assert not _continues(old_size, size, [], old, new)
        assert not _continues(old_size, size, proof, other, new)
        assert not _continues(old_size, size, proof, old, other)
        assert not _continues(size, old_size, proof, new, old)
        for wrong in {*range(-1, size + 1)} - {old_size}:
            assert not _continues(wrong, size, proof, old, new)
        for at in range(len(proof)):
            assert not _continues(old_size, size, proof[:at] + proof[at + 1 :], old, new)
            changed = [*proof[:at], other, *proof[at + 1 :]]
            assert not _continues(old_size, size, changed, old, new)


def test_an_interior_node_does_not_pass_as_a_leaf() -> None:
    left, right = TREE.nodes[Coordinate(1, 0)], TREE.nodes[Coordinate(1, 1)]
    assert node_hash(left, right) == TREE.root(4)
    assert not _included(0, 4, [right], TREE.root(4), left)
    assert not _included(0, 4, [right], TREE.root(4), leaf_hash(left))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_hashes_of_another_length_are_refused(length: int) -> None:
    odd = b"h" * length
    with pytest.raises(ProofError, match="32 bytes"):
        verify_inclusion(leaf=odd, index=0, size=1, proof=[], root=odd)
    with pytest.raises(ProofError, match="32 bytes"):
        verify_consistency(old_size=1, new_size=2, proof=[odd], old_root=odd, new_root=odd)


@pytest.mark.parametrize(("old", "new"), [(-1, 1), (2, 1), (1, MAX_SIZE + 1)])
def test_sizes_of_no_tree_are_refused(old: int, new: int) -> None:
    assert not _continues(old, new, [], TREE.leaves[0], TREE.leaves[0])
    assert not _included(old, new, [], TREE.leaves[0], TREE.leaves[0])
