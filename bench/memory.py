"""How much a 10 MB submission raises the web process over a 100 KB one, at its peak."""

from pathlib import Path

from bench.caller import PACKET_10_MB, PACKET_100_KB, Caller
from bench.report import Finding
from bench.servers import new_key, upstream, web
from bench.site import BenchError, Site

TARGET_MB = 25.0
SUBMISSIONS = 10


def submit_memory(site: Site, *, quick: bool) -> list[Finding]:  # noqa: ARG001 - it is quick
    """Compare the peaks of two fresh processes."""
    key = new_key(site)
    small = _peak_bytes(site, key, [PACKET_100_KB])
    large = _peak_bytes(site, key, [PACKET_100_KB, PACKET_10_MB])
    detail = f"peak {large / 1e6:.1f} MB, with 100 KB packets {small / 1e6:.1f} MB"
    return [Finding("memory of a 10 MB submission", (large - small) / 1e6, "MB", TARGET_MB, detail)]


def _peak_bytes(site: Site, key: str, sizes: list[int]) -> int:
    """Return the highest memory of a web process that was started for these submissions."""
    with upstream(site) as url, web(site, url, key=key) as ours:
        for packet_bytes in sizes:
            with Caller(ours.port, key=key, packet_bytes=packet_bytes) as caller:
                for _ in range(SUBMISSIONS):
                    caller.submit()
        return peak_bytes(_worker_of(ours.pid))


def peak_bytes(pid: int) -> int:
    """Return the highest resident size that a process has had."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise BenchError(f"process {pid} has no VmHWM")


def _worker_of(gunicorn_pid: int) -> int:
    children = Path(f"/proc/{gunicorn_pid}/task/{gunicorn_pid}/children").read_text("ascii").split()
    if len(children) != 1:
        raise BenchError(f"gunicorn has {len(children)} workers, not one")
    return int(children[0])
