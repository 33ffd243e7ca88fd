"""The lines that a reader sees: one for each attempt, aligned."""

from collections.abc import Iterator, Mapping
from typing import Any

from project.up.flows import Sent

COLUMNS = (
    ("biz_no", 44),
    ("request_id", 47),
    ("code", 4),
    ("message", 26),
    ("outcome", 16),
    ("scores", 42),
    ("risk tags", 0),
)
NOTHING = "-"
Json = Mapping[str, Any]


def heading() -> str:
    """Return the line above the attempts."""
    return _row([name for name, _ in COLUMNS])


def lines(sent: Sent) -> Iterator[str]:
    """Yield a line for each answer to a sample; a replay says so."""
    for answer in sent.answers:
        attempt = answer.body
        if "state" not in attempt:
            yield _row([sent.biz_no, NOTHING, str(answer.status), str(attempt.get("code"))])
            continue
        end = " (replayed, not sent again)" if answer.is_replay else ""
        yield _row(_cells(sent.biz_no, attempt)) + end


def _cells(biz_no: str, attempt: Json) -> list[str]:
    return [
        biz_no,
        _text(attempt["request_id"]),
        _text(attempt["result_code"]),
        _message(attempt),
        _text(attempt["outcome"] or attempt["state"]),
        _scores(attempt),
        _tags(attempt),
    ]


def _message(attempt: Json) -> str:
    error = attempt["error"]
    if attempt["result_message"] is not None or not error:
        return _text(attempt["result_message"])
    return ":".join(str(part) for part in (error["code"], error["argument"]) if part)


def _scores(attempt: Json) -> str:
    parts = [
        f"{name} {_text(each['confidence'])} of {_text((each['thresholds'] or {}).get('1e-4'))}"
        for name, each in (attempt["comparisons"] or {}).items()
    ]
    if attack := attempt["attack"]:
        parts.append(f"attack {_text(attack['score'])} of {_text(attack['threshold'])}")
    return ", ".join(parts) or NOTHING


def _tags(attempt: Json) -> str:
    return ", ".join(raised_tags(attempt)) or NOTHING


def raised_tags(attempt: Json) -> list[str]:
    """Return the names of the risk tags that are set, device's first."""
    risk = attempt["risk"] or {}
    groups = (risk.get("device_tags") or {}, risk.get("verify_tags") or {})
    return [name for tags in groups for name, value in tags.items() if value not in (0, "0", False)]


def _text(value: object) -> str:
    return NOTHING if value is None or value == "" else str(value)


def _row(cells: list[str]) -> str:
    padded = [f"{cell:<{width}}" for cell, (_, width) in zip(cells, COLUMNS, strict=False)]
    return "  ".join(padded).rstrip()
