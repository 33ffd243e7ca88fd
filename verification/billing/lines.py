"""The line of cost of one call, or of many that are alike.

Whether a call is billed is what the vendor's contract says of its result. The contract says
nothing of refusals, of answers that were lost, of codes that it does not list, and of
get_biz_token: then it is not known, and the amount is what the call costs if it is billed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Context, Decimal, Inexact
from enum import StrEnum

from verification.billing.prices import CallKind, Price, PriceList
from verification.lifecycle import SENDABLE, State
from verification.outcomes import read_billable

NOTHING = Decimal(0)
EXACT = Context(prec=60, traps=[Inexact])
"""Adds and multiplies without rounding: what would need more digits is an error."""


class Billed(StrEnum):
    """Whether the vendor bills a call."""

    YES = "yes"
    NO = "no"
    NOT_KNOWN = "not_known"


BILLABLE = {True: Billed.YES, False: Billed.NO, None: Billed.NOT_KNOWN}


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the record tells it; `day` is the day of UTC on which it was sent.

    Of a biz_token there is no state and no result.
    """

    kind: CallKind
    region: str
    day: date
    state: State | None = None
    result_code: int | None = None
    result_message: str | None = None


@dataclass(frozen=True, slots=True)
class CostLine:
    """What `calls` calls that are alike cost.

    `amount` is that of all of them: 0 and no currency where nothing is billed, None for both where
    there is no price.
    """

    billed: Billed
    amount: Decimal | None
    currency: str | None
    calls: int = 1

    def times(self, calls: int) -> "CostLine":
        """Return the line of so many calls like this one."""
        amount = None if self.amount is None else EXACT.multiply(self.amount, Decimal(calls))
        return replace(self, amount=amount, calls=self.calls * calls)


@dataclass(frozen=True, slots=True)
class Total:
    """Sums of one currency; `not_known` is what comes on top if those calls are billed."""

    currency: str
    billed: Decimal = NOTHING
    not_known: Decimal = NOTHING
    billed_calls: int = 0
    not_known_calls: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of lines. Amounts of different currencies are never added."""

    by_currency: tuple[Total, ...]
    calls: int
    not_billed_calls: int
    billed_without_price: int
    not_known_without_price: int


def billed_of(call: Call) -> Billed:
    """Return whether the vendor bills a call."""
    if call.state in SENDABLE:
        return Billed.NO
    if call.state is not State.ANSWERED or call.result_code is None:
        return Billed.NOT_KNOWN
    return BILLABLE[read_billable(call.result_code, call.result_message or "")]


def cost_line(call: Call, prices: PriceList) -> CostLine:
    """Return the line of one call."""
    return line_at(billed_of(call), prices.price_of(call.kind, call.region, call.day))


def line_at(billed: Billed, price: Price | None) -> CostLine:
    """Return the line of one call at the price that holds."""
    if billed is Billed.NO:
        return CostLine(billed, NOTHING, None)
    if price is None:
        return CostLine(billed, None, None)
    return CostLine(billed, price.amount, price.currency)


def add_up(lines: Iterable[CostLine]) -> Totals:
    """Add lines up, currency by currency, in the order of their letters."""
    sums: dict[str, Total] = {}
    calls = not_billed = billed_bare = not_known_bare = 0
    for line in lines:
        calls += line.calls
        if line.billed is Billed.NO:
            not_billed += line.calls
        elif line.currency is not None and line.amount is not None:
            held = sums.get(line.currency, Total(line.currency))
            sums[line.currency] = _added(held, line, line.amount)
        elif line.billed is Billed.YES:
            billed_bare += line.calls
        else:
            not_known_bare += line.calls
    by_currency = tuple(sums[each] for each in sorted(sums))
    return Totals(by_currency, calls, not_billed, billed_bare, not_known_bare)


def _added(held: Total, line: CostLine, amount: Decimal) -> Total:
    if line.billed is Billed.YES:
        billed = EXACT.add(held.billed, amount)
        return replace(held, billed=billed, billed_calls=held.billed_calls + line.calls)
    not_known = EXACT.add(held.not_known, amount)
    calls = held.not_known_calls + line.calls
    return replace(held, not_known=not_known, not_known_calls=calls)
