"""Versions of the review policy: proposed by one person, put in force by another, kept for ever."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

POLICY_PROPOSED = "policy.proposed"
POLICY_ACTIVATED = "policy.activated"
POLICY_REFUSED = "policy.refused"
POLICY_WITHDRAWN = "policy.withdrawn"
"""Kinds of the log's entries about versions."""

BUILT_IN_VERSION = 1


class PolicyState(models.TextChoices):
    """Where a version is in its life."""

    PROPOSED = "proposed", "proposed"
    ACTIVE = "active", "in force"
    RETIRED = "retired", "retired"
    REFUSED = "refused", "refused"
    WITHDRAWN = "withdrawn", "withdrawn"


class ReviewPolicy(models.Model):
    """One version. `document` is the canonical text (docs/formats/policy.md).

    Version 1 came with the installation and nobody proposed it; every other one has two people.
    """

    version = models.PositiveIntegerField(primary_key=True)
    document = models.TextField()
    note = models.CharField(max_length=500)
    state = models.CharField(max_length=9, choices=PolicyState.choices)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    decision_note = models.CharField(max_length=500, null=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        """Four eyes, in the database; exactly one version can be in force."""

        verbose_name = _("policy version")
        verbose_name_plural = _("policy versions")
        db_table = "verification_review_policy"
        ordering = ("-version",)
        permissions = (
            ("propose_policy", "Can propose a version of the review policy"),
            ("decide_policy", "Can put a version of the review policy in force, or refuse it"),
        )
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                name="policy_one_active", fields=["state"], condition=Q(state="active")
            ),
            models.CheckConstraint(
                name="policy_state_known", condition=Q(state__in=PolicyState.values)
            ),
            models.CheckConstraint(
                name="policy_four_eyes",
                condition=Q(version=BUILT_IN_VERSION)
                | Q(proposed_by__isnull=False)
                & (
                    Q(state="proposed", decided_by__isnull=True)
                    | Q(state="withdrawn", decided_by=F("proposed_by"))
                    | (~Q(state__in=["proposed", "withdrawn"]) & ~Q(decided_by=F("proposed_by")))
                    & Q(decided_by__isnull=False)
                ),
            ),
            models.CheckConstraint(
                name="policy_decided_has_time",
                condition=Q(state="proposed", decided_at__isnull=True)
                | (~Q(state="proposed") & Q(decided_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="policy_retired_has_time",
                condition=Q(state="retired", retired_at__isnull=False)
                | (~Q(state="retired") & Q(retired_at__isnull=True)),
            ),
            models.CheckConstraint(name="policy_has_note", condition=~Q(note="")),
        ]

    def __str__(self) -> str:
        """Return the number of the version."""
        return f"policy version {self.version}"


class ReplayState(models.TextChoices):
    """How far a what-if is."""

    ASKED = "asked", "waits for the worker"
    RUNNING = "running", "running"
    DONE = "done", "done"
    CANCELLED = "cancelled", "cancelled"
    FAILED = "failed", "failed"


ENDED = (ReplayState.DONE, ReplayState.CANCELLED, ReplayState.FAILED)


class PolicyReplay(models.Model):
    """What a version would have made of the attempts of some days: a figure, and no record.

    The worker goes from the newest attempt to the oldest, in slices. `position_at` and
    `position_id` are the last attempt that it has read, `result` what it has counted so far.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    policy = models.ForeignKey(ReviewPolicy, on_delete=models.PROTECT, related_name="replays")
    days = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=9, choices=ReplayState.choices)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    total = models.PositiveBigIntegerField(default=0)
    done = models.PositiveBigIntegerField(default=0)
    position_at = models.DateTimeField(null=True)
    position_id = models.UUIDField(null=True)
    result = models.JSONField(default=dict)

    class Meta:
        """Those that have not ended are few."""

        verbose_name = _("what-if")
        verbose_name_plural = _("what-ifs")
        db_table = "verification_policy_replay"
        ordering = ("-asked_at", "-id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="replay_state_known", condition=Q(state__in=ReplayState.values)
            ),
            models.CheckConstraint(name="replay_days", condition=Q(days__gte=1, days__lte=366)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                name="replay_open",
                fields=["asked_at"],
                condition=Q(state__in=["asked", "running"]),
            ),
        ]

    def __str__(self) -> str:
        """Return what is asked."""
        return f"version {self.policy_id} over {self.days} days"
