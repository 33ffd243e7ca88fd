"""What records said before they changed, so that an export can be repeated as of then."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class PastRow(models.Model):
    """What an attempt or its review said until a change; a trigger writes it (migration 0024).

    Of an attempt that is sent again or leaves doubt: `send_no` is that of its settlement until
    then. Of a review: `step` is the one that changed it. `said` holds columns by their names, as
    `to_jsonb` writes them. Rows of one attempt rise by `id` in the order of the changes.
    """

    id = models.BigAutoField(primary_key=True)
    attempt_id = models.UUIDField()
    send_no = models.PositiveIntegerField(null=True)
    step_id = models.UUIDField(null=True)
    said = models.JSONField()

    class Meta:
        """Found by attempt."""

        db_table = "verification_past"
        verbose_name = _("former state")
        verbose_name_plural = _("former states")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="past_of_attempt", fields=["attempt_id", "id"]),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="past_of_one",
                condition=Q(send_no__isnull=False, step_id__isnull=True)
                | Q(send_no__isnull=True, step_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        """Return whose it is."""
        return f"former state {self.pk} of {self.attempt_id}"
