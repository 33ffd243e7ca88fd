"""Prices of calls to the vendor: an append-only list with dates."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Round
from django.utils.translation import gettext_lazy as _

from verification.billing.prices import MOST, CallKind
from verification.models.fields import ExactDecimalField

PRICE_SET = "price.set"
RECONCILED = "billing.reconciled"
"""Kinds of the log's entries about prices, and about a bill that was held against the record."""


class Price(models.Model):
    """What one billed call costs from a day of UTC on.

    A correction is a newer row for the same call, region and day: the newest one holds. No region
    is every region. The database refuses any change of a row.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    kind = models.CharField(max_length=9, choices=[(each.value, each.value) for each in CallKind])
    region = models.CharField(max_length=16, null=True)
    amount = ExactDecimalField()
    currency = models.CharField(max_length=3)
    valid_from = models.DateField()
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField()
    note = models.CharField(max_length=500)

    class Meta:
        """The constraints are the last belt under the service."""

        db_table = "verification_price"
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ("recorded_at", "id")
        default_permissions = ()
        permissions = (
            ("set_price", "Can set what a call costs"),
            ("view_costs", "Can see prices and what calls cost"),
        )
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="price_kind_known", condition=Q(kind__in=[each.value for each in CallKind])
            ),
            # NaN sorts above every number, so the upper end refuses it.
            models.CheckConstraint(
                name="price_amount_exact",
                condition=Q(amount__gte=0, amount__lt=MOST, amount=Round("amount", precision=6)),
            ),
            models.CheckConstraint(
                name="price_currency_letters", condition=Q(currency__regex=r"^[A-Z]{3}$")
            ),
            models.CheckConstraint(name="price_region_named", condition=~Q(region="")),
            models.CheckConstraint(name="price_has_note", condition=~Q(note="")),
        ]

    def __str__(self) -> str:
        """Return what costs how much from when on."""
        return f"{self.kind} {self.amount} {self.currency} from {self.valid_from}"
