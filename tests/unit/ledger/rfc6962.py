"""RFC 6962, section 2.1, word for word and slowly, to compare with. D is a list of leaf inputs."""

import hashlib


def sha256(content: bytes) -> bytes:
    """HASH."""
    return hashlib.sha256(content).digest()


def mth(d: list[bytes]) -> bytes:
    """2.1: the Merkle Tree Hash of D[n]."""
    n = len(d)
    if n == 0:
        return sha256(b"")
    if n == 1:
        return sha256(b"\x00" + d[0])
    k = split(n)
    return sha256(b"\x01" + mth(d[0:k]) + mth(d[k:n]))


def path(m: int, d: list[bytes]) -> list[bytes]:
    """2.1.1: the Merkle audit path of the (m+1)th input."""
    n = len(d)
    if n == 1:
        return []
    k = split(n)
    if m < k:
        return [*path(m, d[0:k]), mth(d[k:n])]
    return [*path(m - k, d[k:n]), mth(d[0:k])]


def proof(m: int, d: list[bytes]) -> list[bytes]:
    """2.1.2: the Merkle consistency proof of D[n] from D[0:m]."""
    return subproof(m, d, known=True)


def subproof(m: int, d: list[bytes], *, known: bool) -> list[bytes]:
    """2.1.2: SUBPROOF(m, D[n], b)."""
    n = len(d)
    if m == n:
        return [] if known else [mth(d)]
    k = split(n)
    if m <= k:
        return [*subproof(m, d[0:k], known=known), mth(d[k:n])]
    return [*subproof(m - k, d[k:n], known=False), mth(d[0:k])]


def split(n: int) -> int:
    """Return k, the largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k
