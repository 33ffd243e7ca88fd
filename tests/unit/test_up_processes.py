"""Processes are started in order, watched, and stopped with everything below them."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.up.errors import StopRequested, UpError
from project.up.interruption import SIGNALS, Interruption
from project.up.processes import Processes

ENVIRON = {"PATH": os.environ["PATH"]}
IGNORES_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
HAS_A_CHILD = """
import os, signal, time
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    print(child, flush=True)
time.sleep(60)
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path / "log")
    yield started
    started.hurry = True
    started.stop()


def _start(processes: Processes, code: str, *, stop_s: float = 5.0, name: str = "one") -> int:
    command = [sys.executable, "-c", code]
    return processes.start(name, command, environ=ENVIRON, stop_s=stop_s).process.pid


def _first_line(path: Path) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if (text := path.read_text()).endswith("\n"):
            return text.strip()
        time.sleep(0.02)
    raise AssertionError(f"{path} stayed empty")


def _runs(pid: int) -> bool:
    """Whether the process exists and has not ended; one that waits to be reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_process_that_ends_is_named_with_the_end_of_its_log(processes: Processes) -> None:
    _start(processes, "print('first'); raise SystemExit('the reason')", name="worker")
    with pytest.raises(UpError, match=r"The worker process has ended.*(?s:.*)the reason"):
        processes.wait_for("http://127.0.0.1:9/healthz", within_s=20)


def test_logs_are_readable_by_their_owner_alone(processes: Processes, tmp_path: Path) -> None:
    _start(processes, "print('hello')")
    assert stat.S_IMODE((tmp_path / "log" / "one.log").stat().st_mode) == 0o600


def test_waiting_ends_when_the_address_answers(processes: Processes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    handler = "http.server.SimpleHTTPRequestHandler"
    server = f"import http.server; http.server.HTTPServer(('127.0.0.1', {port}), {handler})"
    server += ".serve_forever()"
    _start(processes, server)
    processes.wait_for(f"http://127.0.0.1:{port}/", within_s=20)


def test_waiting_ends_when_time_is_up(processes: Processes) -> None:
    _start(processes, "import time; time.sleep(60)")
    with pytest.raises(UpError, match="did not answer within 0 s"):
        processes.wait_for("http://127.0.0.1:9/healthz", within_s=0.2)


def test_stopping_asks_first_and_ends_what_does_not_listen(
    processes: Processes, tmp_path: Path
) -> None:
    pid = _start(processes, IGNORES_TERM, stop_s=0.3)
    assert _first_line(tmp_path / "log" / "one.log") == "up"
    processes.stop()
    assert not _runs(pid)
    processes.stop()


def test_what_a_process_left_behind_is_stopped_too(processes: Processes, tmp_path: Path) -> None:
    _start(processes, HAS_A_CHILD)
    grandchild = int(_first_line(tmp_path / "log" / "one.log"))
    processes.stop()
    deadline = time.monotonic() + 5
    while _runs(grandchild) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(grandchild)


def test_a_stop_in_a_hurry_does_not_wait(processes: Processes, tmp_path: Path) -> None:
    _start(processes, IGNORES_TERM, stop_s=60)
    _first_line(tmp_path / "log" / "one.log")
    processes.stop_at_once()
    began = time.monotonic()
    processes.stop()
    assert time.monotonic() - began < 5


def test_children_follow_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = f"""
import time
from pathlib import Path
from project.up.processes import Processes
child = Processes(Path({str(tmp_path)!r})).start(
    "child", [{sys.executable!r}, "-c", "import time; time.sleep(60)"], environ={{}}, stop_s=1)
print(child.process.pid, flush=True)
time.sleep(60)
"""
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert _runs(pid)
        process.kill()
    deadline = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(pid)


@pytest.fixture
def hurried() -> list[str]:
    return []


@pytest.fixture
def interruption(hurried: list[str]) -> Iterator[Interruption]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    made = Interruption(on_second=lambda: hurried.append("again"))
    made.install()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: signal.Signals(number).name)
def test_the_first_signal_asks_for_the_stop_and_the_next_one_hurries(
    interruption: Interruption, hurried: list[str], number: signal.Signals
) -> None:
    with pytest.raises(StopRequested):
        signal.raise_signal(number)
    assert hurried == []
    signal.raise_signal(number)
    assert hurried == ["again"]


def _mark_while_held(interruption: Interruption, marks: list[str]) -> None:
    with interruption.held():
        signal.raise_signal(signal.SIGTERM)
        marks.append("done")


def test_a_signal_waits_for_what_must_not_be_split(interruption: Interruption) -> None:
    marks: list[str] = []
    with pytest.raises(StopRequested):
        _mark_while_held(interruption, marks)
    assert marks == ["done"]


def test_nothing_is_raised_while_stopping(interruption: Interruption) -> None:
    interruption.finish()
    signal.raise_signal(signal.SIGINT)
