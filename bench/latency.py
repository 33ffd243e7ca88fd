"""How long a submission takes, against two bare proxies: one after the other, taking turns.

The target is against the proxy that makes the same commits: the rows of a submission, evidence
included. The other commits a state of a few bytes three times; that line, without a target,
tells what keeping the record costs as well.
"""

from collections.abc import Sequence
from statistics import median

from bench.caller import PACKET_9_MB, PACKET_100_KB, Caller
from bench.report import Finding
from bench.servers import bare_proxy, new_key, upstream, web
from bench.site import Site

TARGET_100_KB = 2.0
TARGET_9_MB = 1.6
WARM_UP = 20


def submit_latency(site: Site, *, quick: bool) -> list[Finding]:
    """Compare the medians at 100 KB and 9 MB."""
    with (
        upstream(site) as url,
        web(site, url, key=new_key(site)) as ours,
        bare_proxy(site, url) as bare_port,
        bare_proxy(site, url, record="rows") as rows_port,
    ):
        findings: list[Finding] = []
        for label, packet_bytes, target, rounds in (
            ("100 KB", PACKET_100_KB, TARGET_100_KB, 150 if quick else 600),
            ("9 MB", PACKET_9_MB, TARGET_9_MB, 30 if quick else 100),
        ):
            with (
                Caller(ours.port, key=ours.key, packet_bytes=packet_bytes) as us,
                Caller(bare_port, key=ours.key, packet_bytes=packet_bytes) as bare,
                Caller(rows_port, key=ours.key, packet_bytes=packet_bytes) as same_rows,
            ):
                findings += _compare([us, bare, same_rows], rounds, label=label, target=target)
        return findings


def _compare(callers: Sequence[Caller], rounds: int, *, label: str, target: float) -> list[Finding]:
    for _ in range(WARM_UP):
        _take_turns(callers)
    turns = [_take_turns(callers) for _ in range(rounds)]
    ours, bare, same_rows = (median(times) * 1000 for times in zip(*turns, strict=True))
    name = f"submit latency, {label}"
    return [
        Finding(name, ours / same_rows, "x", target, f"p50 {ours:.2f} ms, bare {same_rows:.2f} ms"),
        Finding(f"{name}, no record", ours / bare, "x", None, f"bare {bare:.2f} ms"),
    ]


def _take_turns(callers: Sequence[Caller]) -> list[float]:
    return [caller.submit() for caller in callers]
