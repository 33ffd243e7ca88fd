"""Erasures: evidence destroyed on a legal basis, by two people."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from verification.models.attempt import VerificationAttempt

ERASURE_REQUESTED = "evidence.erasure_requested"
ERASURE_REFUSED = "evidence.erasure_refused"
ERASED = "evidence.erased"
"""Kinds of the log's entries about erasures."""


class LegalBasis(models.TextChoices):
    """Why evidence must go."""

    SUBJECT_REQUEST = "subject_request", _("Request of the person (right to erasure)")
    CONSENT_WITHDRAWN = "consent_withdrawn", _("Consent withdrawn")
    RETENTION_ENDED = "retention_ended", _("Retention period ended")
    UNLAWFUL = "unlawful", _("Collected without a legal basis")
    AUTHORITY = "authority", _("Order of an authority")


class Decision(models.TextChoices):
    """What the second person said."""

    APPROVED = "approved", "approved"
    REFUSED = "refused", "refused"


class Erasure(models.Model):
    """A request to destroy the key of an attempt's evidence, decided by somebody else."""

    id = models.UUIDField(primary_key=True, editable=False)
    attempt = models.ForeignKey(
        VerificationAttempt, on_delete=models.PROTECT, related_name="erasures"
    )
    legal_basis = models.CharField(max_length=20, choices=LegalBasis.choices)
    reason = models.CharField(max_length=500)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_at = models.DateTimeField()
    decision = models.CharField(max_length=8, choices=Decision.choices, null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)

    class Meta:
        """Four eyes, in the database: nobody decides on their own request, superusers included."""

        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        db_table = "verification_erasure"
        ordering = ("-requested_at", "-id")
        permissions = (
            ("request_erasure", "Can request the erasure of evidence"),
            ("decide_erasure", "Can approve or refuse the erasure of evidence"),
        )
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="erasure_four_eyes",
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="erasure_decided_whole",
                condition=Q(decision__isnull=True, decided_by__isnull=True, decided_at__isnull=True)
                | Q(decision__isnull=False, decided_by__isnull=False, decided_at__isnull=False),
            ),
            models.CheckConstraint(
                name="erasure_basis_known", condition=Q(legal_basis__in=LegalBasis.values)
            ),
            models.CheckConstraint(
                name="erasure_decision_known",
                condition=Q(decision__isnull=True) | Q(decision__in=Decision.values),
            ),
            models.CheckConstraint(name="erasure_has_reason", condition=~Q(reason="")),
            models.UniqueConstraint(
                name="erasure_open_once", fields=["attempt"], condition=Q(decision__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        """Return whose evidence it is about."""
        return f"erasure of {self.attempt_id}"
