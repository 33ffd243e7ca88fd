"""What stands in the CSV: cells, quoting, order, filters."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from tests.factories import erase
from tests.integration.exports.conftest import STARTED_AT, RecordAttempt, export, rows
from tests.reviewing import decide, open_review, propose
from verification.identifiers import uuid7
from verification.lifecycle import State
from verification.models import ApiClient, Evidence, EvidenceKey, VerificationAttempt
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Verdict
from verification.selectors.decisions import current_decision
from verification.selectors.export_columns import COLUMNS

pytestmark = pytest.mark.django_db

OUTSIDE_TEXTS = ["biz_no", "subject", "request_id", "result_message", "device_level"]
ERROR_TEXTS = ["error_code", "error_argument"]


def test_a_full_attempt_is_its_json_laid_flat(record_attempt: RecordAttempt) -> None:
    attempt = record_attempt(
        biz_no="ONB-17",
        subject="customer-9",
        request_id="1700000000,5788896d",
        result_message="SUCCESS",
        billable=True,
        time_used_ms=1402,
        attack_score=Decimal("0.0010"),
        attack_threshold=Decimal("0.5"),
        is_attack=False,
        ref1_confidence=Decimal("84.30"),
        ref1_threshold_1e3=Decimal("62.169"),
        device_level="2",
        device_tags={"is_root": 0},
    )
    [row] = rows(export())
    expected = {
        "id": str(attempt.id),
        "state": "answered",
        "outcome": "verified",
        "client": "onboarding",
        "region": "sandbox",
        "biz_no": "ONB-17",
        "subject": "customer-9",
        "request_id": "1700000000,5788896d",
        "result_code": "1000",
        "result_message": "SUCCESS",
        "billable": "true",
        "time_used_ms": "1402",
        "attack_score": "0.0010",
        "attack_threshold": "0.5",
        "is_attack": "false",
        "ref1_confidence": "84.30",
        "ref1_threshold_1e3": "62.169",
        "device_level": "2",
        "device_tags": '{"is_root": 0}',
        "packet_sha256": bytes(attempt.packet_sha256).hex(),
        "packet_size_bytes": "6",
        "created_at": "2026-03-29T00:30:00.12Z",
        "settled_at": "2026-03-29T00:30:01.52Z",
    }
    assert {name: cell for name, cell in row.items() if cell} == expected


def test_what_was_concluded_stands_in_the_row(record_attempt: RecordAttempt) -> None:
    judged: dict[str, Any] = {
        "policy_version": 1,
        "reasons": ["different_person", "near_threshold"],
    }
    record_attempt(verdict="approved", policy_version=1, reasons=[])
    waiting = record_attempt(verdict="review", **judged)
    open_review(waiting)
    decided = record_attempt(verdict="review", **judged)
    open_review(decided)
    decide(decided, "rejected")
    proposed = record_attempt(verdict="review", **judged)
    open_review(proposed, needs_second=True)
    propose(proposed, "approved")
    names = ("decision", "verdict", "reasons", "review_state", "reason_code", "decided_at")
    told = [tuple(row[name] for name in names) for row in rows(export())]
    reasons = "different_person near_threshold"
    assert told == [
        ("approved", "approved", "", "", "", ""),
        ("", "review", reasons, "open", "", ""),
        ("rejected", "review", reasons, "decided", "same_person", "2026-11-20T12:00:00Z"),
        ("", "review", reasons, "proposed", "", ""),
    ]
    assert {row["review_due_at"] for row in rows(export())} == {"", "2026-11-21T12:00:00Z"}
    assert {row["policy_version"] for row in rows(export())} == {"1"}


@pytest.mark.parametrize("decision", list(Decision))
def test_a_decision_in_the_file_is_the_one_that_the_filter_and_the_api_know(
    record_attempt: RecordAttempt, decision: Decision
) -> None:
    for verdict in Verdict:
        judged: dict[str, Any] = {"policy_version": 1, "verdict": verdict.value, "reasons": []}
        record_attempt(**judged)
        for outcome in Decision:
            attempt = record_attempt(**judged)
            open_review(attempt, needs_second=True)
            propose(attempt, outcome)
            decide(attempt, outcome, by="omar")
    told = [row["id"] for row in rows(export()) if row["decision"] == decision]
    assert told == [row["id"] for row in rows(export(decision=decision))]
    attempts = VerificationAttempt.objects.order_by("created_at", "id")
    assert told == [str(each.pk) for each in attempts if current_decision(each) == decision]
    assert len(told) == 5


def test_evidence_is_listed_by_kind_with_digest_and_erasure(record_attempt: RecordAttempt) -> None:
    attempt = record_attempt()
    EvidenceKey.objects.create(
        attempt=attempt, kek_id="k", sealed=b"\x01" * 61, created_at=STARTED_AT
    )
    erase(attempt, at=STARTED_AT)
    for kind in ("video_key", "raw_answer", 'of "them"'):
        Evidence.objects.create(
            id=uuid7(STARTED_AT),
            attempt=attempt,
            kind=kind,
            size_bytes=3,
            sha256=b"\xab" * 32,
            sealed=b"s" * 32,
            created_at=STARTED_AT,
        )
    [row] = rows(export())
    listed = json.loads(row["evidence"])
    assert [item["kind"] for item in listed] == ['of "them"', "raw_answer", "video_key"]
    assert listed[1] == {
        "kind": "raw_answer",
        "size_bytes": 3,
        "sha256": "ab" * 32,
        "erased_at": "2026-03-29T00:30:00.12Z",
    }


def test_absent_is_an_empty_cell_and_empty_text_is_a_quoted_one(
    record_attempt: RecordAttempt,
) -> None:
    record_attempt(biz_no="", subject=None)
    line = export().splitlines()[1]
    assert ',"onboarding",sandbox,"",,' in line


FORMULA_STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]


@pytest.mark.parametrize("start", FORMULA_STARTS, ids=lambda start: f"U+{ord(start):04X}")
def test_no_outside_text_begins_as_a_formula(record_attempt: RecordAttempt, start: str) -> None:
    hostile = f"{start}cmd|' /C calc'!A0"
    record_attempt(**dict.fromkeys(OUTSIDE_TEXTS, hostile))
    record_attempt(
        **dict.fromkeys(ERROR_TEXTS, hostile), state="rejected", result_code=None, outcome=None
    )
    answered, rejected = rows(export())
    assert [answered[name] for name in OUTSIDE_TEXTS] == ["'" + hostile] * len(OUTSIDE_TEXTS)
    assert [rejected[name] for name in ERROR_TEXTS] == ["'" + hostile] * len(ERROR_TEXTS)


def test_the_clients_name_is_outside_text_too(record_attempt: RecordAttempt) -> None:
    record_attempt()
    ApiClient.objects.update(name="=onboarding")
    [row] = rows(export())
    assert row["client"] == "'=onboarding"


def test_every_text_column_that_others_write_is_guarded() -> None:
    guarded = {column.name for column in COLUMNS if column.is_outside_text}
    assert guarded == {*OUTSIDE_TEXTS, *ERROR_TEXTS, "client"}


def test_numbers_are_never_changed(record_attempt: RecordAttempt) -> None:
    record_attempt(result_code=-5, outcome="unrecognised", time_used_ms=-1)
    [row] = rows(export())
    assert (row["result_code"], row["time_used_ms"]) == ("-5", "-1")


@pytest.mark.parametrize(
    "text",
    [
        'say "hello", twice',
        "two\nlines",
        "two\r\nlines",
        "\u202eright to left",
        "\U0001f600",
        "a;=1+1",
        " =1+1",
        '"=1+1',
        "\\N",
        "\\.",
        "'",
        "\x1b[31m",
    ],
)
def test_any_text_comes_back_as_it_was(record_attempt: RecordAttempt, text: str) -> None:
    record_attempt(biz_no=text, result_message=text)
    [row] = rows(export())
    assert (row["biz_no"], row["result_message"]) == (text, text)


def test_lines_end_with_lf_and_there_is_no_byte_order_mark(record_attempt: RecordAttempt) -> None:
    record_attempt()
    text = export()
    assert text.startswith("id,state,outcome,")
    assert text.endswith("\n")
    assert "\r" not in text


def test_times_are_utc_whatever_the_session_shows(record_attempt: RecordAttempt) -> None:
    record_attempt()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone = 'Asia/Jakarta'; SET LOCAL datestyle = 'SQL, DMY'")
    [row] = rows(export())
    assert row["created_at"] == "2026-03-29T00:30:00.12Z"


def test_the_oldest_comes_first(record_attempt: RecordAttempt) -> None:
    ids = [str(record_attempt().id) for _ in range(3)]
    assert [row["id"] for row in rows(export())] == ids


HOSTILE = [
    "x'; DROP TABLE verification_attempt; --",
    "x') TO PROGRAM 'touch /tmp/x' --",
    "\\'; SELECT 1; --",
    "\\",
    "%s %(x)s %%",
    "$1 {0} {cells}",
    "E'\\x41'",
    "ˈ＇'",  # noqa: RUF001 - look-alikes of the quote are the point
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["biz_no", "request_id", "subject"])
def test_a_hostile_filter_value_only_matches_itself(
    record_attempt: RecordAttempt, name: str, text: str
) -> None:
    record_attempt(**{name: "other"})
    wanted = record_attempt(**{name: text})
    assert [row["id"] for row in rows(export(**{name: text}))] == [str(wanted.id)]
    assert VerificationAttempt.objects.count() == 2


@pytest.mark.parametrize(
    "filters",
    [
        {"state": State.REJECTED},
        {"outcome": Outcome.DIFFERENT_PERSON},
        {"result_code": 2000},
        {"biz_no": "B"},
        {"created_from": STARTED_AT + timedelta(seconds=2), "created_before": STARTED_AT},
        {"result_code": 2**31},
    ],
)
def test_a_query_that_nothing_matches_gives_the_header_only(
    record_attempt: RecordAttempt, filters: dict[str, Any]
) -> None:
    record_attempt(biz_no="b")
    assert export(**filters) == ",".join(column.name for column in COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [0, 1, 2]),
        ({"state": State.REJECTED}, [2]),
        ({"outcome": Outcome.DIFFERENT_PERSON}, [1]),
        ({"result_code": 2000}, [1]),
        ({"biz_no": "B"}, [0, 2]),
        ({"created_from": STARTED_AT + timedelta(seconds=1)}, [1, 2]),
        ({"created_before": STARTED_AT + timedelta(seconds=1)}, [0]),
        ({"biz_no": "B", "state": State.ANSWERED}, [0]),
    ],
)
def test_each_filter_narrows(
    record_attempt: RecordAttempt, filters: dict[str, Any], found: list[int]
) -> None:
    attempts = [
        record_attempt(biz_no="B"),
        record_attempt(result_code=2000, outcome="different_person"),
        record_attempt(biz_no="B", state="rejected", result_code=None, outcome=None),
    ]
    wanted = [str(attempts[index].id) for index in found]
    assert [row["id"] for row in rows(export(**filters))] == wanted


def test_a_client_gets_its_own_attempts_only(
    record_attempt: RecordAttempt, client_app: ApiClient, stranger_app: ApiClient
) -> None:
    mine = record_attempt()
    record_attempt(client=stranger_app)
    assert [row["id"] for row in rows(export(client=client_app))] == [str(mine.id)]
