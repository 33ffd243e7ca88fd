"""A thousand kinds of attempt, as they come, each judged by the policy in force."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from verification.lifecycle import State
from verification.selectors.policies import policy_in_force
from verification.services.judging import Basis, Opening, judgement_columns, opening_of

KINDS = 1000
OPENED_AT = datetime(2025, 1, 1, tzinfo=UTC)
THRESHOLDS = tuple(map(Decimal, ("62.169", "69.315", "74.399", "78.038")))
TAGS = {"is_root": 0, "is_hook": 0, "is_injection": 0, "is_virtual_environment": 0}
NEAR, RAISED = range(9), range(10, 18)
ATTACK = 4100

ENDINGS = (
    (890, State.ANSWERED, "verified", 1000, "SUCCESS"),
    (930, State.ANSWERED, "different_person", 2000, "PASS_LIVING_NOT_THE_SAME"),
    (960, State.ANSWERED, "liveness_failed", ATTACK, "FAIL_LIVING_FACE_ATTACK"),
    (987, State.ANSWERED, "not_completed", 4200, "USER_CANCELLATION"),
    (990, State.ANSWERED, "source_failed", 3000, "DATA_SOURCE_ERROR"),
    (996, State.REJECTED, None, None, None),
    (KINDS, State.IN_DOUBT, None, None, None),
)
"""Up to which kind, and how such attempts end."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the attempts of a kind have in common; `confidence` lacks up to 1 that they differ by.

    `opening` is the review that such an attempt asks for.
    """

    number: int
    state: State
    outcome: str | None
    result_code: int | None
    result_message: str | None
    is_attack: bool | None
    confidence: int | None
    device_tags: dict[str, int] | None
    verdict: str
    reasons: list[str]
    opening: Opening | None


def kinds() -> Iterator[Kind]:
    """Yield every kind. Nine of ten are of the person they should be."""
    found = policy_in_force()
    assert found is not None  # a migrated database has one
    basis = Basis(found.version, found.policy, 0, 0)
    for number in range(KINDS):
        _, state, outcome, code, message = next(each for each in ENDINGS if number < each[0])
        is_attack = None if code is None else code == ATTACK
        tags = None if code is None else {**TAGS, "is_root": int(number in RAISED)}
        confidence = _confidence(number, outcome)
        facts = {
            "outcome": outcome,
            "result_code": code,
            "is_attack": is_attack,
            "device_tags": tags,
            **({} if confidence is None else _compared(confidence)),
        }
        judged = judgement_columns(state, facts, basis)
        yield Kind(
            number=number,
            state=state,
            outcome=outcome,
            result_code=code,
            result_message=message,
            is_attack=is_attack,
            confidence=confidence,
            device_tags=tags,
            verdict=judged["verdict"],
            reasons=judged["reasons"],
            opening=opening_of(judged, basis, OPENED_AT),
        )


def _confidence(number: int, outcome: str | None) -> int | None:
    match outcome:
        case "verified":
            return 70 if number in NEAR else 72 + number % 27
        case "different_person":
            return 20 + number % 39
        case _:
            return None


def _compared(confidence: int) -> dict[str, Decimal]:
    names = (f"ref1_threshold_1e{each}" for each in (3, 4, 5, 6))
    return {"ref1_confidence": Decimal(confidence), **dict(zip(names, THRESHOLDS, strict=True))}
