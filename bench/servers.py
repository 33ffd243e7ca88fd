"""The servers of a comparison: the vendor, our web process, the bare proxy."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.site import Site, free_port, running

THREADS = "288"


@dataclass(frozen=True, slots=True)
class Web:
    """Our web process: where it listens, its gunicorn's process id, and a key for it."""

    port: int
    pid: int
    key: str = field(repr=False)


def new_key(site: Site) -> str:
    """Make an API client that may do everything; return its bearer key."""
    name = f"bench {free_port()}"
    found = re.search(r"vk_\S+", site.manage("client_create", name))
    if found is None:
        raise RuntimeError("client_create printed no key")
    return found[0]


@contextmanager
def upstream(site: Site, *, delay_s: float = 0.0) -> Iterator[str]:
    """Run the vendor; the value is its base URL."""
    port = free_port()
    with running(site, ["-m", "bench.upstream", str(port), str(delay_s)], port=port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def web(site: Site, upstream_url: str, *, key: str) -> Iterator[Web]:
    """Run our web process as it is run in production, one worker."""
    port = free_port()
    command = ["-m", "gunicorn", "-c", "project/gunicorn_conf.py"]
    more = {"WEB_PORT": str(port), "FACEID_SANDBOX_URL": upstream_url, "WEB_THREADS": THREADS}
    with running(site, command, port=port, **more) as pid:
        yield Web(port, pid, key)


@contextmanager
def bare_proxy(site: Site, upstream_url: str, *, record: str = "state") -> Iterator[int]:
    """Run the bare proxy under gunicorn's own threaded worker; the value is its port."""
    port = free_port()
    command = ["-m", "gunicorn", "-k", "gthread", "--threads", THREADS, "-w", "1"]
    command += ["--keep-alive", "5", "-b", f"127.0.0.1:{port}", "bench.bare_proxy:application()"]
    more = {"FACEID_SANDBOX_URL": upstream_url, "BARE_RECORD": record}
    with running(site, command, port=port, **more):
        yield port
