"""Known plaintexts in every shape in which they could have been written down, and a search."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SLICE_BYTES = 24
SLICES = 4


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary that was found: which, in which shape, where."""

    name: str
    shape: str
    path: Path


def shapes(value: bytes) -> Mapping[str, bytes]:
    """Return a value as it is, in hex, in UTF-16, and in Base64 at each of its three offsets."""
    made = {"raw": value, "hex": value.hex().encode()}
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + value)
        # The first and last characters depend on what stands beside the value.
        made[f"base64+{offset}"] = encoded[4 if offset else 0 : -4]
    if value.isascii():
        made["utf-16"] = value.decode().encode("utf-16-le")
    return made


def pieces(value: bytes) -> Iterator[bytes]:
    """Yield what is looked for: files of a database cut a value anywhere, so parts are enough."""
    if len(value) <= 3 * SLICE_BYTES:
        yield from (value[: len(value) // 2], value[len(value) // 2 :])
        return
    for number in range(SLICES):
        begin = (len(value) - SLICE_BYTES) * number // (SLICES - 1)
        yield value[begin : begin + SLICE_BYTES]


def search(canaries: Mapping[str, bytes], *folders: Path) -> set[Hit]:
    """Look for every canary in every file of the folders, names of files included."""
    needles = {
        needle: (name, shape)
        for name, value in canaries.items()
        for piece in pieces(value)
        for shape, needle in shapes(piece).items()
    }
    hits = set()
    for path in _files(folders):
        content = bytes(path) + b"\n" + path.read_bytes()
        hits |= {Hit(*found, path) for needle, found in needles.items() if needle in content}
    return hits


def _files(folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from (each for each in folder.rglob("*") if each.is_file())
