"""Translate the vendor's answer, or its absence, into columns and evidence. No effects."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

from verification.faceid.contract import COMPARISON_NAMES, THRESHOLD_NAMES
from verification.faceid.errors import FaceIdError, InDoubt, NotProcessed, NotSent, Rejected
from verification.faceid.types import Comparison, VerifyAnswer
from verification.lifecycle import State
from verification.models.attempt import threshold_column
from verification.models.evidence import LATE_ANSWER, RAW_ANSWER, VIDEO_KEY
from verification.outcomes import read_billable, read_outcome
from verification.services.entries import group_texts

INT32 = range(-(2**31), 2**31)
INT63 = range(2**63)
RESERVED_KINDS = frozenset({RAW_ANSWER, LATE_ANSWER, VIDEO_KEY})
MAX_KIND = 80
MAX_IMAGES = 100
MAX_UNKNOWN_CHARS = 65_536
HTTP_OK = 200

Columns = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What settles an attempt: its next state, columns to set, plaintext to seal by kind."""

    state: State
    columns: Columns
    evidence: Mapping[str, bytes] = field(repr=False)

    def texts(self) -> dict[str, str | None]:
        """Return what its entry commits to, beside the evidence."""
        request_id = self.columns.get("request_id")
        return {
            "request_id": None if request_id is None else str(request_id),
            **group_texts(self.columns),
        }


def settlement_of_answer(answer: VerifyAnswer) -> Settlement:
    """Settle as `answered`; figures outside our columns make it `in_doubt`, raw answer kept."""
    if answer.result_code not in INT32:
        refused = {"http_status": HTTP_OK, "error_code": "result_code_out_of_range"}
        return Settlement(State.IN_DOUBT, refused, _raw(answer.raw))
    is_attack = answer.attack.is_attack if answer.attack else None
    columns = {
        "http_status": HTTP_OK,
        "request_id": visible(answer.request_id, 200),
        "time_used_ms": _within(answer.time_used_ms, INT63),
        "result_code": answer.result_code,
        "result_message": visible(answer.result_message, 1000),
        "outcome": read_outcome(answer.result_code, is_attack=is_attack).value,
        "billable": read_billable(answer.result_code, answer.result_message),
        "is_attack": is_attack,
        "attack_score": answer.attack.score if answer.attack else None,
        "attack_threshold": answer.attack.threshold if answer.attack else None,
        "device_level": visible(answer.device_level, 100),
        "device_tags": _visible_json(answer.device_tags),
        "verify_tags": _visible_json(answer.verify_tags),
        "visual_attributes": _visible_json(answer.visual_attributes),
        "unknown_fields": _unknown(answer),
        **_scores(answer.comparisons),
    }
    return Settlement(State.ANSWERED, columns, dict(_evidence(answer)))


def settlement_of_error(error: FaceIdError) -> Settlement:
    """Settle a call that brought no answer, by what the vendor can have seen."""
    match error:
        case NotSent() | NotProcessed():
            return Settlement(State.NOT_SENT, _error_columns(error), {})
        case Rejected():
            return Settlement(State.REJECTED, _error_columns(error), _raw(error.raw))
        case InDoubt():
            columns = {**_error_columns(error), "error_code": error.reason}
            return Settlement(State.IN_DOUBT, columns, _raw(error.raw))
        case _:
            raise AssertionError(f"not a kind of FaceIdError: {type(error).__name__}")


def settlement_of_unread(answer: VerifyAnswer) -> Settlement:
    """Settle as `in_doubt` an answer that we failed to read; its bytes are kept."""
    columns = {"http_status": HTTP_OK, "error_code": "answer_not_read"}
    return Settlement(State.IN_DOUBT, columns, _raw(answer.raw))


def settlement_of_unstorable(settlement: Settlement) -> Settlement:
    """Settle as `in_doubt` an answer that the database refused; everything sealed is kept."""
    status = settlement.columns.get("http_status")
    columns = {"http_status": status, "error_code": "answer_not_storable"}
    return Settlement(State.IN_DOUBT, columns, settlement.evidence)


def visible(text: str | None, limit: int) -> str | None:
    """Return text of outside as it may be stored and shown: bounded, control characters named.

    Control, format and surrogate characters (line breaks, ANSI escapes, bidi overrides) become
    `\\u....`; a cut is marked by an ellipsis. The exact text stays in the sealed raw answer.
    """
    if text is None:
        return None
    shown = "".join(_named(each) for each in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _named(character: str) -> str:
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return f"\\u{ord(character):04x}" if hidden else character


def _visible_json(value: object) -> object:
    """Apply `visible` to every text inside a JSON value, names included."""
    match value:
        case str():
            return visible(value, 1000)
        case Mapping():
            return {visible(str(key), 200): _visible_json(each) for key, each in value.items()}
        case list() | tuple():
            return [_visible_json(each) for each in value]
        case _:
            return value


def _within(value: int | None, span: range) -> int | None:
    return value if value is not None and value in span else None


def _scores(comparisons: Mapping[str, Comparison]) -> dict[str, Decimal | None]:
    """Return the score columns of the references the contract names."""
    columns: dict[str, Decimal | None] = {}
    for reference in COMPARISON_NAMES:
        if comparison := comparisons.get(reference):
            columns[f"{reference}_confidence"] = comparison.confidence
            for rate in THRESHOLD_NAMES:
                columns[threshold_column(reference, rate)] = comparison.thresholds.get(rate)
    return columns


def _unknown(answer: VerifyAnswer) -> object:
    """Return what the contract does not name: kept while small, the raw answer has it all."""
    unknown: dict[str, object] = dict(answer.unknown)
    for name, comparison in answer.comparisons.items():
        thresholds = comparison.thresholds
        if name not in COMPARISON_NAMES:
            unknown[f"verification.{name}.confidence"] = comparison.confidence
        extra = {
            r: v
            for r, v in thresholds.items()
            if name not in COMPARISON_NAMES or r not in THRESHOLD_NAMES
        }
        if extra:
            unknown[f"verification.{name}.thresholds"] = extra
    shown = _visible_json(unknown)
    return (shown or None) if len(repr(shown)) <= MAX_UNKNOWN_CHARS else {"…": "too large"}


def _evidence(answer: VerifyAnswer) -> Iterator[tuple[str, bytes]]:
    """Yield kind and plaintext of everything to seal; an image keeps the vendor's name.

    An image that is named like a kind of ours stays in the raw answer only, and so do those
    beyond MAX_IMAGES: each binds parameters of one statement, of which PostgreSQL takes 65,535.
    """
    yield RAW_ANSWER, answer.raw
    if answer.video_key:
        yield VIDEO_KEY, answer.video_key.encode()
    for name, image in islice(answer.images.items(), MAX_IMAGES):
        kind = visible(name, MAX_KIND)
        if kind and kind not in RESERVED_KINDS:
            yield kind, image


def _raw(raw: bytes | None) -> dict[str, bytes]:
    return {RAW_ANSWER: raw} if raw else {}


def _error_columns(error: FaceIdError) -> Columns:
    return {
        "http_status": error.http_status,
        "request_id": visible(error.request_id, 200),
        "error_code": visible(error.code or error.reason, 200),
        "error_argument": visible(error.argument, 1000),
    }
