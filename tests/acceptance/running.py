"""Runs the README's commands as a newcomer does, and sees what they leave behind."""

import os
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import sample

ROOT = Path(__file__).resolve().parents[2]
UP = ROOT / "script" / "up"
PATIENCE_S = 90.0
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for `.local`, and two free ports."""

    local_dir: Path
    web_port: int
    sandbox_port: int

    def environ(self, **more: str) -> dict[str, str]:
        """Return the environment of a newcomer: nothing of the suite's own settings."""
        # Coverage measures the processes of script/up as well.
        names = [each for each in os.environ if each in KEPT or each.startswith("COVERAGE_")]
        return {
            **{name: os.environ[name] for name in names},
            "LOCAL_DIR": str(self.local_dir),
            "WEB_PORT": str(self.web_port),
            "SANDBOX_PORT": str(self.sandbox_port),
            **more,
        }

    def processes(self) -> set[int]:
        """Return the processes that run for this place, whoever their parent is."""
        needle = str(self.local_dir).encode()
        return {pid for pid in _pids() if needle in _seen_of(pid)}

    def runs(self, program: bytes) -> bool:
        """Return whether a process of this place has `program` in its command line."""
        return any(program in _seen_of(pid, "cmdline") for pid in self.processes())

    def ends(self, program: bytes) -> bool:
        """Return whether `program` ends by itself, soon."""
        deadline = time.monotonic() + 10
        while self.runs(program) and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.runs(program)

    def leaves_nothing(self) -> bool:
        """Return whether no process of this place is left; the last may need a moment."""
        deadline = time.monotonic() + 5
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.processes()


@contextmanager
def new_place() -> Iterator[Place]:
    """Make a place with a blank in its path, and remove it.

    Not pytest's own folder: that one is closed to the account to which root hands PostgreSQL.
    """
    parent = Path(tempfile.mkdtemp(prefix="up "))
    parent.chmod(0o711)
    try:
        yield Place(parent / "local dir", *free_ports())
    finally:
        shutil.rmtree(parent)


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens on.

    Below those that the system gives to connections: one of them could take such a port, before
    the site comes to listen on it.
    """
    free = (port for port in sample(range(10_240, 32_768), 100) if _is_free(port))
    one, other = islice(free, 2)
    return one, other


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("", port)).close()
    except OSError:
        return False
    return True


def up(place: Place, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run script/up to its end, from another folder."""
    return subprocess.run(
        [UP, *arguments],
        env=place.environ(**environ),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


class Running:
    """A script/up that goes on; its output is read as it comes."""

    def __init__(self, place: Place, *arguments: str, **environ: str) -> None:
        self.output = ""
        self._process = subprocess.Popen(
            [UP, *arguments],
            env=place.environ(**environ),
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_until(self, text: str) -> None:
        """Return when `text` was printed; AssertionError with all output if it never is."""
        stdout = self._process.stdout
        assert stdout is not None
        deadline = time.monotonic() + PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while text not in self.output:
                assert selector.select(max(0.0, deadline - time.monotonic())), self.output
                block = os.read(stdout.fileno(), 65_536)
                assert block, self.output
                self.output += block.decode()

    def end(self, number: signal.Signals) -> int:
        """Send a signal as the terminal does, to the whole group, and return the exit code."""
        os.killpg(self._process.pid, number)
        return self.wait()

    def kill(self) -> None:
        """End script/up itself without a chance to clean up."""
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Return the exit code, once all output has been read."""
        output, _ = self._process.communicate(timeout=PATIENCE_S)
        self.output += output.decode()
        return self._process.returncode


@contextmanager
def running_up(place: Place, *arguments: str, **environ: str) -> Iterator[Running]:
    """Start script/up and see to it that it ends."""
    running = Running(place, *arguments, **environ)
    try:
        yield running
    finally:
        if running._process.poll() is None:
            running.end(signal.SIGTERM)


def _pids() -> Iterator[int]:
    yield from (int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal())


def _seen_of(pid: int, *names: str) -> bytes:
    """Return command line and environment; nothing of a process that has ended or is foreign."""
    seen = b""
    for name in names or ("cmdline", "environ"):
        try:
            seen += Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:
            return seen
    return seen
