"""Sessions: the biz_tokens issued before attempts."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from verification.models.client import ApiClient
from verification.models.fields import ExactJSONField


class VerificationSession(models.Model):
    """A biz_token issued by the vendor for a client, with the options frozen into it.

    The token is a credential: only its keyed digest is kept.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="sessions")
    region = models.CharField(max_length=16)
    token_digest = models.BinaryField()
    biz_no = models.CharField(max_length=128, blank=True)
    subject = models.CharField(max_length=128, blank=True)
    liveness_type = models.CharField(max_length=32)
    options = ExactJSONField()
    request_id = models.CharField(max_length=200, null=True)
    time_used_ms = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        """Found by token digest; listed by time."""

        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        db_table = "verification_session"
        ordering = ("-created_at", "-id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # The digest leads: whose session a token is of is asked by the token alone.
            models.UniqueConstraint(name="session_token_once", fields=["token_digest", "client"]),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="session_created", fields=["created_at", "id"]),
            models.Index(name="session_biz_no", fields=["biz_no"]),
            # What is held about a person.
            models.Index(name="session_subject", fields=["subject"]),
        ]

    def __str__(self) -> str:
        """Return the business number, or the id where none was given."""
        return self.biz_no or str(self.id)
