"""Homes for private servers."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.embedded_postgres import (
    Server,
    start,
    stop,
)


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """A directory that every user can enter; pytest's own is closed to root's server account."""
    path = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def home(ground: Path) -> Iterator[Path]:
    """A home that does not exist yet, emptied of its server afterwards."""
    path = Path(tempfile.mkdtemp(dir=ground)) / "home"
    path.parent.chmod(0o755)
    yield path
    stop(path)
    shutil.rmtree(path.parent)


@pytest.fixture(scope="module")
def running(ground: Path) -> Iterator[Server]:
    """One server for the tests that only look."""
    path = ground / "shared"
    yield start(path, durable=False)
    stop(path)
