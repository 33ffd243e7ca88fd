"""The processes of the site: started together, watched, and stopped by their own ids."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from project.up.errors import UpError

TAIL_LINES = 15
POLL_S = 0.1
PROBE_TIMEOUT_S = 2.0


@dataclass(slots=True)
class Child:
    """One process, leader of its own session, its output in a log file of mode 0600.

    Nobody else reaps it, so its id, and that of its process group, stay its own until `reap`.
    """

    name: str
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    stop_s: float

    def is_dead(self) -> bool:
        """Return whether it has ended; its id stays reserved."""
        found = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is not None

    def tail(self) -> str:
        """Return the last lines of its log."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])


@dataclass(slots=True)
class Processes:
    """What was started, in order. Stopping goes the other way round."""

    log_dir: Path
    children: list[Child] = field(default_factory=list)
    hurry: bool = False

    def start(
        self, name: str, command: Sequence[str], *, environ: Mapping[str, str], stop_s: float
    ) -> Child:
        """Start one process; it gets SIGTERM, too, should this program be killed.

        `stop_s` is how long it may take to end by itself.
        """
        self.log_dir.mkdir(parents=True, exist_ok=True)
        log = self.log_dir / f"{name}.log"
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                [*_tether(), *command],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        child = Child(name, log, process, stop_s)
        self.children.append(child)
        return child

    def require_alive(self) -> None:
        """Raise UpError naming the first process that has ended, with the end of its log."""
        for child in self.children:
            if child.is_dead():
                raise UpError(
                    f"The {child.name} process has ended. The end of {child.log}:\n{child.tail()}"
                )

    def wait_for(self, url: str, *, within_s: float) -> None:
        """Return when `url` answers 200; UpError if a process ends or time is up."""
        deadline = time.monotonic() + within_s
        while not _answers(url):
            self.require_alive()
            if time.monotonic() > deadline:
                raise UpError(f"{url} did not answer within {within_s:.0f} s. See {self.log_dir}.")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop all, the last started first. Never raises; safe to repeat."""
        while self.children:
            self._stop(self.children[-1])
            self.children.pop()

    def stop_at_once(self) -> None:
        """Let a stop that is going on wait no longer."""
        self.hurry = True

    def _stop(self, child: Child) -> None:
        # Not by Popen.send_signal, which would reap a process that has ended.
        os.kill(child.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + child.stop_s
        while not child.is_dead() and time.monotonic() < deadline and not self.hurry:
            time.sleep(POLL_S / 2)
        # What the leader left behind, or the leader itself if it took too long.
        os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()


def _tether() -> list[str]:
    """Return the prefix that ties a process's life to ours, where the system has it."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _answers(url: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(url, timeout=PROBE_TIMEOUT_S).ok
        except requests.RequestException:
            return False
