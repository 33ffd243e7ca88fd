"""A packet hashed while it arrives has the digest of the whole packet, whatever was guessed."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.api.packet_digest import EARLY_FROM_BYTES, MARGIN_BYTES, PacketDigest

LARGE = EARLY_FROM_BYTES
HEAD = b'--b\r\nContent-Disposition: form-data; name="meglive_data"; filename="p"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"


def arrive(body: bytes, chunk_bytes: int) -> PacketDigest:
    """Let a body arrive in chunks."""
    digest = PacketDigest()
    for end in range(chunk_bytes, len(body) + chunk_bytes, chunk_bytes):
        digest.watch(memoryview(body), min(end, len(body)))
    return digest


@settings(max_examples=30, deadline=None)
@given(
    chunk_bytes=st.integers(50_000, 3_000_000),
    size=st.integers(1, 300) | st.integers(LARGE - 200, LARGE + 200_000),
    tail=st.sampled_from([TAIL, b"\r\n--b--", TAIL + b" " * 64]),
)
def test_the_digest_is_that_of_the_packet(chunk_bytes: int, size: int, tail: bytes) -> None:
    packet = hashlib.shake_128(b"packet").digest(size)
    body = HEAD + packet + tail
    digest = arrive(body, chunk_bytes).of(memoryview(packet), start=len(HEAD))
    assert digest == hashlib.sha256(packet).digest()


@pytest.mark.parametrize(
    ("head", "between"),
    [
        (b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n", b""),
        (HEAD, b"first file\r\n--b\r\nContent-Disposition: form-data; filename=q\r\n\r\n"),
        (b"filename\r\n\r\n", b"this was no head at all" * 3),
        (b"x" * 20_000, HEAD),
    ],
)
def test_a_wrong_guess_costs_time_and_nothing_else(head: bytes, between: bytes) -> None:
    packet = b"\0\1" * LARGE
    body = head + between + packet + TAIL
    start = len(head) + len(between)
    digest = arrive(body, 100_000).of(memoryview(packet), start=start)
    assert digest == hashlib.sha256(packet).digest()


def test_a_packet_that_ends_before_what_was_hashed_is_hashed_again() -> None:
    packet, rest = b"p" * 1000, b"r" * (LARGE + MARGIN_BYTES)
    digest = arrive(HEAD + packet + rest, 100_000).of(memoryview(packet), start=len(HEAD))
    assert digest == hashlib.sha256(packet).digest()
