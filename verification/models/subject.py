"""What persons ask of us: a report of what is held about them, and its erasure."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _

from verification.models.attempt import VerificationAttempt
from verification.models.client import ApiClient
from verification.models.erasure import Decision, Erasure, LegalBasis
from verification.models.retention import RetentionRule, RetentionRun

SUBJECT_REPORTED = "subject.reported"
SUBJECT_ERASURE_REQUESTED = "subject.erasure_requested"
SUBJECT_ERASURE_APPROVED = "subject.erasure_approved"
SUBJECT_ERASURE_REFUSED = "subject.erasure_refused"
SUBJECT_ERASED = "subject.erased"
RECORD_ERASED = "record.erased"
"""Kinds of the log's entries about what persons ask."""

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


class ItemOutcome(models.TextChoices):
    """What came of the evidence of one attempt."""

    ERASED = "erased", _("erased")
    HELD = "held", _("kept: legal hold")
    GONE = "gone", _("was erased before")
    NOTHING = "nothing", _("no evidence was kept")


class SubjectErasure(models.Model):
    """A request to destroy the keys of all evidence of a person, decided by somebody else.

    Of the person there is the keyed digest only; what the request is about are its items, fixed
    when it is made. `finished_at` is when each of them had its outcome.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    subject_digest = models.BinaryField()
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, null=True, related_name="+")
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
    finished_at = models.DateTimeField(null=True)

    class Meta:
        """Four eyes, in the database; one open request for a subject and client."""

        db_table = "verification_subject_erasure"
        verbose_name = _("erasure for a person")
        verbose_name_plural = _("erasures for persons")
        ordering = ("-requested_at", "-id")
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="subject_erasure_digest", condition=Q(subject_digest__length=DIGEST_BYTES)
            ),
            models.CheckConstraint(
                name="subject_erasure_four_eyes",
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="subject_erasure_decided_whole",
                condition=Q(decision__isnull=True, decided_by__isnull=True, decided_at__isnull=True)
                | Q(decision__isnull=False, decided_by__isnull=False, decided_at__isnull=False),
            ),
            models.CheckConstraint(
                name="subject_erasure_known",
                condition=Q(legal_basis__in=LegalBasis.values)
                & (Q(decision__isnull=True) | Q(decision__in=Decision.values)),
            ),
            models.CheckConstraint(
                name="subject_erasure_finished_approved",
                condition=Q(finished_at__isnull=True) | Q(decision="approved"),
            ),
            models.CheckConstraint(name="subject_erasure_has_reason", condition=~Q(reason="")),
            models.UniqueConstraint(
                name="subject_erasure_open_once",
                fields=["subject_digest", "client"],
                condition=Q(decision__isnull=True),
                nulls_distinct=False,
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                name="subject_erasure_to_do",
                fields=["requested_at", "id"],
                condition=Q(decision="approved", finished_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        """Return which request it is."""
        return f"erasure {self.pk}"


class SubjectErasureItem(models.Model):
    """One attempt that a request is about, and what came of its evidence; written once.

    `evidence_erasure` is the erasure of the attempt by which its key was destroyed.
    """

    erasure = models.ForeignKey(SubjectErasure, on_delete=models.PROTECT, related_name="items")
    attempt = models.ForeignKey(VerificationAttempt, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=7, choices=ItemOutcome.choices, null=True)
    done_at = models.DateTimeField(null=True)
    evidence_erasure = models.OneToOneField(
        Erasure, on_delete=models.PROTECT, null=True, related_name="subject_item"
    )

    class Meta:
        """Each attempt once a request."""

        db_table = "verification_subject_erasure_item"
        verbose_name = _("attempt of an erasure for a person")
        verbose_name_plural = _("attempts of an erasure for a person")
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="subject_item_once", fields=["erasure", "attempt"]),
            models.CheckConstraint(
                name="subject_item_whole",
                condition=Q(
                    outcome__isnull=True, done_at__isnull=True, evidence_erasure__isnull=True
                )
                | Q(outcome="erased", done_at__isnull=False, evidence_erasure__isnull=False)
                | Q(
                    outcome__in=["held", "gone", "nothing"],
                    done_at__isnull=False,
                    evidence_erasure__isnull=True,
                ),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                name="subject_item_to_do",
                fields=["erasure", "attempt"],
                condition=Q(outcome__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        """Return which attempt it is."""
        return f"{self.attempt_id}: {self.outcome or 'to do'}"


class RecordErasure(models.Model):
    """The texts of an attempt's record were erased: by which rule, for a request or in a run.

    What told of the person is gone for ever from the rows of the attempt, its sessions, its former
    states and its notes. The database refuses it before the rule for records has run out.
    """

    attempt = models.OneToOneField(
        VerificationAttempt,
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="erased_record",
    )
    request = models.ForeignKey(
        SubjectErasure, on_delete=models.PROTECT, null=True, related_name="records"
    )
    run = models.ForeignKey(
        RetentionRun, on_delete=models.PROTECT, null=True, related_name="records"
    )
    rule = models.ForeignKey(RetentionRule, on_delete=models.PROTECT, related_name="+")
    erased_at = models.DateTimeField()

    class Meta:
        """Once for each attempt."""

        db_table = "verification_record_erasure"
        verbose_name = _("erased record")
        verbose_name_plural = _("erased records")
        default_permissions = ()
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="record_erased_at", fields=["-erased_at"]),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="record_erased_once_agreed",
                condition=Q(request__isnull=False, run__isnull=True)
                | Q(request__isnull=True, run__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        """Return whose record it was."""
        return f"erased record of {self.attempt_id}"


models.BinaryField.register_lookup(Length)
