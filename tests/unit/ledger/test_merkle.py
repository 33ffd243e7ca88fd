"""The tree grows by any steps to the tree that the RFC defines."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger import rfc6962
from tests.unit.ledger.samples import Tree, vector
from verification.ledger.errors import TreeError
from verification.ledger.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    Coordinate,
    Frontier,
    Node,
    complete_subtrees,
    fold,
    leaf_hash,
    node_hash,
)

INPUTS = [b"entry %d" % index for index in range(2000)]
LEAVES = [leaf_hash(each) for each in INPUTS]


def test_leaves_and_nodes_are_hashed_apart() -> None:
    assert leaf_hash(b"x") == hashlib.sha256(b"\x00x").digest()
    left, right = leaf_hash(b"l"), leaf_hash(b"r")
    assert node_hash(left, right) == hashlib.sha256(b"\x01" + left + right).digest()
    assert leaf_hash(left + right) != node_hash(left, right)


def test_the_roots_are_those_that_go_computes() -> None:
    known = vector("go_tree.json")
    frontier = Frontier.empty()
    roots = [frontier.root().hex()]
    for leaf in known["leaves"]:
        frontier = frontier.extend([leaf_hash(bytes.fromhex(leaf))])
        roots.append(frontier.root().hex())
    assert roots == known["roots"]


def test_the_roots_of_all_small_trees_are_those_of_the_rfc() -> None:
    frontier = Frontier.empty()
    for size in range(301):
        assert frontier.root() == rfc6962.mth(INPUTS[:size])
        frontier = frontier.extend([LEAVES[size]])


@given(steps=st.lists(st.integers(0, 400), max_size=5))
def test_any_steps_lead_to_the_same_tree_and_the_same_nodes(steps: list[int]) -> None:
    size = sum(steps)
    frontier, nodes = Frontier.empty(), []
    for step in steps:
        frontier, new = frontier.append_all(LEAVES[frontier.size : frontier.size + step])
        nodes += new
    at_once = Tree(size)
    assert frontier == at_once.frontier
    assert frontier.root() == rfc6962.mth(INPUTS[:size])
    found = {Coordinate(node.level, node.index): node.hash for node in nodes}
    assert len(found) == len(nodes)
    assert found == at_once.nodes


@given(size=st.integers(0, 300))
def test_the_nodes_are_the_complete_subtrees(size: int) -> None:
    _, nodes = Frontier.empty().append_all(LEAVES[:size])
    for node in nodes:
        start, end = node.index << node.level, (node.index + 1) << node.level
        assert end <= size
        assert node.hash == rfc6962.mth(INPUTS[start:end])
    assert len(nodes) == sum(size >> level for level in range(size.bit_length()))


def test_a_leaf_is_the_first_new_node() -> None:
    _, nodes = Frontier.empty().append_all(LEAVES[:2])
    assert nodes[0] == Node(0, 0, LEAVES[0])
    assert nodes[2] == Node(1, 0, node_hash(*LEAVES[:2]))


@given(size=st.integers(0, 2000))
def test_a_frontier_is_the_nodes_that_cover_the_tree(size: int) -> None:
    tree = Tree(size)
    cover = complete_subtrees(0, size)
    assert Frontier(size, tuple(tree.nodes[each] for each in cover)) == tree.frontier
    assert fold(tree.frontier.hashes) == tree.frontier.root()


def test_a_tree_grows_by_nothing() -> None:
    assert Frontier.empty().append_all([]) == (Frontier.empty(), [])
    assert Frontier.empty().root() == EMPTY_ROOT
    grown = Frontier.empty().extend(LEAVES[:5])
    assert grown.append_all([]) == (grown, [])


@pytest.mark.parametrize(
    ("size", "hashes", "sentence"),
    [
        (-1, (), "size"),
        (MAX_SIZE + 1, (EMPTY_ROOT,), "size"),
        (1, (), "one hash"),
        (0, (EMPTY_ROOT,), "one hash"),
        (3, (EMPTY_ROOT,), "one hash"),
        (1, (b"short",), "32 bytes"),
    ],
)
def test_hashes_that_no_tree_has_are_refused(
    size: int, hashes: tuple[bytes, ...], sentence: str
) -> None:
    with pytest.raises(TreeError, match=sentence):
        Frontier(size, hashes)


@pytest.mark.parametrize("count", [1, 2])
def test_a_leaf_hash_of_another_length_is_refused(count: int) -> None:
    with pytest.raises(TreeError, match="32 bytes"):
        Frontier.empty().extend([b"not a hash"] * count)
