"""The price list as it was recorded."""

from decimal import Decimal
from typing import cast

from verification.billing import prices
from verification.billing.prices import CallKind, PriceList, price_list
from verification.models import Price


def recorded_prices() -> PriceList:
    """Return all prices, corrections taken into account."""
    return price_list(
        prices.Price(
            CallKind(each.kind),
            each.region,
            each.valid_from,
            cast("Decimal", each.amount),
            each.currency,
        )
        for each in Price.objects.order_by("recorded_at", "id")
    )


def prices_as_recorded(limit: int) -> list[tuple[Price, bool]]:
    """Return the newest rows and whether each one still holds for its day, newest first.

    A row does not hold any more when a newer one for the same call, region and day corrects it.
    """
    seen: set[tuple[object, ...]] = set()
    found = []
    rows = Price.objects.select_related("recorded_by").order_by("-recorded_at", "-id")
    for row in rows[:limit]:
        key = (row.kind, row.region, row.valid_from)
        found.append((row, key not in seen))
        seen.add(key)
    return found
