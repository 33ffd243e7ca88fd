"""How long a what-if takes: all attempts judged again, failures as counted or counted anew."""

import json

from bench.report import Finding
from bench.site import Site

TARGET_S = 60.0


def policy_replay(site: Site, *, quick: bool) -> list[Finding]:
    """Replay version 1, then one that has all failures counted anew."""
    rows = 100_000 if quick else 1_000_000
    site.child("rows", str(rows))
    findings = []
    for name, changes in (
        ("what-if, counts as stored", {}),
        ("what-if, failures counted anew", {"failures": {"count": 2, "hours": 48}}),
    ):
        took = json.loads(site.child("replay", json.dumps(changes)))
        target = TARGET_S if not (quick or changes) else None
        work = f"{took['processor_s']:.1f} s of the worker's processor time"
        detail = f"{took['done']:,} attempts, {took['flips']:,} differ, {work}"
        findings.append(Finding(name, took["seconds"], "s", target, detail))
    return findings
