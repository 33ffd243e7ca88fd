"""Reveals: who was shown which masked data, and why."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from verification.models.attempt import VerificationAttempt
from verification.models.evidence import Evidence

REVEALED = "evidence.revealed"
REVEAL_REFUSED = "evidence.reveal_refused"
"""Kinds of the log's entries about reveals."""


class Purpose(models.TextChoices):
    """Why biometric data is looked at; the reason says the rest."""

    REVIEW = "review", _("Review of the attempt")
    FRAUD = "fraud", _("Investigation of fraud")
    DISPUTE = "dispute", _("Complaint or dispute of the person")
    AUDIT = "audit", _("Audit or authority")
    SUBJECT_ACCESS = "subject_access", _("Request of the person for their data")


class Reveal(models.Model):
    """One item of evidence, shown once to one member of staff; committed before it is shown."""

    id = models.UUIDField(primary_key=True, editable=False)
    attempt = models.ForeignKey(
        VerificationAttempt, on_delete=models.PROTECT, related_name="reveals"
    )
    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="reveals")
    kind = models.CharField(max_length=80)
    officer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    officer_name = models.CharField(max_length=150)
    purpose = models.CharField(max_length=20, choices=Purpose.choices)
    reason = models.CharField(max_length=500)
    revealed_at = models.DateTimeField()

    class Meta:
        """Newest first; `reveal_evidence` is the permission that a reveal needs."""

        verbose_name = _("reveal")
        verbose_name_plural = _("reveals")
        db_table = "verification_reveal"
        ordering = ("-revealed_at", "-id")
        permissions = (("reveal_evidence", "Can reveal evidence, on record"),)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="reveal_purpose_known", condition=Q(purpose__in=Purpose.values)
            ),
            models.CheckConstraint(name="reveal_has_reason", condition=~Q(reason="")),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="reveal_by_officer", fields=["officer", "revealed_at"]),
        ]

    def __str__(self) -> str:
        """Return what was shown to whom."""
        return f"{self.kind} of {self.attempt_id} to {self.officer_name}"
