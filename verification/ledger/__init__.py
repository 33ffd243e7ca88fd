"""A tamper-evident log over bytes: canonical entries, a Merkle tree, signed checkpoints."""
