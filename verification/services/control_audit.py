"""Hold runs of the checks of controls, and their results, against the entries about them."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import psycopg

from verification.controls.results import digest_of
from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models.control import CONTROLS_CHECKED
from verification.services.faults import Fault, FaultCode
from verification.services.record_streams import utc_sql

KINDS = (CONTROLS_CHECKED,)
NAMES = ("digest", "holds", "fails", "unknown", "origin", "by", "by_id", "at")
RUNS = f"""
    SELECT id::text, digest, holds, fails, unknown, origin, by_name, by_id::text,
        {utc_sql("started_at")}
    FROM verification_control_run ORDER BY id
"""  # noqa: S608 - our own columns
RESULTS = """
    SELECT run_id::text, control, state, sentence, evidence::text
    FROM verification_control_result ORDER BY run_id, control
"""


def control_faults(
    connection: psycopg.Connection[Any], entries: Iterable[bytes]
) -> Iterator[Fault]:
    """Yield what does not hold; `entries` are those of KINDS, in order."""
    said = dict(_read(entries))
    found = dict(_digests(connection))
    for run, *facts in connection.execute(RUNS):
        entry = said.pop(run, None)
        if entry is None:
            yield _fault(run, "is in no entry")
        elif [entry.get(name) for name in NAMES] != facts:
            yield _fault(run, "differs from what was recorded")
        elif found.get(run) != facts[0]:
            yield _fault(run, "has other results than were recorded")
    for run in said:
        yield _fault(run, "was recorded, but is gone")


def _read(entries: Iterable[bytes]) -> Iterator[tuple[str, dict[str, Json]]]:
    for raw in entries:
        try:
            entry = parse(raw)
        except CanonicalError:
            continue
        if entry.get("kind") == CONTROLS_CHECKED:
            yield str(entry.get("run")), entry


def _digests(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Yield the digest of the results that are stored, by run."""
    for run, rows in groupby(connection.execute(RESULTS), key=itemgetter(0)):
        yield (
            run,
            digest_of(
                {
                    control: (state, sentence, json.loads(evidence))
                    for _run, control, state, sentence, evidence in rows
                }
            ),
        )


def _fault(run: str, why: str) -> Fault:
    return Fault(FaultCode.REGISTER, f"check of the controls {run} {why}")
