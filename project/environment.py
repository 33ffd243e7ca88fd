"""Brings `.venv` up to a lock file: `python -m project.environment CHECKOUT LOCK`.

Runs before anything is installed, so it uses the standard library alone. Safe to repeat, to
interrupt and to run twice at once: a file lock lets one process work, and the marker that says
"complete" is written last.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

DEV_LOCK = "requirements-dev.txt"
MARKER = "installed-lock"


class EnvironmentSetupError(RuntimeError):
    """The environment could not be completed; the sentence says what to do."""


def digest_of(lock: Path) -> str:
    """Return the SHA-256 (hex) of a lock file."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def is_current(root: Path, lock: Path) -> bool:
    """Return whether `.venv` was completed from `lock`, or from the larger development lock."""
    marker = root / ".venv" / MARKER
    if not marker.is_file() or not (root / ".venv" / "bin" / "python").exists():
        return False
    sufficient = [digest_of(each) for each in (lock, root / DEV_LOCK) if each.is_file()]
    return marker.read_text("ascii").strip() in sufficient


def prepare(root: Path, lock: Path, out: TextIO) -> None:
    """Make `.venv` in `root` hold what `lock` names; nothing happens if it does already.

    EnvironmentSetupError if pip fails; what was installed so far stays and is taken up again.
    """
    if is_current(root, lock):
        return
    with _alone(root / ".local" / "venv.lock", out):
        if is_current(root, lock):
            return
        _make(root / ".venv", out)
        _install(root / ".venv", lock, out)
        (root / ".venv" / MARKER).write_text(digest_of(lock) + "\n", "ascii")


@contextmanager
def _alone(path: Path, out: TextIO) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another command is preparing .venv; waiting for it.", file=out, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(directory: Path, out: TextIO) -> None:
    """Create the environment; one that an interruption left without pip is made anew."""
    python = directory / "bin" / "python"
    if python.exists() and _works([str(python), "-m", "pip", "--version"]):
        return
    print(f"Creating {directory}", file=out, flush=True)
    venv.EnvBuilder(clear=directory.exists(), symlinks=os.name != "nt", with_pip=True).create(
        directory
    )


def _works(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own interpreter


def _install(directory: Path, lock: Path, out: TextIO) -> None:
    total = sum("==" in line for line in lock.read_text("utf-8").splitlines())
    print(f"Installing {total} packages of {lock.name}, hashes checked", file=out, flush=True)
    command = [str(directory / "bin" / "python"), "-m", "pip", "install"]
    # Wheels only: what a source package would fetch for its build is in no lock.
    command += ["--require-hashes", "--only-binary=:all:", "--disable-pip-version-check"]
    started = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - pip of our own environment
        [*command, "--requirement", str(lock)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as pip:
        lines = _follow(pip.stdout or (), total, out)
    if pip.returncode != 0:
        raise EnvironmentSetupError("pip could not install the packages:\n" + "".join(lines[-15:]))
    print(f"Installed in {time.monotonic() - started:.0f} s", file=out, flush=True)


def _follow(output: Iterator[str] | tuple[()], total: int, out: TextIO) -> list[str]:
    """Show how far pip is, and return its lines for an error message."""
    lines: list[str] = []
    seen = 0
    for line in output:
        lines.append(line)
        if line.startswith(("Collecting ", "Requirement already satisfied")):
            seen += 1
            if seen % 10 == 0:
                print(f"  {min(seen, total)} of {total}", file=out, flush=True)
        if line.startswith("Installing collected packages"):
            print("  unpacking", file=out, flush=True)
    return lines


def main(arguments: list[str]) -> int:
    """Run from the command line; returns the exit code."""
    root, lock = Path(arguments[0]), arguments[1]
    try:
        prepare(root, root / lock, sys.stdout)
    except EnvironmentSetupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. Start again to go on from here.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
