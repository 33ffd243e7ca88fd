"""From the vendor's answer bodies to frozen values.

What decides is read strictly: `result_code`, `result_message`, `request_id`, `biz_no`, scores and
thresholds with their ranges. A wrong type or range there means that the answer is not the one of
the contract: `InDoubt`. What only advises (`time_used`, images, video key, risk level, tags,
attributes) is never a reason to lose a result: a value of another type than documented is kept in
`unknown`, and so is every field that the contract does not name. Null is read as absent. Texts
are kept whole, whatever their length; the transport's cap bounds them together.
"""

import base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from verification.faceid.contract import COMPARISON_NAMES
from verification.faceid.errors import InDoubt
from verification.faceid.members import Members, ShapeError
from verification.faceid.strict_json import StrictJsonError, loads
from verification.faceid.types import Attack, BizToken, Comparison, Json, VerifyAnswer

UNDECODABLE = "undecodable"

_MAX_TOKEN_CHARS = 512
_PERCENT = 100

_T = TypeVar("_T")


def verify_answer(raw: bytes) -> VerifyAnswer:
    """Read the body of an HTTP 200 of verify.

    Raises InDoubt: `invalid_json`, or `unexpected_shape`, which an answer without a result_code
    is too, even if it has an `error`. An image that is not Base64 stands in `unknown` as
    UNDECODABLE under its path (`images.image_best`).
    """
    return _read(raw, _verify_answer)


def biz_token(raw: bytes) -> BizToken:
    """Read the body of an HTTP 200 of get_biz_token. Raises InDoubt like `verify_answer`."""
    return _read(raw, _biz_token)


def _read(raw: bytes, reader: Callable[[Members, bytes], _T]) -> _T:
    try:
        return reader(Members(loads(raw)), raw)
    except StrictJsonError:
        raise InDoubt("invalid_json", http_status=200, raw=raw) from None
    except ShapeError:
        raise InDoubt("unexpected_shape", http_status=200, raw=raw) from None


def _biz_token(top: Members, raw: bytes) -> BizToken:
    token = top.decided_text("biz_token")
    if not token or len(token) > _MAX_TOKEN_CHARS or not token.isprintable():
        raise ShapeError
    return BizToken(
        biz_token=token,
        request_id=top.decided_text("request_id"),
        time_used_ms=top.advised_time_ms("time_used"),
        raw=raw,
    )


def _verify_answer(top: Members, raw: bytes) -> VerifyAnswer:
    device_level, device_tags = _device(top)
    answer = VerifyAnswer(
        result_code=top.decided_code("result_code"),
        # 9000 is documented without a message.
        result_message=top.decided_text("result_message") or "",
        request_id=top.decided_text("request_id"),
        biz_no=top.decided_text("biz_no"),
        time_used_ms=top.advised_time_ms("time_used"),
        comparisons=_comparisons(top.decided_object("verification")),
        attack=_attack(top.decided_object("attack_result")),
        images=_images(top),
        video_key=top.advised_text("video_key"),
        device_level=device_level,
        device_tags=device_tags,
        verify_tags=_verify_tags(top),
        visual_attributes=top.advised_object("visual_attributes"),
        unknown=top.unknown,
        raw=raw,
    )
    top.keep_rest()
    return answer


def _comparisons(verification: Members | None) -> dict[str, Comparison]:
    found: dict[str, Comparison] = {}
    if verification is None:
        return found
    for name in verification.names:
        value = verification.take(name)
        if value is None:
            continue
        try:
            found[name] = _comparison(verification.inside(name, value))
        except ShapeError:
            # A name that is not documented need not be a comparison at all.
            if name in COMPARISON_NAMES:
                raise
            verification.keep(name, value)
    return found


def _comparison(reference: Members) -> Comparison:
    confidence = reference.decided_score("confidence", _PERCENT)
    given = reference.decided_object("thresholds")
    thresholds = {} if given is None else _thresholds(given)
    reference.keep_rest()
    return Comparison(confidence, thresholds)


def _thresholds(given: Members) -> dict[str, Decimal]:
    scores = {name: given.decided_score(name, _PERCENT) for name in given.names}
    return {name: score for name, score in scores.items() if score is not None}


def _attack(result: Members | None) -> Attack | None:
    if result is None:
        return None
    attack = Attack(
        score=result.decided_score("score", 1),
        threshold=result.decided_score("threshold", 1),
        # The reference says 0 or 1, its sample shows a boolean.
        is_attack=result.decided_flag("result"),
    )
    result.keep_rest()
    return attack


def _images(top: Members) -> dict[str, bytes]:
    images: dict[str, bytes] = {}
    given = top.advised_object("images") or {}
    for name, value in given.items():
        data = _decoded(value)
        if data is None:
            top.keep(f"images.{name}", UNDECODABLE)
        else:
            images[name] = data
    return images


def _decoded(value: Json) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except ValueError:
        return None


def _device(top: Members) -> tuple[str | None, Mapping[str, Json] | None]:
    risk = _advised_members(top, "risk_info")
    if risk is None:
        return None, None
    level, tags = risk.advised_text("device_info_level"), risk.advised_object("device_info_tags")
    risk.keep_rest()
    return level, tags


def _verify_tags(top: Members) -> Mapping[str, Json] | None:
    risk = _advised_members(top, "verify_risk_info")
    if risk is None:
        return None
    tags = risk.advised_object("verify_info_tags")
    risk.keep_rest()
    return tags


def _advised_members(top: Members, name: str) -> Members | None:
    value = top.advised_object(name)
    return None if value is None else top.inside(name, dict(value))
