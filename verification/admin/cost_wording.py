"""Calls, prices and amounts as the pages about costs show them."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from verification.admin.fragments import brief_moment, code, day, text
from verification.admin.numbers import grouped, localised
from verification.admin.pills import STATES
from verification.billing.lines import Billed, CostLine, Total
from verification.billing.prices import CallKind
from verification.lifecycle import State
from verification.models import Price

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

CALLS: Mapping[CallKind, "_StrPromise"] = MappingProxyType(
    {
        CallKind.VERIFY: gettext_lazy("Verification"),
        CallKind.BIZ_TOKEN: gettext_lazy("Token"),
    }
)
BILLED: Mapping[Billed, "_StrPromise"] = MappingProxyType(
    {
        Billed.YES: pgettext_lazy("a call", "billed"),
        Billed.NO: pgettext_lazy("a call", "not billed"),
        Billed.NOT_KNOWN: pgettext_lazy("a call", "not known"),
    }
)


def amount(value: Decimal) -> str:
    """Return an amount with all its digits."""
    return localised(f"{value:,f}")


def money(line: CostLine) -> str | None:
    """Return what a line comes to, nothing where there is no price."""
    if line.amount is None:
        return None
    return f"{amount(line.amount)} {line.currency}" if line.currency else amount(line.amount)


def result(state: State | None, result_code: int | None, message: str | None) -> SafeString:
    """Show what a call ended with: the vendor's code and message, or where the attempt is."""
    if result_code is not None:
        return code(f"{result_code} {message}" if message else str(result_code))
    return text(_(STATES[state][0]) if state else _("Issued"))


def total_row(total: Total) -> dict[str, str]:
    """Return the sums of one currency."""
    return {
        "currency": total.currency,
        "billed": amount(total.billed),
        "billed_calls": grouped(total.billed_calls),
        "unknown": amount(total.not_known) if total.not_known_calls else "",
        "unknown_calls": grouped(total.not_known_calls),
    }


def price_row(row: Price, *, holds: bool) -> dict[str, object]:
    """Return one price; `holds` is false for one that a newer one of its day corrects."""
    return {
        "call": CALLS[CallKind(row.kind)],
        "region": code(row.region) if row.region else None,
        "amount": amount(cast("Decimal", row.amount)),
        "currency": row.currency,
        "since": day(row.valid_from),
        "holds": holds,
        "by": text(row.recorded_by.get_username()),
        "when": brief_moment(row.recorded_at),
        "note": text(row.note),
    }
