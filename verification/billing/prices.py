"""A price list with dates: which price holds for a call of a day."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from verification.errors import VerificationError

MOST = Decimal(1_000_000_000)
AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class PriceError(VerificationError):
    """The text is not an amount or a currency."""


class CallKind(StrEnum):
    """What the vendor is asked for."""

    VERIFY = "verify"
    BIZ_TOKEN = "biz_token"  # noqa: S105 - the name of a call


@dataclass(frozen=True, slots=True)
class Price:
    """What one billed call costs from a day of UTC on; `region` None is every region.

    `amount` is at least 0, below MOST, with at most six decimals.
    """

    kind: CallKind
    region: str | None
    valid_from: date
    amount: Decimal
    currency: str


Key = tuple[CallKind, str | None]


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices by kind and region, each in the order of their days."""

    prices: Mapping[Key, tuple[Price, ...]]

    def price_of(self, kind: CallKind, region: str, day: date) -> Price | None:
        """Return the price that holds, None if there is none.

        A price of the region goes before one of every region, whichever began later.
        """
        for key in ((kind, region), (kind, None)):
            held = [each for each in self.prices.get(key, ()) if each.valid_from <= day]
            if held:
                return held[-1]
        return None

    def changes_between(self, first: date, last: date) -> tuple[date, ...]:
        """Return the days after `first`, before `last`, on which some price begins, in order."""
        days = {each.valid_from for held in self.prices.values() for each in held}
        return tuple(sorted(each for each in days if first < each < last))


def price_list(recorded: Iterable[Price]) -> PriceList:
    """Make a list of prices in the order in which they were recorded.

    Of several for the same kind, region and day the last one holds: it corrects the others.
    """
    newest = {(each.kind, each.region, each.valid_from): each for each in recorded}
    held: dict[Key, list[Price]] = {}
    for each in sorted(newest.values(), key=lambda price: price.valid_from):
        held.setdefault((each.kind, each.region), []).append(each)
    return PriceList(MappingProxyType({key: tuple(prices) for key, prices in held.items()}))


def read_amount(text: str) -> Decimal:
    """Read an amount as it is written, `0.0850`; PriceError for anything else."""
    if AMOUNT.fullmatch(text) is None:
        raise PriceError(f"{text[:40]!r} is no amount such as 0.085")
    return Decimal(text)


def read_currency(text: str) -> str:
    """Read a currency by its three letters of ISO 4217; PriceError for anything else."""
    if CURRENCY.fullmatch(text) is None:
        raise PriceError(f"{text[:40]!r} is no currency such as USD")
    return text
