"""Exports that staff take, and requests for large ones, which a second person decides."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from verification.models.reveal import Purpose

EXPORT_REQUESTED = "export.requested"
EXPORT_APPROVED = "export.approved"
EXPORT_REFUSED = "export.refused"
EXPORT_WITHDRAWN = "export.withdrawn"
EXPORT_ENDED = "export.ended"
EXPORT_COMPLETED = "export.completed"
EXPORT_TAKEN = "export.taken"
EXPORT_DELIVERED = "export.delivered"
"""Kinds of the log's entries about exports, beside `export.created`."""

LARGE_EXPORT = 10_000
"""More attempts than these a day leave with one person only if a second one agrees."""


class Repeats(models.TextChoices):
    """How often a scheduled export is made, each time of the period that has just ended."""

    DAILY = "daily", _("every day")
    WEEKLY = "weekly", _("every week")
    MONTHLY = "monthly", _("every month")


class ExportDecision(models.TextChoices):
    """What came of a request."""

    APPROVED = "approved", pgettext_lazy("a request", "approved")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("withdrawn")


class ExportRequest(models.Model):
    """A request to take a large export, and what came of it.

    `filters` is what `staff_exports.write_filter` makes of a list's filter. `rows` were counted
    when it was asked for, and no further than some number beyond LARGE_EXPORT. `form` is what
    `export_shape.write_shape` makes; unmasked ones name a `purpose`. What `repeats` is made for
    each period until `expires_at`, or until somebody ends it. `place` is one of EXPORT_PLACES.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    filters = models.JSONField()
    form = models.JSONField(default=dict)
    purpose = models.CharField(max_length=20, choices=Purpose.choices, null=True)
    repeats = models.CharField(max_length=7, choices=Repeats.choices, null=True)
    place = models.CharField(max_length=50, null=True)
    rows = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_at = models.DateTimeField()
    decision = models.CharField(max_length=9, choices=ExportDecision.choices, null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Four eyes, in the database."""

        db_table = "verification_export_request"
        verbose_name = _("request for an export")
        verbose_name_plural = _("requests for exports")
        ordering = ("-requested_at", "-id")
        permissions = (
            ("export_attempts", "Can export attempts, and ask for large exports"),
            ("decide_export", "Can approve or refuse large exports"),
        )
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="export_four_eyes",
                condition=Q(decided_by__isnull=True)
                | Q(decision="withdrawn", decided_by=F("requested_by"))
                | (~Q(decision="withdrawn") & ~Q(decided_by=F("requested_by"))),
            ),
            models.CheckConstraint(
                name="export_decided_whole",
                condition=Q(decision__isnull=True, decided_by__isnull=True, decided_at__isnull=True)
                | Q(
                    decision__in=ExportDecision.values,
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="export_approved_expires",
                condition=Q(decision="approved", expires_at__gt=F("decided_at"))
                | Q(expires_at__isnull=True) & (Q(decision__isnull=True) | ~Q(decision="approved")),
            ),
            models.CheckConstraint(name="export_has_reason", condition=~Q(reason="")),
            models.CheckConstraint(
                name="export_repeats_known",
                condition=Q(repeats__isnull=True) | Q(repeats__in=Repeats.values),
            ),
            models.CheckConstraint(
                name="export_unmasked_has_purpose",
                condition=Q(form__is_masked=True)
                | Q(form__is_masked__isnull=True)
                | Q(purpose__in=Purpose.values),
            ),
            models.CheckConstraint(
                name="export_ends_by_somebody",
                condition=Q(ended_at__isnull=True, ended_by__isnull=True)
                | Q(ended_at__isnull=False, ended_by__isnull=False, repeats__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        """Return which request it is."""
        return f"request for an export {self.pk}"


class Export(models.Model):
    """An export that a person took in the admin; its entry is `export.created`.

    `rows` are those of its request for a large one, else counted as it was taken; `filters` hold
    a digest where the list was narrowed by a text about a person.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    filters = models.JSONField()
    form = models.JSONField(default=dict)
    rows = models.PositiveIntegerField()
    is_large = models.BooleanField()
    request = models.ForeignKey(
        ExportRequest, on_delete=models.PROTECT, null=True, related_name="exports"
    )

    class Meta:
        """Large ones stand on a request."""

        db_table = "verification_export"
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ("-at", "-id")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="export_by_at", fields=["by", "at"]),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="export_large_has_request",
                condition=Q(is_large=False) | Q(request__isnull=False),
            ),
            models.CheckConstraint(
                name="export_small_is_small",
                condition=Q(is_large=True) | Q(rows__lte=LARGE_EXPORT),
            ),
        ]

    def __str__(self) -> str:
        """Return which export it is."""
        return f"export {self.pk}"
