"""Places to which finished exports go."""

from typing import BinaryIO, Protocol


class Place(Protocol):
    """Keeps files of exports."""

    def deliver(self, name: str, file: BinaryIO, sha256: str) -> str:
        """Keep a file."""
