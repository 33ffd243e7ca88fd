"""Gathers what `--check` compares: the API's records, the sandbox's log, the CSV of the run."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from project.up import conformance
from project.up.backend import Backend
from project.up.flows import Sent
from project.up.plan import Plan

LOG_TIMEOUT_S = 10.0


def find_faults(
    plan: Plan, backend: Backend, sent: Sequence[Sent], started_at: datetime
) -> list[str]:
    """Return a sentence for each difference between this run's attempts and the contract."""
    faults = [fault for each in sent for fault in _of_one(plan, backend, each)]
    path = plan.local_dir / "attempts-of-this-run.csv"
    write_csv(path, backend, {"created_from": f"{started_at:%Y-%m-%dT%H:%M:%S.%fZ}"})
    faults += conformance.csv_faults(path, sent)
    path.unlink()
    return faults


def _of_one(plan: Plan, backend: Backend, sent: Sent) -> Iterator[str]:
    yield from conformance.sample_faults(sent)
    yield from conformance.reread_faults(sent, backend.attempt(str(sent.answers[0].body.get("id"))))
    log = backend.http.get(
        f"{plan.sandbox_url}/_sandbox/requests",
        params={"biz_no": sent.biz_no},
        timeout=LOG_TIMEOUT_S,
    )
    yield from conformance.upstream_faults(sent, log.json()["requests"])


def write_csv(path: Path, backend: Backend, query: Mapping[str, str]) -> None:
    """Export to a file that its owner alone can read; an earlier one is replaced at once."""
    temporary = path.with_name(f".{path.name}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        for block in backend.export(query):
            handle.write(block)
    temporary.replace(path)
