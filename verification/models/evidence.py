"""Evidence: images, video key and raw answer of an attempt, encrypted and erasable."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _

from verification.models.attempt import VerificationAttempt

RAW_ANSWER = "raw_answer"
LATE_ANSWER = "late_answer"
VIDEO_KEY = "video_key"


class EvidenceKey(models.Model):
    """The data key of one attempt, wrapped by the keyring; without it the evidence is gone."""

    attempt = models.OneToOneField(
        VerificationAttempt, on_delete=models.PROTECT, primary_key=True, related_name="evidence_key"
    )
    kek_id = models.CharField(max_length=32)
    sealed = models.BinaryField(null=True)
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)

    class Meta:
        """A key is there or erased, never neither; found by the key it is wrapped under."""

        verbose_name = _("evidence key")
        verbose_name_plural = _("evidence keys")
        db_table = "verification_evidence_key"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="evidence_key_or_erased",
                condition=Q(sealed__isnull=False, erased_at__isnull=True)
                | Q(sealed__isnull=True, erased_at__isnull=False),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                name="evidence_key_kek",
                fields=["kek_id", "attempt"],
                condition=Q(erased_at__isnull=True),
            ),
            # What a retention run goes through, oldest first: ids begin with their time.
            models.Index(
                name="evidence_key_live", fields=["attempt"], condition=Q(erased_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        """Return whose key it is."""
        return f"evidence key of {self.attempt_id}"


class Evidence(models.Model):
    """One sealed item. `kind` is the vendor's image name, or one of the constants above.

    `size_bytes` and `sha256` are the plaintext's; `sealed` is the vault's envelope.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    attempt = models.ForeignKey(
        VerificationAttempt, on_delete=models.PROTECT, related_name="evidence"
    )
    kind = models.CharField(max_length=80)
    size_bytes = models.PositiveIntegerField()
    sha256 = models.BinaryField()
    sealed = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        """One item of a kind per attempt; what is stored is an envelope, never plaintext."""

        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        db_table = "verification_evidence"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="evidence_kind_once", fields=["attempt", "kind"]),
            models.CheckConstraint(
                name="evidence_sha256_length",
                condition=Q(sha256__length=32),
            ),
            models.CheckConstraint(
                name="evidence_is_sealed",
                condition=Q(sealed__length=models.F("size_bytes") + 29),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Which attempts brought the very same picture.
            models.Index(
                name="evidence_image",
                fields=["sha256"],
                condition=Q(kind__startswith="image"),
            ),
        ]

    def __str__(self) -> str:
        """Return what it is and whose."""
        return f"{self.kind} of {self.attempt_id}"


models.BinaryField.register_lookup(Length)
