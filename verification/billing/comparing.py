"""One call of ours held against one line of the vendor's bill."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from verification.billing.bills import BillLine
from verification.billing.lines import Billed, CostLine


class Finding(StrEnum):
    """What does not fit."""

    ONLY_OURS = "only_ours"
    ONLY_THEIRS = "only_theirs"
    TWICE = "twice"
    OTHER_MONTH = "other_month"
    BILLED = "billed"
    BILLED_NOT_KNOWN = "billed_not_known"
    AMOUNT = "amount"
    CURRENCY = "currency"
    NO_PRICE = "no_price"
    CODE = "code"
    WITHOUT_ID = "without_id"


NOTED = frozenset({Finding.WITHOUT_ID})
"""Findings that are no difference: listed, because people can look for them by other means."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the file says of each call: `currency` is that of its amounts.

    `lists_billed_only`: each line is a billed call, and what is not billed has none.
    """

    has_amount: bool = False
    has_code: bool = False
    currency: str | None = None
    lists_billed_only: bool = False


def compare(
    ours: CostLine, our_code: int | None, theirs: BillLine, terms: Terms
) -> tuple[Finding, ...]:
    """Return what differs; nothing where they agree as far as the file tells."""
    found = []
    is_billed = _is_billed(theirs, terms)
    if is_billed is not None and (different := _billed(ours.billed, is_billed=is_billed)):
        found.append(different)
    if terms.has_amount and theirs.amount is not None:
        found += _amount(ours, theirs.amount, terms, is_billed=is_billed)
    if terms.has_code and theirs.code != our_code:
        found.append(Finding.CODE)
    return tuple(found)


def is_missed(ours: CostLine, terms: Terms, *, was_sent: bool, has_id: bool) -> Finding | None:
    """Return what it means that a call of ours is not in the file, None if it need not be.

    Without a request id nobody can tell whether the file lists it.
    """
    if not was_sent or (terms.lists_billed_only and ours.billed is Billed.NO):
        return None
    if not has_id:
        return Finding.WITHOUT_ID
    if terms.lists_billed_only and ours.billed is Billed.NOT_KNOWN:
        return None
    return Finding.ONLY_OURS


def _is_billed(theirs: BillLine, terms: Terms) -> bool | None:
    return True if terms.lists_billed_only else theirs.billed


def _billed(ours: Billed, *, is_billed: bool) -> Finding | None:
    """What we do not know agrees with what is not billed: nobody pays for it."""
    if ours is Billed.NOT_KNOWN:
        return Finding.BILLED_NOT_KNOWN if is_billed else None
    return None if is_billed == (ours is Billed.YES) else Finding.BILLED


def _amount(
    ours: CostLine, amount: Decimal, terms: Terms, *, is_billed: bool | None
) -> list[Finding]:
    if ours.billed is Billed.NO:
        return [Finding.AMOUNT] if amount else []
    if ours.billed is Billed.NOT_KNOWN and not amount:
        return []
    found = []
    if ours.billed is Billed.NOT_KNOWN and is_billed is None:
        found.append(Finding.BILLED_NOT_KNOWN)
    if ours.amount is None:
        return [*found, Finding.NO_PRICE]
    if ours.currency != terms.currency:
        return [*found, Finding.CURRENCY]
    return [*found, Finding.AMOUNT] if amount != ours.amount else found
