"""Versions of the review policy: proposed by one person, put in force by another, kept for ever."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

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
    retired_at = models.DateTimeField(null=True)

    class Meta:
        """Four eyes, in the database; exactly one version can be in force."""

        db_table = "verification_review_policy"
        verbose_name = "policy version"
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
