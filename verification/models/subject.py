"""Reports to a person of what is held about them: that one was taken, and by whom."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _

from verification.models.client import ApiClient

SUBJECT_REPORTED = "subject.reported"
"""Kind of the log's entry about a report."""

DIGEST_BYTES = 32


class SubjectReport(models.Model):
    """That somebody took a report of a subject; of the subject there is the keyed digest only.

    No client is every client. `attempts` and `sessions` are how many the report told of.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    subject_digest = models.BinaryField()
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, null=True, related_name="+")
    attempts = models.PositiveIntegerField()
    sessions = models.PositiveIntegerField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    by_name = models.CharField(max_length=150)
    reported_at = models.DateTimeField()

    class Meta:
        """Newest first; `subject_report` opens everything about reports."""

        db_table = "verification_subject_report"
        verbose_name = _("report to a person")
        verbose_name_plural = _("reports to persons")
        ordering = ("-reported_at", "-id")
        default_permissions = ()
        permissions = (("subject_report", "Can take a report of what is held about a person"),)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="subject_report_digest", condition=Q(subject_digest__length=DIGEST_BYTES)
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="subject_report_of", fields=["subject_digest"]),
            models.Index(name="subject_report_at", fields=["-reported_at", "-id"]),
        ]

    def __str__(self) -> str:
        """Return when it was taken."""
        return f"report of {self.reported_at:%Y-%m-%d %H:%M}"


models.BinaryField.register_lookup(Length)
