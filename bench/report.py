"""What a benchmark found, against its target, as lines to read."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure and its target: at most, or with `at_least` no less.

    `detail` says what it was made of. A finding without a target is for information.
    """

    name: str
    value: float
    unit: str
    target: float | None
    detail: str
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the target holds."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target

    def line(self) -> str:
        """Return the line to print; a target that was missed cannot be overlooked."""
        figure = f"{self.name:<34} {self.value:8.2f} {self.unit:<3}"
        if self.target is None:
            return f"{figure} {'':<16} {self.detail}"
        bound = f"target {'>=' if self.at_least else '<='} {self.target:g}"
        verdict = "ok" if self.is_met else "**** MISSED ****"
        return f"{figure} {bound:<16} {self.detail}  {verdict}"


def machine_line(database: str) -> str:
    """Return what the figures depend on: processor, memory, versions."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (
        f"{_processor()}, {os.cpu_count()} cores, {pages / 2**30:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}, {database}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def load_line() -> str:
    """Return how busy the machine has been in the last minute, which blurs every figure."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
