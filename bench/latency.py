"""How long a submission takes, against the bare proxy: one after the other, taking turns."""

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
    ):
        findings = []
        for label, packet_bytes, target, rounds in (
            ("100 KB", PACKET_100_KB, TARGET_100_KB, 150 if quick else 600),
            ("9 MB", PACKET_9_MB, TARGET_9_MB, 30 if quick else 100),
        ):
            with (
                Caller(ours.port, key=ours.key, packet_bytes=packet_bytes) as us,
                Caller(bare_port, key=ours.key, packet_bytes=packet_bytes) as bare,
            ):
                findings.append(_compare(us, bare, rounds, label=label, target=target))
        return findings


def _compare(us: Caller, bare: Caller, rounds: int, *, label: str, target: float) -> Finding:
    for _ in range(WARM_UP):
        us.submit()
        bare.submit()
    pairs = [(us.submit(), bare.submit()) for _ in range(rounds)]
    our_ms = median(ours for ours, _ in pairs) * 1000
    bare_ms = median(theirs for _, theirs in pairs) * 1000
    detail = f"p50 {our_ms:.2f} ms, bare proxy {bare_ms:.2f} ms, {rounds} pairs"
    return Finding(f"submit latency, {label}", our_ms / bare_ms, "x", target, detail)
