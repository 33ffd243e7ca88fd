"""Our reading of the vendor's answers: outcome and billing, as pure tables."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from verification.faceid.contract import RESULTS


class Outcome(StrEnum):
    """What an answer says about the person, in our words."""

    VERIFIED = "verified"
    DIFFERENT_PERSON = "different_person"
    LIVENESS_FAILED = "liveness_failed"
    NOT_COMPLETED = "not_completed"
    SOURCE_FAILED = "source_failed"
    UNRECOGNISED = "unrecognised"


OUTCOMES: Mapping[int, Outcome] = MappingProxyType(
    {
        1000: Outcome.VERIFIED,
        2000: Outcome.DIFFERENT_PERSON,
        3000: Outcome.SOURCE_FAILED,
        4100: Outcome.LIVENESS_FAILED,
        4200: Outcome.NOT_COMPLETED,
    }
)


BILLED: Mapping[tuple[int, str], bool | None] = MappingProxyType(
    {(row.code, row.message): row.billed for row in RESULTS}
)


def read_outcome(result_code: int, *, is_attack: bool | None) -> Outcome:
    """Return the outcome of a result code; a code we do not know is `unrecognised`.

    With `force_compare=1` the vendor can answer 1000 (or 2000) beside a suspected attack: then
    the comparison says nothing about a live person, and the outcome is `liveness_failed`.
    """
    outcome = OUTCOMES.get(result_code, Outcome.UNRECOGNISED)
    if is_attack and outcome in {Outcome.VERIFIED, Outcome.DIFFERENT_PERSON}:
        return Outcome.LIVENESS_FAILED
    return outcome


def read_billable(result_code: int, result_message: str) -> bool | None:
    """Return whether the vendor bills this answer; None where the contract does not say."""
    return BILLED.get((result_code, result_message))
