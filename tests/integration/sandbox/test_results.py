"""What verify answers: every row of the contract's table, and what each option adds."""

import base64
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.sandbox.speaking import PHOTO, Speaker
from verification.faceid.contract import (
    BIZ_TOKEN_PATH,
    DEVICE_TAGS,
    RESULTS,
    THRESHOLD_NAMES,
    ResultRow,
)
from verification.sandbox.answers import FACE, HOSTILE
from verification.sandbox.scenarios import FRIENDLY, ROWS, SCENARIOS

ALL_ON = {"verbose": "1", "device_risk": "1", "verify_risk_detect": "1"}
WITH_RESULT = [each for each in SCENARIOS.values() if isinstance(each.row, ResultRow)]


def answer(speaker: Speaker, scenario: str, **options: str) -> Any:
    said = speaker.verify(speaker.token(f"sandbox:{scenario}", **options))
    assert (said.status, said.headers["Content-Type"]) == (200, "application/json;charset=utf-8")
    return said.json


@pytest.mark.parametrize("row", RESULTS, ids=lambda row: f"{row.code}-{row.message}")
def test_every_row_of_the_result_table_has_a_scenario_that_answers_it(
    row: ResultRow, speaker: Speaker
) -> None:
    name = next(each.name for each in ROWS if each.row == row)
    read = speaker.read(speaker.token(f"sandbox:{name}", **ALL_ON))
    assert (read.result_code, read.result_message) == (row.code, row.message)
    assert (read.biz_no, read.unknown) == (f"sandbox:{name}", {})


@pytest.mark.parametrize("scenario", WITH_RESULT, ids=lambda each: each.name)
def test_an_answer_has_the_fields_that_the_contract_gives_its_code(
    scenario: Any, speaker: Speaker
) -> None:
    told = answer(speaker, scenario.name, **ALL_ON)
    assert told["result_code"] == scenario.row.code
    assert ("verification" in told) == (scenario.row.code in {1000, 2000})
    assert ("attack_result" in told) == (scenario.row.code != 4200)
    assert base64.b64decode(told["images"]["image_best"], validate=True) == FACE
    assert type(told["time_used"]) is int
    assert set(told) >= {"request_id", "biz_no", "video_key", "risk_info", "visual_attributes"}
    assert "error" not in told


@pytest.mark.parametrize("scenario", FRIENDLY, ids=lambda each: each.name)
def test_every_friendly_name_plays_the_row_it_names(scenario: Any, speaker: Speaker) -> None:
    said = speaker.verify(speaker.token(f"ONB-1 sandbox:{scenario.name}"))
    if isinstance(scenario.row, ResultRow):
        assert said.json["result_code"] == scenario.row.code
    else:
        assert said.error == f"{scenario.row.http_status} {scenario.row.code}"


def test_options_that_are_off_leave_their_fields_out(speaker: Speaker) -> None:
    told = answer(speaker, "success", verbose="0", device_risk="0")
    assert told["risk_info"] is None
    assert set(told) == {
        *("request_id", "biz_no", "time_used", "result_code", "result_message"),
        *("images", "video_key", "risk_info", "attack_result"),
    }


def test_verbose_compares_with_each_reference_against_thresholds_of_its_own(
    speaker: Speaker,
) -> None:
    one = answer(speaker, "success", verbose="1")["verification"]
    assert set(one) == {"ref1"}
    thresholds = list(one["ref1"]["thresholds"].values())
    assert tuple(one["ref1"]["thresholds"]) == THRESHOLD_NAMES
    assert thresholds == sorted(thresholds)
    assert max(thresholds) < one["ref1"]["confidence"] <= 100
    other = answer(speaker, "success", verbose="1", uuid="somebody-else")["verification"]
    assert other["ref1"]["thresholds"] != one["ref1"]["thresholds"]


def test_a_second_reference_is_compared_too_and_is_below_them_for_somebody_else(
    speaker: Speaker,
) -> None:
    texts = {
        "liveness_type": "still",
        "comparison_type": "0",
        "uuid": "p",
        "biz_no": "sandbox:different-person",
        "verbose": "1",
    }
    photos = {"image_ref1": PHOTO, "image_ref2": b"\x89PNG\r\n\x1a\n"}
    token = speaker.form(BIZ_TOKEN_PATH, speaker.signed(texts), photos).json["biz_token"]
    compared = speaker.verify(token).json["verification"]
    assert set(compared) == {"ref1", "ref2"}
    for each in compared.values():
        assert 0 <= each["confidence"] < min(each["thresholds"].values())


@pytest.mark.parametrize(
    ("scenario", "is_attack"), [("success", False), ("attack", True), ("device-risk", False)]
)
def test_the_attack_result_is_a_boolean_on_its_side_of_the_threshold(
    scenario: str, is_attack: bool, speaker: Speaker
) -> None:
    attack = answer(speaker, scenario)["attack_result"]
    assert attack["result"] is is_attack
    assert (attack["score"] > attack["threshold"]) is is_attack
    assert 0 <= attack["score"] <= 1


def test_an_attack_can_be_told_as_an_integer(speaker: Speaker) -> None:
    flag = answer(speaker, "attack-integer")["attack_result"]["result"]
    assert (type(flag), flag) == (int, 1)


def test_a_forced_comparison_answers_1000_beside_an_attack(speaker: Speaker) -> None:
    told = answer(speaker, "attack", force_compare="1", verbose="1")
    assert (told["result_code"], told["result_message"]) == (1000, "SUCCESS")
    assert told["attack_result"]["result"] is True
    assert "ref1" in told["verification"]


@pytest.mark.parametrize(
    ("scenario", "tags"),
    [
        ("success", set()),
        ("device-risk", {"is_root", "is_hook", "is_injection"}),
        ("risk-tags", {"is_root", "is_virtual_environment"}),
    ],
)
def test_device_risk_tags_each_name_with_0_or_1(
    scenario: str, tags: set[str], speaker: Speaker
) -> None:
    risk = answer(speaker, scenario, device_risk="1")["risk_info"]
    assert risk["device_info_level"] == "2"
    assert risk["device_info_tags"] == {name: int(name in tags) for name in DEVICE_TAGS}


@pytest.mark.parametrize(("scenario", "tag"), [("success", 0), ("risk-tags", 1)])
def test_verify_risk_detect_adds_names_that_are_plainly_the_sandboxs(
    scenario: str, tag: int, speaker: Speaker
) -> None:
    told = answer(speaker, scenario, verify_risk_detect="1")
    assert told["verify_risk_info"] == {"verify_info_tags": {"sandbox_tag": tag}}
    assert told["visual_attributes"] == {"sandbox_blur": 0.125, "sandbox_glasses": tag}


def test_the_same_biz_no_and_uuid_get_the_same_figures_and_others_get_others(
    speaker: Speaker,
) -> None:
    def figures(biz_no: str, uuid: str) -> list[Decimal | int | None]:
        read = speaker.read(speaker.token(biz_no, uuid=uuid, verbose="1"))
        assert read.attack is not None
        ref1 = read.comparisons["ref1"]
        scores = [ref1.confidence, read.attack.score, *ref1.thresholds.values()]
        return [*scores, read.time_used_ms]

    first = figures("ONB-1", "a")
    assert figures("ONB-1", "a") == first
    assert figures("ONB-2", "a") != first
    assert figures("ONB-1", "b") != first


def test_without_a_biz_no_an_empty_one_is_echoed(speaker: Speaker) -> None:
    assert speaker.verify(speaker.token()).json["biz_no"] == ""


def test_hostile_strings_reach_whoever_reads_them(speaker: Speaker) -> None:
    read = speaker.read(speaker.token("sandbox:hostile-strings", **ALL_ON))
    assert read.result_message == read.request_id == read.device_level == HOSTILE
    assert read.device_tags == {HOSTILE: 1}
    assert read.visual_attributes == read.verify_tags == {HOSTILE: HOSTILE}
    assert read.unknown == {HOSTILE: HOSTILE}


def test_unknown_fields_and_images_are_sent(speaker: Speaker) -> None:
    read = speaker.read(speaker.token("sandbox:unknown-fields"))
    assert read.images["image_new"] == FACE
    assert set(read.unknown) == {"brand_new"}
