"""Legal holds: evidence that must stay, whatever else is due."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _

from verification.models.attempt import VerificationAttempt

HOLD_PLACED = "hold.placed"
HOLD_LIFTED = "hold.lifted"
"""Kinds of the log's entries about legal holds."""

DIGEST_BYTES = 32


class LegalHold(models.Model):
    """A hold on one attempt, or on all attempts of a subject, those still to come included.

    A subject is never kept here as text. `subject_digest` is its keyed digest, by which we find
    it again; the database has no key to compute it. So `subject_check` is the SHA-256 of that
    digest and the text behind it: with both, the guard of the keys can tell of an attempt, whose
    row has its subject, whether the hold covers it.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    attempt = models.ForeignKey(
        VerificationAttempt, on_delete=models.PROTECT, null=True, related_name="holds"
    )
    subject_digest = models.BinaryField(null=True)
    subject_check = models.BinaryField(null=True)
    reason = models.CharField(max_length=500)
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    placed_at = models.DateTimeField()
    lift_reason = models.CharField(max_length=500, null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        """Four eyes, in the database: nobody lifts their own hold, superusers included."""

        db_table = "verification_legal_hold"
        verbose_name = _("legal hold")
        verbose_name_plural = _("legal holds")
        ordering = ("-placed_at", "-id")
        default_permissions = ()
        permissions = (("hold_evidence", "Can place and lift legal holds"),)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="hold_four_eyes",
                condition=Q(lifted_by__isnull=True) | ~Q(lifted_by=F("placed_by")),
            ),
            models.CheckConstraint(
                name="hold_on_one",
                condition=Q(
                    attempt__isnull=False, subject_digest__isnull=True, subject_check__isnull=True
                )
                | Q(
                    attempt__isnull=True,
                    subject_digest__length=DIGEST_BYTES,
                    subject_check__length=DIGEST_BYTES,
                ),
            ),
            models.CheckConstraint(
                name="hold_lifted_whole",
                condition=Q(
                    lifted_by__isnull=True, lifted_at__isnull=True, lift_reason__isnull=True
                )
                | Q(lifted_by__isnull=False, lifted_at__isnull=False, lift_reason__isnull=False),
            ),
            models.CheckConstraint(
                name="hold_has_reason", condition=~Q(reason="") & ~Q(lift_reason="")
            ),
            models.UniqueConstraint(
                name="hold_open_once_attempt", fields=["attempt"], condition=Q(lifted_at=None)
            ),
            models.UniqueConstraint(
                name="hold_open_once_subject",
                fields=["subject_digest"],
                condition=Q(lifted_at=None),
            ),
        ]

    def __str__(self) -> str:
        """Return what it covers."""
        return f"hold on {self.attempt_id or 'a subject'}"


models.BinaryField.register_lookup(Length)
