"""Which price holds: by kind, region and day, corrections included."""

from datetime import date
from decimal import Decimal

import pytest

from verification.billing.prices import (
    CallKind,
    Price,
    PriceError,
    price_list,
    read_amount,
    read_currency,
)

JAN, MAR, JUN = date(2026, 1, 1), date(2026, 3, 15), date(2026, 6, 1)


def price(
    amount: str, since: date = JAN, region: str | None = None, kind: CallKind = CallKind.VERIFY
) -> Price:
    return Price(kind, region, since, Decimal(amount), "USD")


def test_without_a_price_nothing_is_known() -> None:
    assert price_list([]).price_of(CallKind.VERIFY, "sgp", MAR) is None


def test_a_price_holds_from_its_day_on_and_no_day_before() -> None:
    prices = price_list([price("0.1"), price("0.2", MAR)])
    for day, amount in ((date(2026, 3, 14), "0.1"), (MAR, "0.2"), (JUN, "0.2")):
        held = prices.price_of(CallKind.VERIFY, "sgp", day)
        assert held is not None
        assert held.amount == Decimal(amount)
    assert prices.price_of(CallKind.VERIFY, "sgp", date(2025, 12, 31)) is None


def test_the_order_of_recording_decides_among_equals_and_nothing_else() -> None:
    held = price_list([price("0.3", MAR), price("0.1"), price("0.2", MAR)])
    assert held.price_of(CallKind.VERIFY, "sgp", JUN) == price("0.2", MAR)
    assert held.price_of(CallKind.VERIFY, "sgp", JAN) == price("0.1")


def test_a_price_recorded_late_for_an_early_day_leaves_the_later_one() -> None:
    held = price_list([price("0.2", MAR), price("0.1", JAN)])
    assert held.price_of(CallKind.VERIFY, "sgp", JUN) == price("0.2", MAR)


def test_a_region_goes_before_every_region_whichever_is_newer() -> None:
    held = price_list([price("0.1", JAN, "idn"), price("0.2", MAR)])
    assert held.price_of(CallKind.VERIFY, "idn", JUN) == price("0.1", JAN, "idn")
    assert held.price_of(CallKind.VERIFY, "sgp", JUN) == price("0.2", MAR)
    assert held.price_of(CallKind.VERIFY, "sgp", JAN) is None


def test_kinds_do_not_mix() -> None:
    held = price_list([price("0.1", kind=CallKind.BIZ_TOKEN)])
    assert held.price_of(CallKind.VERIFY, "sgp", JUN) is None


def test_the_days_on_which_prices_change_are_told() -> None:
    held = price_list([price("1"), price("2", MAR), price("3", MAR, "idn"), price("4", JUN)])
    assert held.changes_between(JAN, JUN) == (MAR,)
    assert held.changes_between(MAR, date(2026, 6, 2)) == (JUN,)


@pytest.mark.parametrize("text", ["0", "0.0850", "999999999.999999"])
def test_an_amount_keeps_its_digits(text: str) -> None:
    assert str(read_amount(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "1,5",
        "1e3",
        "NaN",
        "Infinity",
        "0.0000001",
        "1000000000",
        " 1",
        "1.",
        ".5",
        "\uff11",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(PriceError):
        read_amount(text)


@pytest.mark.parametrize("text", ["", "usd", "US", "USDT", "U$D", "\uff35SD", "USD\n"])
def test_what_is_no_currency_is_refused(text: str) -> None:
    with pytest.raises(PriceError):
        read_currency(text)
    assert read_currency("USD") == "USD"
