"""`script/up --check`: holds what happened against the contract and names every difference."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from project.up.backend import Answer
from project.up.flows import Sent
from project.up.report import raised_tags
from project.up.samples import Expected

VERIFY_PATH = "/faceid/v3/sdk/verify"
OK = 200
CSV_COLUMNS = (
    "id",
    "state",
    "outcome",
    "biz_no",
    "request_id",
    "result_code",
    "result_message",
    "packet_sha256",
    "packet_size_bytes",
    "created_at",
    "settled_at",
)
Json = Mapping[str, Any]


def sample_faults(sent: Sent) -> Iterator[str]:
    """Yield a sentence for each way in which the answers differ from what the sample expects."""
    first = sent.answers[0]
    expected = sent.sample.expected
    differences = [_differs("HTTP status", first.status, expected.status)]
    if "state" in first.body:
        differences += _record_differences(first.body, sent)
    for replay in sent.answers[1:]:
        differences += [
            _differs("HTTP status of the replay", replay.status, OK),
            _differs("Idempotent-Replayed", replay.is_replay, expected=True),
            _differs("attempt of the replay", replay.body.get("id"), first.body.get("id")),
        ]
    yield from (f"{sent.biz_no}: {each}" for each in differences if each)


def _record_differences(record: Json, sent: Sent) -> list[str | None]:
    expected = sent.sample.expected
    named: list[str | None] = [
        _differs("state", record["state"], expected.state),
        _differs("outcome", record["outcome"], expected.outcome),
        _differs("biz_no", record["biz_no"], sent.biz_no),
        _differs("packet size", record["packet"]["size_bytes"], sent.sample.packet_bytes),
        _differs("error", (record["error"] or {}).get("code"), expected.error)
        if expected.state != "in_doubt"
        else None,
    ]
    return named + _answer_differences(record, expected)


def _answer_differences(record: Json, expected: Expected) -> list[str | None]:
    found: list[str | None] = []
    if expected.state == "answered":
        found.append(None if record["request_id"] else "the request_id is missing")
    if expected.code is not None:
        found.append(_differs("result_code", record["result_code"], expected.code))
        found.append(_differs("result_message", record["result_message"], expected.message))
    attack = (record["attack"] or {}).get("is_attack")
    if expected.attack is not None:
        found.append(_differs("attack", attack, expected.attack))
    if expected.has_risk_tags and not raised_tags(record):
        found.append("no risk tag is set")
    if expected.code in (1000, 2000) and not record["comparisons"]:
        found.append("the comparison scores are missing")
    return found


def reread_faults(sent: Sent, again: Answer) -> Iterator[str]:
    """Yield a sentence if the record reads otherwise than it was answered to the post.

    But for its place in the log, which it gets a moment later.
    """
    first = {**sent.answers[0].body, "ledger": None}
    if again.status != OK or {**again.body, "ledger": None} != first:
        yield f"{sent.biz_no}: the attempt reads otherwise than it was answered"


def upstream_faults(sent: Sent, entries: Sequence[Json]) -> Iterator[str]:
    """Yield a sentence if the sandbox's log of this biz_no shows another number of requests."""
    verifies = [each for each in entries if each["path"] == VERIFY_PATH and each["complete"]]
    expected = sent.sample.expected.upstream_requests
    if len(verifies) != expected:
        yield f"{sent.biz_no}: verify was called {len(verifies)} times upstream, not {expected}"
    digests = {each["packet_sha256"] for each in verifies}
    recorded = sent.answers[0].body.get("packet", {}).get("sha256")
    if digests - {recorded}:
        yield f"{sent.biz_no}: the vendor received another packet than the one on record"


def csv_faults(path: Path, sent: Sequence[Sent]) -> Iterator[str]:
    """Yield a sentence for each way in which the CSV of this run is not these attempts."""
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        rows = list(reader)
        columns = reader.fieldnames or []
    missing = [name for name in CSV_COLUMNS if name not in columns]
    if missing:
        yield f"{path.name} lacks the columns {', '.join(missing)}"
        return
    submitted = {str(each.answers[0].body.get("id")): each for each in sent}
    found = [row["id"] for row in rows]
    if sorted(found) != sorted(submitted):
        yield f"{path.name} holds {len(rows)} rows for {len(submitted)} attempts, or others"
        return
    yield from chain.from_iterable(_row_faults(row, submitted[row["id"]]) for row in rows)


def _row_faults(row: Mapping[str, str], sent: Sent) -> Iterator[str]:
    record = sent.answers[0].body
    for name in ("state", "outcome", "biz_no", "request_id", "result_code", "result_message"):
        written = "" if record[name] is None else str(record[name])
        if row[name] != written:
            yield f"{sent.biz_no}: {name} is {row[name]!r} in the CSV, {written!r} in the API"


def _differs(what: str, found: object, expected: object) -> str | None:
    return None if found == expected else f"{what} is {found!r}, not {expected!r}"
