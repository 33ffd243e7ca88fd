"""Every row of the vendor's result table has its outcome and its price."""

import pytest

from verification.faceid.contract import RESULTS, ResultRow
from verification.outcomes import OUTCOMES, Outcome, read_billable, read_outcome

DOCUMENTED = {
    1000: Outcome.VERIFIED,
    2000: Outcome.DIFFERENT_PERSON,
    3000: Outcome.SOURCE_FAILED,
    4100: Outcome.LIVENESS_FAILED,
    4200: Outcome.NOT_COMPLETED,
    9000: Outcome.UNRECOGNISED,
}


@pytest.mark.parametrize("row", RESULTS, ids=lambda row: f"{row.code}-{row.message}")
def test_a_documented_row_is_read_as_documented(row: ResultRow) -> None:
    assert read_outcome(row.code, is_attack=None) is DOCUMENTED[row.code]
    assert read_billable(row.code, row.message) is row.billed


@pytest.mark.parametrize("code", [1000, 2000])
def test_a_comparison_beside_an_attack_is_no_proof_of_life(code: int) -> None:
    assert read_outcome(code, is_attack=True) is Outcome.LIVENESS_FAILED
    assert read_outcome(code, is_attack=False) is OUTCOMES[code]


@pytest.mark.parametrize("code", [0, -1, 1001, 5000, 9000, 2**31])
def test_an_unknown_code_is_unrecognised_even_beside_an_attack(code: int) -> None:
    assert read_outcome(code, is_attack=True) is Outcome.UNRECOGNISED
    assert read_billable(code, "SUCCESS") is None


def test_only_code_1000_without_an_attack_is_verified() -> None:
    verified = {
        (code, attack)
        for code in range(-10, 10_001)
        for attack in (None, False, True)
        if read_outcome(code, is_attack=attack) is Outcome.VERIFIED
    }
    assert verified == {(1000, None), (1000, False)}


def test_an_undocumented_message_has_no_known_price() -> None:
    assert read_billable(4100, "SOMETHING_NEW") is None
