"""What the commands about costs share: how a month is read, and totals in words."""

from argparse import ArgumentTypeError
from collections.abc import Iterator

from verification.billing.lines import Totals
from verification.billing.months import Month, MonthError, read_month


def month_argument(text: str) -> Month:
    """Read a month for argparse."""
    try:
        return read_month(text)
    except MonthError as error:
        raise ArgumentTypeError(str(error)) from None


def totals_told(totals: Totals) -> Iterator[str]:
    """Yield totals as sentences, one for each currency; what has no price comes last."""
    yield f"{totals.calls:,} calls, {totals.not_billed_calls:,} of them not billed"
    for each in totals.by_currency:
        yield (
            f"{each.currency}: {each.billed:,f} for {each.billed_calls:,} billed calls; "
            f"{each.not_known:,f} more if the {each.not_known_calls:,} not known are billed"
        )
    if totals.billed_without_price or totals.not_known_without_price:
        yield (
            f"No price: {totals.billed_without_price:,} billed calls, "
            f"{totals.not_known_without_price:,} not known"
        )
