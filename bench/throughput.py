"""Submissions a second with a vendor that takes 1.4 s, 64 callers, 16 pooled connections."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from bench.caller import PACKET_100_KB, Caller
from bench.report import Finding
from bench.servers import bare_proxy, new_key, upstream, web
from bench.site import Site

TARGET = 0.9
CALLERS = 64
DELAY_S = 1.4


def submit_throughput(site: Site, *, quick: bool) -> list[Finding]:
    """Compare the rates of alternating rounds."""
    rounds, each = (2, 5) if quick else (3, 10)
    with (
        upstream(site, delay_s=DELAY_S) as url,
        web(site, url, key=new_key(site)) as ours,
        bare_proxy(site, url) as bare_port,
    ):
        _rate(ours.port, ours.key, 1)
        _rate(bare_port, ours.key, 1)
        pairs = [
            (_rate(ours.port, ours.key, each), _rate(bare_port, ours.key, each))
            for _ in range(rounds)
        ]
    ours_s, bare_s = (median(rates) for rates in zip(*pairs, strict=True))
    detail = f"{ours_s:.1f}/s, bare proxy {bare_s:.1f}/s, ideal {CALLERS / DELAY_S:.1f}/s"
    name = f"throughput, {CALLERS} callers"
    return [Finding(name, ours_s / bare_s, "x", TARGET, detail, at_least=True)]


def _rate(port: int, key: str, each: int) -> float:
    """Return submissions a second, of `each` from every caller, all starting together."""
    start = threading.Barrier(CALLERS + 1)

    def call() -> None:
        with Caller(port, key=key, packet_bytes=PACKET_100_KB) as caller:
            start.wait()
            for _ in range(each):
                caller.submit()

    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(call) for _ in range(CALLERS)]
        start.wait()
        began = time.perf_counter()
        for done in calls:
            done.result()
        return CALLERS * each / (time.perf_counter() - began)
