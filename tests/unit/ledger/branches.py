"""Logs that grow and logs that fork, as a witness is asked to cosign them."""

from tests.unit.ledger.samples import LOG, ORIGIN, Tree
from verification.ledger.checkpoint import Checkpoint, sign_checkpoint
from verification.ledger.keys import SigningKey
from verification.ledger.merkle import Coordinate, leaf_hash
from verification.ledger.proofs import prove_consistency
from verification.ledger.witness import add_checkpoint_request


class Branch(Tree):
    """A tree whose first `shared` leaves are those of `Tree`, and the others its own."""

    def __init__(self, size: int, shared: int, label: str = "forged") -> None:
        super().__init__(shared)
        own = [leaf_hash(f"{label} {index}".encode()) for index in range(shared, size)]
        self.leaves += own
        self.frontier, nodes = self.frontier.append_all(own)
        self.nodes |= {Coordinate(node.level, node.index): node.hash for node in nodes}


def signed(tree: Tree, size: int, key: SigningKey = LOG, *extensions: str) -> bytes:
    """Return the checkpoint that the log signs at a size."""
    return sign_checkpoint(Checkpoint(ORIGIN, size, tree.root(size), extensions), key)


def asking(tree: Tree, old_size: int, size: int) -> bytes:
    """Return the body of an honest request."""
    proof = prove_consistency(old_size, size, tree.get)
    return add_checkpoint_request(old_size, proof, signed(tree, size))
