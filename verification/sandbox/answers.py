"""Bodies of the sandbox's answers: the contract's shapes, filled with reproducible figures."""

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from verification.faceid.contract import DEVICE_TAGS, THRESHOLD_NAMES, ResultRow
from verification.sandbox.tokens import Issued

FACE: Final = (Path(__file__).parent / "face.jpg").read_bytes()
FACE_BASE64: Final = base64.b64encode(FACE).decode()
BASE_THRESHOLDS: Final = (62.169, 69.315, 74.399, 78.038)
ATTACK_THRESHOLD: Final = 0.5
HOSTILE: Final = (
    "<script>alert(1)</script>\r\n\x1b[31mred\u202egnp.exe =cmd|' /C calc'!A0 javascript:alert(1)"
)
WITH_ATTACK: Final = {(4100, "FAIL_LIVING_FACE_ATTACK")}
COMPARED: Final = range(1000, 3000)
ABSENT_SERIES: Final = 4200


class Figures:
    """Numbers that look drawn by chance and are the same for the same biz_no and uuid."""

    def __init__(self, *seed: str) -> None:
        self._digest = hashlib.sha256("\0".join(seed).encode()).digest()

    def between(self, place: int, low: float, high: float) -> float:
        """Return the figure at one of 8 places, rounded to three digits."""
        word = int.from_bytes(self._digest[4 * place : 4 * place + 4], "big")
        return round(low + (high - low) * word / 2**32, 3)


def request_id(now: float) -> str:
    """Return a serial number of a call, `"<unix seconds>,<uuid4>"`."""
    return f"{int(now)},{uuid.uuid4()}"


def result(issued: Issued, row: ResultRow, now: float) -> dict[str, Any]:
    """Return a verify answer for one row of the contract, by the token's options."""
    options = issued.options
    figures = Figures(issued.biz_no, options.get("uuid", ""))
    attacked = (row.code, row.message) in WITH_ATTACK
    forced = attacked and options.get("force_compare") == "1"
    code, message = (1000, "SUCCESS") if forced else (row.code, row.message)
    answer: dict[str, Any] = {
        "request_id": request_id(now),
        "biz_no": issued.biz_no,
        "time_used": int(figures.between(0, 400, 1400)),
        "result_code": code,
        "result_message": message,
        "images": {"image_best": FACE_BASE64},
        "video_key": hashlib.sha256(issued.token.encode()).hexdigest()[:32],
        "risk_info": _risk_info(issued, row),
    }
    if code in COMPARED and options.get("verbose") == "1":
        answer["verification"] = _verification(figures, issued, code)
    if code != ABSENT_SERIES:
        answer["attack_result"] = _attack(figures, attacked=attacked)
    if issued.asked.scenario.name == "attack-integer":
        # The vendor's table says an integer where its sample shows a boolean.
        answer["attack_result"]["result"] = int(attacked)
    if options.get("verify_risk_detect") == "1":
        answer |= _verify_risk(issued)
    return answer


def hostile(issued: Issued, row: ResultRow, now: float) -> dict[str, Any]:
    """Return an answer whose every text is an attack on whoever shows it."""
    answer = result(issued, row, now)
    answer["result_message"] = HOSTILE
    answer["request_id"] = HOSTILE
    answer["risk_info"] = {"device_info_level": HOSTILE, "device_info_tags": {HOSTILE: 1}}
    answer["visual_attributes"] = {HOSTILE: HOSTILE}
    answer["verify_risk_info"] = {"verify_info_tags": {HOSTILE: HOSTILE}}
    answer[HOSTILE] = HOSTILE
    return answer


def with_unknown_fields(issued: Issued, row: ResultRow, now: float) -> dict[str, Any]:
    """Return an answer with an image and a field that no document names."""
    answer = result(issued, row, now)
    answer["images"]["image_new"] = FACE_BASE64
    answer["brand_new"] = {"a": [1, 2.50, None]}
    return answer


def error(code: str, argument: str | None, now: float) -> dict[str, Any]:
    """Return an error body as the vendor's samples write it."""
    text = code if argument is None else f"{code}: {argument}"
    return {"request_id": request_id(now), "time_used": 1, "error": text}


def token(issued: Issued, now: float) -> dict[str, Any]:
    """Return an answer of get_biz_token."""
    return {"request_id": request_id(now), "time_used": 120, "biz_token": issued.token}


def encode(body: Mapping[str, Any]) -> bytes:
    """Write a body as the vendor does: JSON, UTF-8."""
    return json.dumps(body, ensure_ascii=False).encode()


def _verification(figures: Figures, issued: Issued, code: int) -> dict[str, Any]:
    """Compare with each reference; thresholds differ a little from call to call."""
    jitter = figures.between(1, -0.5, 0.5)
    thresholds = {
        name: round(base + jitter, 3)
        for name, base in zip(THRESHOLD_NAMES, BASE_THRESHOLDS, strict=True)
    }
    same = code == 1000  # noqa: PLR2004  the contract's code
    low, high = (80.0, 97.0) if same else (18.0, 55.0)
    compared = {"ref1": {"confidence": figures.between(2, low, high), "thresholds": thresholds}}
    if "image_ref2" in issued.options:
        second = figures.between(3, low, high)
        compared["ref2"] = {"confidence": second, "thresholds": thresholds}
    return compared


def _attack(figures: Figures, *, attacked: bool) -> dict[str, Any]:
    score = figures.between(4, 0.71, 0.99) if attacked else figures.between(4, 0.001, 0.12)
    return {"score": score, "threshold": ATTACK_THRESHOLD, "result": attacked}


def _risk_info(issued: Issued, row: ResultRow) -> dict[str, Any] | None:
    """Return the device's risk, if the detection was turned on; null otherwise."""
    if issued.options.get("device_risk") != "1":
        return None
    set_tags: set[str] = set()
    if row.message == "DEVICE_RISK":
        set_tags = {"is_root", "is_hook", "is_injection"}
    elif issued.asked.scenario.name == "risk-tags":
        set_tags = {"is_root", "is_virtual_environment"}
    tags = {name: int(name in set_tags) for name in DEVICE_TAGS}
    # The scale is not documented; "2" is the only level that the documents show.
    return {"device_info_level": "2", "device_info_tags": tags}


def _verify_risk(issued: Issued) -> dict[str, Any]:
    """Names here are the sandbox's own: the contract documents none."""
    is_set = int(issued.asked.scenario.name == "risk-tags")
    return {
        "visual_attributes": {"sandbox_blur": 0.125, "sandbox_glasses": is_set},
        "verify_risk_info": {"verify_info_tags": {"sandbox_tag": is_set}},
    }
