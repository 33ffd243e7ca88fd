"""What script/up prints of an attempt, and what --check finds wrong with one."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from project.up import conformance, report
from project.up.backend import Answer
from project.up.flows import Sent
from project.up.samples import SAMPLES, Expected, Sample

SAMPLE = Sample(
    "the same person", None, 1000, Expected(201, "answered", "verified", 1000, "SUCCESS")
)
ATTEMPT: dict[str, Any] = {
    "id": "0190",
    "state": "answered",
    "outcome": "verified",
    "biz_no": "demo-1",
    "request_id": "1700000000,abc",
    "result_code": 1000,
    "result_message": "SUCCESS",
    "error": None,
    "attack": {"score": Decimal("0.030"), "threshold": Decimal("0.4"), "is_attack": False},
    "comparisons": {"ref1": {"confidence": Decimal("84.30"), "thresholds": {"1e-4": Decimal(70)}}},
    "risk": {"device_level": "2", "device_tags": {"is_root": 1, "is_hook": 0}, "verify_tags": {}},
    "packet": {"sha256": "ab" * 32, "size_bytes": 1000},
}
ENTRY = {"path": conformance.VERIFY_PATH, "complete": True, "packet_sha256": "ab" * 32}


def _sent(*, status: int = 201, sample: Sample = SAMPLE, **changes: Any) -> Sent:
    answer = Answer(status=status, is_replay=False, body={**ATTEMPT, **changes})
    return Sent(sample, "demo-1", (answer,))


def _replayed(**changes: Any) -> Sent:
    first = _sent()
    replay = Answer(status=200, is_replay=True, body={**ATTEMPT, **changes})
    return Sent(SAMPLE, "demo-1", (*first.answers, replay))


def test_a_line_holds_what_a_reader_looks_for() -> None:
    (line,) = report.lines(_sent())
    parts = ("demo-1", "1700000000,abc", "1000", "SUCCESS", "verified", "84.30 of 70", "is_root")
    assert [part for part in parts if part not in line] == []
    assert "attack 0.030 of 0.4" in line
    assert "is_hook" not in line


def test_lines_are_aligned_with_the_heading() -> None:
    (line,) = report.lines(_sent())
    assert line.index("SUCCESS") == report.heading().index("message")
    assert line.index("verified") == report.heading().index("outcome")


def test_a_refusal_shows_its_error_and_a_replay_says_so() -> None:
    refused: dict[str, Any] = {
        "result_code": None,
        "result_message": None,
        "outcome": None,
        "state": "rejected",
    }
    refused |= {"error": {"code": "BAD_ARGUMENTS", "argument": "biz_token"}, "attack": None}
    refused |= {"comparisons": None, "risk": None, "request_id": None}
    (line,) = report.lines(_sent(**refused))
    assert "BAD_ARGUMENTS:biz_token" in line
    assert "rejected" in line
    assert list(report.lines(_replayed()))[1].endswith("(replayed, not sent again)")


def test_a_problem_instead_of_an_attempt_is_a_line_too() -> None:
    problem = Answer(status=503, is_replay=False, body={"code": "upstream_busy"})
    (line,) = report.lines(Sent(SAMPLE, "demo-1", (problem,)))
    assert "503" in line
    assert "upstream_busy" in line
    assert list(conformance.sample_faults(Sent(SAMPLE, "demo-1", (problem,))))


def test_what_agrees_has_no_faults() -> None:
    assert list(conformance.sample_faults(_replayed())) == []
    assert list(conformance.upstream_faults(_sent(), [ENTRY])) == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"state": "in_doubt"}, "state is 'in_doubt'"),
        ({"outcome": "different_person"}, "outcome is"),
        ({"biz_no": "another"}, "biz_no is"),
        ({"request_id": None}, "request_id is missing"),
        ({"result_code": 2000}, "result_code is 2000"),
        ({"result_message": "success"}, "result_message is"),
        ({"attack": {"is_attack": True}}, "attack is True"),
        ({"comparisons": None}, "comparison scores are missing"),
        ({"error": {"code": "X", "argument": None}}, "error is 'X'"),
        ({"packet": {"sha256": "ab" * 32, "size_bytes": 1}}, "packet size is 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_each_difference_is_named(changes: dict[str, Any], named: str) -> None:
    (fault,) = conformance.sample_faults(_sent(**changes))
    assert named in fault


def test_missing_risk_tags_are_named() -> None:
    expected = Expected(201, "answered", "verified", 1000, "SUCCESS", has_risk_tags=True)
    sample = Sample("risk", "risk", 1000, expected)
    (fault,) = conformance.sample_faults(_sent(sample=sample, risk=None))
    assert "no risk tag" in fault


def test_a_replay_that_is_a_new_attempt_is_named() -> None:
    (fault,) = conformance.sample_faults(_replayed(id="0191"))
    assert "attempt of the replay" in fault


def test_a_record_that_reads_otherwise_is_named() -> None:
    (first,) = _sent().answers
    as_read = Answer(status=200, is_replay=False, body=dict(first.body))
    assert list(conformance.reread_faults(_sent(), as_read)) == []
    other = Answer(status=200, is_replay=False, body={**first.body, "outcome": "not_completed"})
    missing = Answer(status=404, is_replay=False, body={"code": "not_found"})
    for answer in (other, missing):
        (fault,) = conformance.reread_faults(_sent(), answer)
        assert "reads otherwise" in fault


@pytest.mark.parametrize("count", [0, 2])
def test_another_number_of_upstream_requests_is_named(count: int) -> None:
    faults = list(conformance.upstream_faults(_sent(), [ENTRY] * count))
    assert f"verify was called {count} times" in faults[0]


def test_another_packet_upstream_is_named() -> None:
    (fault,) = conformance.upstream_faults(_sent(), [{**ENTRY, "packet_sha256": "cd" * 32}])
    assert "another packet" in fault


def _csv(path: Path, *rows: dict[str, Any]) -> Path:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, conformance.CSV_COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**ATTEMPT, **row} for row in rows)
    return path


def test_the_csv_holds_each_attempt_once(tmp_path: Path) -> None:
    path = tmp_path / "attempts.csv"
    assert list(conformance.csv_faults(_csv(path, {}), [_sent()])) == []
    assert "2 rows for 1" in next(conformance.csv_faults(_csv(path, {}, {}), [_sent()]))
    assert "0 rows for 1" in next(conformance.csv_faults(_csv(path), [_sent()]))


def test_the_csv_says_what_the_api_says(tmp_path: Path) -> None:
    path = _csv(tmp_path / "attempts.csv", {"outcome": "different_person"})
    (fault,) = conformance.csv_faults(path, [_sent()])
    assert "outcome is 'different_person' in the CSV, 'verified' in the API" in fault


def test_a_csv_without_the_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "attempts.csv"
    path.write_text("id,state\n")
    (fault,) = conformance.csv_faults(path, [_sent()])
    assert "lacks the columns outcome, biz_no" in fault


def test_the_samples_cover_every_kind_of_end() -> None:
    states = {sample.expected.state for sample in SAMPLES}
    outcomes = {sample.expected.outcome for sample in SAMPLES} - {None}
    assert states == {"answered", "rejected", "in_doubt"}
    assert outcomes >= {"verified", "different_person", "liveness_failed", "not_completed"}
    assert any(sample.is_posted_twice for sample in SAMPLES)
    assert max(sample.packet_bytes for sample in SAMPLES) > 5_000_000
    assert min(sample.packet_bytes for sample in SAMPLES) == 100_000
