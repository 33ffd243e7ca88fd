"""What a call costs, and that sums are those of their lines, to the last digit."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, Inexact
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.billing.lines import Billed, Call, CostLine, Totals, add_up, billed_of, cost_line
from verification.billing.prices import CallKind, Price, PriceList, price_list
from verification.faceid.contract import RESULTS, ResultRow
from verification.lifecycle import State

DAY = date(2026, 11, 10)
PRICE = Price(CallKind.VERIFY, None, date(2026, 1, 1), Decimal("0.0850"), "USD")
PRICES = price_list([PRICE])


def answered(code: int, message: str) -> Call:
    return Call(CallKind.VERIFY, "sgp", DAY, State.ANSWERED, code, message)


@pytest.mark.parametrize("row", RESULTS, ids=lambda row: f"{row.code}-{row.message}")
def test_a_documented_result_is_billed_as_documented(row: ResultRow) -> None:
    said = {True: Billed.YES, False: Billed.NO, None: Billed.NOT_KNOWN}[row.billed]
    assert billed_of(answered(row.code, row.message)) is said


def test_a_forced_comparison_beside_an_attack_is_billed() -> None:
    """The contract bills the comparison; the answer is 1000 or 2000, whatever the attack says."""
    line = cost_line(answered(1000, "SUCCESS"), PRICES)
    assert line == CostLine(Billed.YES, Decimal("0.0850"), "USD")


def test_an_attack_that_was_not_compared_is_not_billed() -> None:
    line = cost_line(answered(4100, "FAIL_LIVING_FACE_ATTACK"), PRICES)
    assert line == CostLine(Billed.NO, Decimal(0), None)


@pytest.mark.parametrize(
    "call",
    [
        answered(7321, "SOMETHING_NEW"),
        answered(1000, "success"),
        answered(4100, ""),
        *(
            Call(CallKind.VERIFY, "sgp", DAY, state)
            for state in (State.SENDING, State.REJECTED, State.IN_DOUBT, State.CLOSED)
        ),
        Call(CallKind.VERIFY, "sgp", DAY, State.ANSWERED),
    ],
)
def test_what_no_document_says_is_not_known(call: Call) -> None:
    assert cost_line(call, PRICES) == CostLine(Billed.NOT_KNOWN, Decimal("0.0850"), "USD")


def test_of_a_biz_token_it_is_not_known_whatever_it_costs() -> None:
    call = Call(CallKind.BIZ_TOKEN, "sgp", DAY)
    assert cost_line(call, PRICES) == CostLine(Billed.NOT_KNOWN, None, None)


@pytest.mark.parametrize("state", [State.ACCEPTED, State.NOT_SENT])
def test_what_was_not_sent_costs_nothing_even_without_a_price(state: State) -> None:
    call = Call(CallKind.VERIFY, "sgp", DAY, state)
    assert cost_line(call, price_list([])) == CostLine(Billed.NO, Decimal(0), None)


def test_a_new_price_changes_no_call_of_before() -> None:
    later = replace(PRICE, valid_from=DAY, amount=Decimal("0.09"), currency="SGD")
    prices = price_list([PRICE, later])
    before = replace(answered(1000, "SUCCESS"), day=DAY - timedelta(days=1))
    assert cost_line(before, prices) == CostLine(Billed.YES, Decimal("0.0850"), "USD")
    assert cost_line(replace(before, day=DAY), prices).currency == "SGD"


def test_currencies_are_never_added() -> None:
    lines = [
        CostLine(Billed.YES, Decimal("0.1"), "USD"),
        CostLine(Billed.YES, Decimal("0.2"), "SGD", calls=2),
        CostLine(Billed.NOT_KNOWN, Decimal("0.4"), "USD"),
        CostLine(Billed.YES, None, None),
        CostLine(Billed.NOT_KNOWN, None, None),
        CostLine(Billed.NO, Decimal(0), None),
    ]
    found = add_up(lines)
    assert [(each.currency, each.billed, each.not_known) for each in found.by_currency] == [
        ("SGD", Decimal("0.2"), Decimal(0)),
        ("USD", Decimal("0.1"), Decimal("0.4")),
    ]
    assert (found.calls, found.not_billed_calls) == (7, 1)
    assert (found.billed_without_price, found.not_known_without_price) == (1, 1)


def test_what_would_be_rounded_is_an_error() -> None:
    with pytest.raises(Inexact):
        CostLine(Billed.YES, Decimal("1." + "1" * 59), "USD").times(11)


CALLS = st.builds(
    Call,
    kind=st.sampled_from(CallKind),
    region=st.sampled_from(["sgp", "idn"]),
    day=st.dates(date(2026, 10, 1), date(2026, 12, 31)),
    state=st.sampled_from([None, *State]),
    result_code=st.sampled_from([None, 1000, 2000, 4100, 9000, 7321]),
    result_message=st.sampled_from([None, "SUCCESS", "PASS_LIVING_NOT_THE_SAME", "x"]),
)
LISTS = st.lists(
    st.builds(
        Price,
        kind=st.sampled_from(CallKind),
        region=st.sampled_from([None, "sgp", "idn"]),
        valid_from=st.dates(date(2026, 9, 1), date(2026, 12, 31)),
        amount=st.decimals(0, 999_999_999, places=6),
        currency=st.sampled_from(["USD", "SGD", "IDR"]),
    ),
    max_size=8,
).map(price_list)


def _sums(found: Totals) -> dict[str, tuple[Fraction, Fraction]]:
    return {
        each.currency: (Fraction(each.billed), Fraction(each.not_known))
        for each in found.by_currency
    }


@given(st.lists(CALLS, max_size=60), LISTS)
def test_the_sum_of_lines_is_that_of_their_fractions(
    calls: Sequence[Call], prices: PriceList
) -> None:
    lines = [cost_line(each, prices) for each in calls]
    found = add_up(lines)
    told: dict[str, tuple[Fraction, Fraction]] = {}
    for line in lines:
        if line.currency is not None and line.amount is not None:
            billed, unknown = told.get(line.currency, (Fraction(0), Fraction(0)))
            amount = Fraction(line.amount)
            is_billed = line.billed is Billed.YES
            told[line.currency] = (
                billed + amount * is_billed,
                unknown + amount * (not is_billed),
            )
    assert _sums(found) == told
    assert found.calls == len(calls)


@given(st.lists(st.tuples(CALLS, st.integers(1, 3)), max_size=20), LISTS)
def test_calls_that_are_alike_sum_to_the_same_as_one_by_one(
    groups: Sequence[tuple[Call, int]], prices: PriceList
) -> None:
    together = add_up(cost_line(call, prices).times(number) for call, number in groups)
    singly = add_up(cost_line(call, prices) for call, number in groups for _ in range(number))
    assert together == singly
