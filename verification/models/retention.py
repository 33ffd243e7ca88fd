"""How long data stays: rules, runs that let what is due expire, and each key that expired."""

from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from verification.models.attempt import VerificationAttempt

RULE_SET = "retention.rule_set"
RUN_REQUESTED = "retention.run_requested"
RUN_APPROVED = "retention.run_approved"
RUN_REFUSED = "retention.run_refused"
RUN_ENDED = "retention.run_ended"
EXPIRED = "evidence.expired"
"""Kinds of the log's entries about retention."""

LEAST_RECORD_DAYS = 1_826
"""Five years, one of them a leap year."""
MOST_DAYS = 36_525


class Kept(models.TextChoices):
    """What a rule is about."""

    EVIDENCE = "evidence", _("evidence")
    RECORD = "record", _("records")


BUILT_IN = (
    (UUID("01900000-0000-7000-8000-000000000001"), Kept.EVIDENCE, 90),
    (UUID("01900000-0000-7000-8000-000000000002"), Kept.RECORD, LEAST_RECORD_DAYS),
)
"""The rules that come with the installation, as migration 0030 writes them: id, what, days."""
BUILT_IN_NOTE = "The rule that came with the installation."


class RunState(models.TextChoices):
    """How far a run is."""

    ASKED = "asked", _("waits for a decision")
    REFUSED = "refused", _("refused")
    APPROVED = "approved", _("waits for the worker")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    CANCELLED = "cancelled", _("cancelled")
    FAILED = "failed", _("failed")


RUN_ENDS = (RunState.REFUSED, RunState.DONE, RunState.CANCELLED, RunState.FAILED)
WORKING = (RunState.APPROVED, RunState.RUNNING)


class RetentionRule(models.Model):
    """How many days evidence of a kind and region, or a record of a region, is kept.

    No kind is every kind, no region every region. The newest row for the same kind and region
    holds; of those that apply the more particular one wins: kind and region, kind, region, all.
    The database refuses any change of a row.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    what = models.CharField(max_length=8, choices=Kept.choices)
    kind = models.CharField(max_length=80, null=True)
    region = models.CharField(max_length=16, null=True)
    days = models.PositiveIntegerField()
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    recorded_at = models.DateTimeField()
    note = models.CharField(max_length=500)

    class Meta:
        """The constraints are the last belt under the service."""

        db_table = "verification_retention_rule"
        verbose_name = _("retention rule")
        verbose_name_plural = _("retention rules")
        ordering = ("recorded_at", "id")
        default_permissions = ()
        permissions = (("set_retention", "Can set how long data is kept"),)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="retention_what_known", condition=Q(what__in=["evidence", "record"])
            ),
            models.CheckConstraint(
                name="retention_days_in_range",
                condition=Q(what="evidence", days__gte=1, days__lte=MOST_DAYS)
                | Q(what="record", days__gte=LEAST_RECORD_DAYS, days__lte=MOST_DAYS),
            ),
            models.CheckConstraint(
                name="retention_record_has_no_kind",
                condition=Q(what="evidence") | Q(kind__isnull=True),
            ),
            models.CheckConstraint(
                name="retention_rule_named", condition=~Q(kind="") & ~Q(region="")
            ),
            models.CheckConstraint(name="retention_rule_has_note", condition=~Q(note="")),
        ]

    def __str__(self) -> str:
        """Return what is kept how long."""
        return f"{self.what} {self.kind or 'all'} {self.region or 'all'}: {self.days} days"


class RetentionRun(models.Model):
    """Evidence, or records, due when somebody asked: approved by another, gone by the worker.

    `preview` holds the figures as they stood when it was asked for. The worker goes from the
    oldest attempt to the newest; `position_id` is the last one it has read, `seen` how many of
    them were due, `expired`, `held` and `doubtful` what became of those.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    what = models.CharField(max_length=8, choices=Kept.choices, default=Kept.EVIDENCE)
    state = models.CharField(max_length=9, choices=RunState.choices)
    preview = models.JSONField()
    reason = models.CharField(max_length=500)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    finished_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    seen = models.PositiveBigIntegerField(default=0)
    expired = models.PositiveBigIntegerField(default=0)
    held = models.PositiveBigIntegerField(default=0)
    doubtful = models.PositiveBigIntegerField(default=0)
    position_id = models.UUIDField(null=True)

    class Meta:
        """Four eyes, in the database: nobody approves their own run, superusers included."""

        db_table = "verification_retention_run"
        verbose_name = _("retention run")
        verbose_name_plural = _("retention runs")
        ordering = ("-asked_at", "-id")
        default_permissions = ()
        permissions = (
            ("view_retention", "Can see rules, runs and legal holds"),
            ("request_purge", "Can ask for a retention run"),
            ("decide_purge", "Can approve or refuse a retention run"),
        )
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="retention_run_four_eyes",
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("asked_by")),
            ),
            models.CheckConstraint(
                name="retention_run_what_known", condition=Q(what__in=["evidence", "record"])
            ),
            models.CheckConstraint(
                name="retention_run_state_known",
                condition=Q(state__in=[each.value for each in RunState]),
            ),
            models.CheckConstraint(
                name="retention_run_decided_whole",
                condition=Q(
                    state__in=["asked", "cancelled"],
                    decided_by__isnull=True,
                    decided_at__isnull=True,
                )
                | (~Q(state="asked") & Q(decided_by__isnull=False, decided_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="retention_run_finished_has_time",
                condition=Q(state__in=["asked", "approved", "running"], finished_at__isnull=True)
                | (~Q(state__in=["asked", "approved", "running"]) & Q(finished_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="retention_run_counts",
                condition=Q(seen=F("expired") + F("held") + F("doubtful")),
            ),
            models.CheckConstraint(name="retention_run_has_reason", condition=~Q(reason="")),
            # One at a time: its preview is of what no other run is about to destroy.
            models.UniqueConstraint(
                name="retention_run_open_once",
                fields=["finished_at"],
                condition=Q(finished_at=None),
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        """Return when it was asked for."""
        return f"run of {self.asked_at:%Y-%m-%d %H:%M}"


class Expiry(models.Model):
    """A key that was destroyed because its time was over: by which run, and by which rule."""

    attempt = models.OneToOneField(
        VerificationAttempt, on_delete=models.PROTECT, primary_key=True, related_name="expiry"
    )
    run = models.ForeignKey(RetentionRun, on_delete=models.PROTECT, related_name="expiries")
    rule = models.ForeignKey(RetentionRule, on_delete=models.PROTECT, related_name="+")
    expired_at = models.DateTimeField()

    class Meta:
        """Each attempt's key expires once."""

        db_table = "verification_expiry"
        verbose_name = _("expiry of evidence")
        verbose_name_plural = _("expiries of evidence")
        default_permissions = ()

    def __str__(self) -> str:
        """Return whose key it was."""
        return f"expiry of {self.attempt_id}"
