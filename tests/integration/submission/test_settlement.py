"""From the vendor's answer to columns and evidence, without a database."""

import json
from decimal import Decimal

import pytest

from verification.faceid.answers import verify_answer
from verification.faceid.errors import InDoubt, NotProcessed, NotSent, Rejected
from verification.lifecycle import State
from verification.services.settlement import (
    settlement_of_answer,
    settlement_of_error,
    visible,
)

FULL = b"""{"request_id": "1700000000,5c0b", "biz_no": "ONB-1", "time_used": 812,
 "result_code": 1000, "result_message": "SUCCESS",
 "verification": {
   "ref1": {"confidence": 84.30, "thresholds":
            {"1e-3": 62.169, "1e-4": 69.315, "1e-5": 74.399, "1e-6": 78.038, "1e-7": 80.5}},
   "ref9": {"confidence": 12.50, "thresholds": {}}},
 "attack_result": {"score": 0.10, "threshold": 0.500, "result": 0},
 "images": {"image_best": "/9j/2Q==", "raw_answer": "/9j/2Q=="},
 "risk_info": {"device_info_level": "2", "device_info_tags": {"is_root": 1, "is_new": 0}},
 "visual_attributes": {"blur": 0.250},
 "verify_risk_info": {"verify_info_tags": {"is_odd": 1}},
 "video_key": "k3y", "brand_new": {"x": 1}}"""


def test_a_full_answer_fills_its_columns_with_the_vendors_digits() -> None:
    settled = settlement_of_answer(verify_answer(FULL))
    assert settled.state is State.ANSWERED
    columns = settled.columns
    assert str(columns["ref1_confidence"]) == "84.30"
    assert str(columns["attack_threshold"]) == "0.500"
    assert columns["ref1_threshold_1e6"] == Decimal("78.038")
    assert "ref2_confidence" not in columns
    assert (columns["outcome"], columns["billable"]) == ("verified", True)
    assert columns["device_tags"] == {"is_root": 1, "is_new": 0}
    assert columns["is_attack"] is False


def test_what_the_contract_does_not_name_is_kept() -> None:
    unknown = settlement_of_answer(verify_answer(FULL)).columns["unknown_fields"]
    assert unknown == {
        "brand_new": {"x": 1},
        "verification.ref9.confidence": Decimal("12.50"),
        "verification.ref1.thresholds": {"1e-7": Decimal("80.5")},
    }


def test_evidence_holds_the_exact_answer_the_images_and_the_key() -> None:
    evidence = settlement_of_answer(verify_answer(FULL)).evidence
    assert evidence["raw_answer"] == FULL
    assert evidence["image_best"] == b"\xff\xd8\xff\xd9"
    assert evidence["video_key"] == b"k3y"
    assert set(evidence) == {"raw_answer", "image_best", "video_key"}


def test_evidence_is_not_in_any_repr() -> None:
    assert "k3y" not in repr(settlement_of_answer(verify_answer(FULL)))


def test_an_endless_unknown_part_is_left_to_the_raw_answer() -> None:
    body = {
        "result_code": 1000,
        "result_message": "SUCCESS",
        "new": "x" * 100,
        "more": ["y"] * 90_000,
    }
    settled = settlement_of_answer(verify_answer(json.dumps(body).encode()))
    assert settled.columns["unknown_fields"] == {"…": "too large"}


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (NotSent("dns"), State.NOT_SENT, "dns"),
        (NotProcessed("concurrency_limit", http_status=429, code="C"), State.NOT_SENT, "C"),
        (Rejected("refused", http_status=413, raw=b"Too Large"), State.REJECTED, "refused"),
        (Rejected("refused", http_status=400, code="BAD", argument="x"), State.REJECTED, "BAD"),
        (InDoubt("read_timeout"), State.IN_DOUBT, "read_timeout"),
        (InDoubt("server_error", http_status=500, code="INTERNAL_ERROR", raw=b"{}"), State.IN_DOUBT,
         "server_error"),
    ],
)  # fmt: skip
def test_every_way_to_fail_has_its_state(
    error: NotSent | NotProcessed | Rejected | InDoubt, state: State, code: str
) -> None:
    settled = settlement_of_error(error)
    assert (settled.state, settled.columns["error_code"]) == (state, code)
    assert settled.columns["error_argument"] == error.argument
    assert settled.evidence == ({"raw_answer": error.raw} if error.raw else {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SUCCESS", "SUCCESS"),
        ("a\r\nb", "a\\u000d\\u000ab"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028end", "line\\u2028end"),
        ("面部 ✓ é", "面部 ✓ é"),
        ("", ""),
        (None, None),
        ("x" * 21, "x" * 19 + "…"),
        ("x" * 20, "x" * 20),
    ],
)
def test_hidden_characters_are_named_and_length_is_bounded(text: str, shown: str) -> None:
    assert visible(text, 20) == shown


def test_hostile_names_and_values_inside_tags_are_made_visible() -> None:
    body = {
        "result_code": 1,
        "result_message": "M",
        "risk_info": {"device_info_tags": {"a\u0007": "b\u202e"}},
    }
    answer = verify_answer(json.dumps(body).encode())
    tags = settlement_of_answer(answer).columns["device_tags"]
    assert tags == {"a\\u0007": "b\\u202e"}
