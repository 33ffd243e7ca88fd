"""The lock files hold what `pyproject.toml` asks for, with a hash for every package."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
RUNTIME, DEVELOPMENT = "requirements.txt", "requirements-dev.txt"
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)", re.MULTILINE)


def _pins(lock: str) -> dict[str, str]:
    found = PIN.finditer((ROOT / lock).read_text())
    return {canonicalize_name(each["name"]): each["version"] for each in found}


def _asked(*extras: str) -> Iterator[Requirement]:
    for text in [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]:
        yield Requirement(text)


@pytest.mark.parametrize(
    ("lock", "extras"),
    [(RUNTIME, ("site", "embedded", "exports")), (DEVELOPMENT, tuple(EXTRAS))],
    ids=[RUNTIME, DEVELOPMENT],
)
def test_the_lock_satisfies_every_dependency(lock: str, extras: tuple[str, ...]) -> None:
    pins = _pins(lock)
    for requirement in _asked(*extras):
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} is not in {lock}"
        assert requirement.specifier.contains(pinned, prereleases=True), f"{requirement}: {pinned}"


def test_the_development_lock_holds_the_runtime_lock() -> None:
    assert _pins(RUNTIME).items() <= _pins(DEVELOPMENT).items()


@pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT])
def test_every_package_of_the_lock_has_a_hash(lock: str) -> None:
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", (ROOT / lock).read_text())
    packages = [block for block in blocks if "==" in block.partition("\n")[0]]
    assert len(packages) == len(_pins(lock))
    assert [block for block in packages if "--hash=sha256:" not in block] == []
