"""The SHA-256 of a packet, computed while the packet still arrives.

Hashing 9 MB takes 5 ms, receiving them longer. What is hashed early is a guess (the first part
with a file name, up to a margin that may be the closing boundary); the strict parser has the last
word, and where it disagrees the packet is hashed again, whole.
"""

import hashlib
import re

FILE_HEAD = re.compile(rb"filename[^\r\n]*\r\n(?:[^\r\n]+\r\n){0,15}\r\n")
MAX_HEAD_BYTES = 16 * 1024
EARLY_FROM_BYTES = 1024 * 1024
# A boundary has 70 characters at most, and dashes and line breaks around it.
MARGIN_BYTES = 128


class PacketDigest:
    """Give `watch` to what receives the body; ask `of` when the packet is known."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._start: int | None = None
        self._end = 0

    def watch(self, body: memoryview, received: int) -> None:
        """Hash what is new in `body[:received]`; small bodies are not worth it."""
        if len(body) < EARLY_FROM_BYTES:
            return
        if self._start is None:
            head = FILE_HEAD.search(body[: min(received, MAX_HEAD_BYTES)])
            if head is None:
                return
            self._start = self._end = head.end()
        safe_end = received - MARGIN_BYTES
        if safe_end > self._end:
            self._sha256.update(body[self._end : safe_end])
            self._end = safe_end

    def of(self, packet: memoryview, *, start: int) -> bytes:
        """Return the SHA-256 (32 bytes) of `packet`, which begins at `start` of the body."""
        if self._start != start or self._end > start + len(packet):
            return hashlib.sha256(packet).digest()
        self._sha256.update(packet[self._end - start :])
        return self._sha256.digest()
