"""Set what calls cost: each price is a new row, and an entry of the log.

The database checks again who may, and lets nobody change a row (migration 0025).
"""

from datetime import date

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.utils.translation import gettext_noop as _

from verification.billing.prices import CallKind, PriceError, read_amount, read_currency
from verification.faceid.contract import REGIONS
from verification.identifiers import uuid7
from verification.models import Price
from verification.services.errors import BadPriceError
from verification.services.price_entries import price_entry
from verification.services.reasons import check_permission, read_reason
from verification.services.runtime import Runtime
from verification.services.staging import stage

PRICED_REGIONS = (*REGIONS, "sandbox")
EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)


def set_price(
    *,
    kind: str,
    region: str | None,
    amount: str,
    currency: str,
    valid_from: str,
    note: str,
    by: AbstractUser,
    runtime: Runtime,
) -> Price:
    """Record what a billed call costs from a day of UTC on, until a later price begins.

    A price for the same call, region and day takes the place of the one before, which stays on
    record. `region` None is every region. Texts are as people type them; repeating adds a row.
    Raises NotPermittedError, BadReasonError for the note, BadPriceError for anything else.
    """
    check_permission(by, "set_price")
    row = Price(
        kind=_kind(kind).value,
        region=_region(region),
        valid_from=_day(valid_from),
        recorded_by_id=by.pk,
        note=read_reason(note),
    )
    try:
        row.amount, row.currency = read_amount(amount), read_currency(currency)
    except PriceError as error:
        raise BadPriceError(
            _("Give an amount such as 0.085, at most six decimals, and a currency such as USD.")
        ) from error
    with transaction.atomic():
        _wait_for_others()
        row.recorded_at = runtime.now()
        row.id = uuid7(row.recorded_at)
        row.save(force_insert=True)
        stage([price_entry(row, by=by.get_username())])
    return row


def _wait_for_others() -> None:
    """Let a price that is set at the same moment be the older one, as the database demands."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('verification.price', 0))")


def _kind(text: str) -> CallKind:
    try:
        return CallKind(text)
    except ValueError:
        raise BadPriceError(_("Choose which call the price is of.")) from None


def _region(text: str | None) -> str | None:
    if text is not None and text not in PRICED_REGIONS:
        raise BadPriceError(_("Choose a region, or every region."))
    return text


def _day(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text or not EARLIEST <= found <= LATEST:
        raise BadPriceError(_("Give the first day as 2026-11-01."))
    return found
