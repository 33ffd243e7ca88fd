import base64
import json
from decimal import Decimal
from typing import Any

import pytest

from verification.faceid import answers, contract
from verification.faceid.errors import InDoubt
from verification.faceid.types import Attack, BizToken, Comparison, VerifyAnswer

JPEG = b"\xff\xd8\xff\xe0 face \xff\xd9"
THRESHOLDS = '{"1e-3":62.1690,"1e-4":69.315,"1e-5":74.399,"1e-6":78.038}'
FULL = (
    '{"request_id":"1700000000,c0ffee","biz_no":"b-1","time_used":1234,'
    '"result_code":1000,"result_message":"SUCCESS",'
    f'"verification":{{"ref1":{{"confidence":89.9950,"thresholds":{THRESHOLDS}}},"idcard":null}},'
    f'"images":{{"image_best":"{base64.b64encode(JPEG).decode()}"}},'
    '"attack_result":{"score":0.0310,"threshold":0.5,"result":false},'
    '"risk_info":{"device_info_level":"2","device_info_tags":{"is_root":1,"is_hook":0}},'
    '"video_key":"canary-key","visual_attributes":{"mask":[1,2]},'
    '"verify_risk_info":{"verify_info_tags":{"is_night":0}}}'
)


def read(value: Any) -> VerifyAnswer:
    return answers.verify_answer(json.dumps(value).encode())


def with_fields(**fields: Any) -> VerifyAnswer:
    return read({"result_code": 1000, "result_message": "SUCCESS", **fields})


def doubt(raw: bytes) -> str:
    with pytest.raises(InDoubt) as doubted:
        answers.verify_answer(raw)
    assert doubted.value.raw == raw
    assert doubted.value.http_status == 200
    return doubted.value.reason


def test_a_full_answer_becomes_a_value_with_the_digits_as_sent() -> None:
    answer = answers.verify_answer(FULL.encode())
    assert answer == VerifyAnswer(
        result_code=1000,
        result_message="SUCCESS",
        request_id="1700000000,c0ffee",
        biz_no="b-1",
        time_used_ms=1234,
        comparisons={
            "ref1": Comparison(
                Decimal("89.9950"),
                {
                    "1e-3": Decimal("62.1690"),
                    "1e-4": Decimal("69.315"),
                    "1e-5": Decimal("74.399"),
                    "1e-6": Decimal("78.038"),
                },
            )
        },
        attack=Attack(Decimal("0.0310"), Decimal("0.5"), is_attack=False),
        images={"image_best": JPEG},
        video_key="canary-key",
        device_level="2",
        device_tags={"is_root": 1, "is_hook": 0},
        verify_tags={"is_night": 0},
        visual_attributes={"mask": [1, 2]},
        unknown={},
        raw=FULL.encode(),
    )
    assert str(answer.comparisons["ref1"].confidence) == "89.9950"


def test_secrets_and_images_are_not_shown() -> None:
    shown = repr(answers.verify_answer(FULL.encode()))
    assert "canary" not in shown
    assert "face " not in shown


@pytest.mark.parametrize("row", contract.RESULTS, ids=lambda row: f"{row.code}-{row.message}")
def test_every_documented_result_is_an_answer(row: contract.ResultRow) -> None:
    answer = read({"result_code": row.code, "result_message": row.message})
    assert (answer.result_code, answer.result_message) == (row.code, row.message)
    assert (answer.attack, answer.comparisons, answer.images) == (None, {}, {})


def test_codes_messages_and_fields_nobody_told_us_of_are_kept() -> None:
    answer = read(
        {
            "result_code": 7777,
            "result_message": "NEW_\u202e<script>",
            "error": "odd",
            "added": [1, {"a": None}],
            "attack_result": {"score": 1, "kind": "mask"},
            "risk_info": {"device_info_level": "9", "device_info_tags": {"is_new": 2}, "more": 1},
            "verify_risk_info": {"verify_info_tags": {"x": "y"}, "level": "3"},
            "verification": {
                "ref1": {"confidence": 1, "kind": "id"},
                "ref9": {"confidence": 70},
                "note": "text",
                "odd": {"confidence": "high"},
            },
        }
    )
    assert (answer.result_code, answer.result_message) == (7777, "NEW_\u202e<script>")
    assert answer.attack == Attack(Decimal(1), None, None)
    assert answer.device_tags == {"is_new": 2}
    assert answer.verify_tags == {"x": "y"}
    assert answer.comparisons == {
        "ref1": Comparison(Decimal(1), {}),
        "ref9": Comparison(Decimal(70), {}),
    }
    assert answer.unknown == {
        "error": "odd",
        "added": [1, {"a": None}],
        "attack_result.kind": "mask",
        "risk_info.more": 1,
        "verify_risk_info.level": "3",
        "verification.ref1.kind": "id",
        "verification.note": "text",
        "verification.odd": {"confidence": "high"},
    }


def test_null_is_read_as_absent() -> None:
    names = "request_id biz_no time_used verification images attack_result risk_info video_key"
    names += " visual_attributes verify_risk_info result_message"
    nulls = dict.fromkeys(names.split())
    empty = read({"result_code": 1, **nulls})
    assert (empty.result_message, empty.attack, empty.comparisons, empty.unknown) == (
        "",
        None,
        {},
        {},
    )
    inner = with_fields(
        verification={"ref1": {"confidence": None, "thresholds": {"1e-3": None}}},
        attack_result={"score": None, "threshold": None, "result": None},
    )
    assert inner.comparisons == {"ref1": Comparison(None, {})}
    assert inner.attack == Attack(None, None, None)


@pytest.mark.parametrize(("sent", "read_as"), [(0, False), (1, True), (True, True), (False, False)])
def test_an_attack_may_be_a_number_or_a_boolean(sent: Any, read_as: bool) -> None:
    attack = with_fields(attack_result={"result": sent}).attack
    assert attack is not None
    assert attack.is_attack is read_as


@pytest.mark.parametrize(
    "fields",
    [
        {"time_used": 12.5},
        {"time_used": "12"},
        {"time_used": -1},
        {"time_used": 2**31},
        {"time_used": True},
        {"images": ["x"]},
        {"video_key": 5},
        {"visual_attributes": "x"},
        {"risk_info": 5},
        {"verify_risk_info": [1]},
    ],
)
def test_advice_of_another_type_is_kept_and_never_fatal(fields: dict[str, Any]) -> None:
    answer = with_fields(**fields)
    assert json.loads(json.dumps(answer.unknown, default=float)) == fields
    assert answer.time_used_ms is None


def test_risk_advice_of_another_type_is_kept_by_its_path() -> None:
    answer = with_fields(
        risk_info={"device_info_level": 2, "device_info_tags": ["is_root"]},
        verify_risk_info={"verify_info_tags": 1},
    )
    assert (answer.device_level, answer.device_tags, answer.verify_tags) == (None, None, None)
    assert answer.unknown == {
        "risk_info.device_info_level": 2,
        "risk_info.device_info_tags": ["is_root"],
        "verify_risk_info.verify_info_tags": 1,
    }


@pytest.mark.parametrize("image", ["not base64!", "abc", "data:image/jpeg;base64,AAAA", 5, "é"])
def test_an_image_that_is_not_base64_is_marked(image: Any) -> None:
    answer = with_fields(images={"image_best": image, "image_other": "AAAA"})
    assert answer.images == {"image_other": b"\0\0\0"}
    assert answer.unknown == {"images.image_best": answers.UNDECODABLE}


@pytest.mark.parametrize(
    "fields",
    [
        {"result_code": True},
        {"result_code": "1000"},
        {"result_code": 1000.0},
        {"result_code": None},
        {"result_code": 2**31},
        {"result_message": 5},
        {"request_id": 5},
        {"biz_no": ["x"]},
        {"verification": []},
        {"verification": {"ref1": "x"}},
        {"verification": {"ref1": {"confidence": 100.001}}},
        {"verification": {"ref1": {"confidence": -0.5}}},
        {"verification": {"ref1": {"confidence": "99"}}},
        {"verification": {"ref2": {"confidence": True}}},
        {"verification": {"idcard": {"thresholds": {"1e-3": 101}}}},
        {"verification": {"ref1": {"thresholds": [1]}}},
        {"attack_result": "x"},
        {"attack_result": {"score": 1.01}},
        {"attack_result": {"score": -1}},
        {"attack_result": {"threshold": 2}},
        {"attack_result": {"result": 2}},
        {"attack_result": {"result": 1.0}},
        {"attack_result": {"result": "true"}},
    ],
    ids=str,
)
def test_what_decides_must_fit_the_contract(fields: dict[str, Any]) -> None:
    raw = json.dumps({"result_code": 1000, "result_message": "SUCCESS", **fields}).encode()
    assert doubt(raw) == "unexpected_shape"


@pytest.mark.parametrize("raw", [b"[]", b"null", b"5", b'"x"', b"{}", b'{"error":"BAD: x"}'])
def test_json_that_is_no_answer_is_in_doubt(raw: bytes) -> None:
    assert doubt(raw) == "unexpected_shape"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        FULL.encode()[:-1],
        b'{"result_code":1000,"result_code":2000}',
        b'{"result_code":1000,"attack_result":{"score":NaN}}',
        b'{"result_code":1000,"x":' + b"[" * 50_000,
        b'{"result_code":1000,"x":"\\u0000"}',
        b'{"result_code":1000,"x":"\xff"}',
    ],
)
def test_a_body_that_is_not_strict_json_is_in_doubt(raw: bytes) -> None:
    assert doubt(raw) == "invalid_json"


def test_a_biz_token_is_read() -> None:
    raw = b'{"request_id":"r","time_used":7,"biz_token":"1700000000,c0ffee"}'
    token = answers.biz_token(raw)
    assert token == BizToken("1700000000,c0ffee", "r", 7, raw)
    assert "c0ffee" not in repr(token)


@pytest.mark.parametrize("token", [None, "", 5, "a\nb", "x" * 513])
def test_an_answer_without_a_usable_biz_token_is_in_doubt(token: Any) -> None:
    with pytest.raises(InDoubt) as doubted:
        answers.biz_token(json.dumps({"biz_token": token}).encode())
    assert doubted.value.reason == "unexpected_shape"
