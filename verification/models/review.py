"""Reviews: attempts that people decide on, and every step that they took."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from verification.models.attempt import VerificationAttempt
from verification.models.client import ApiClient
from verification.policy.terms import Decision, Priority

DECISIONS = [(each.value, each.value) for each in Decision]


class ReviewState(models.TextChoices):
    """Where a review is."""

    OPEN = "open", "open"
    PROPOSED = "proposed", "waits for a second person"
    DECIDED = "decided", "decided"


class StepKind(models.TextChoices):
    """What somebody did with a review; also the end of the log's kind: `review.noted`."""

    OPENED = "opened", "opened by hand"
    NOTED = "noted", "note"
    ASSIGNED = "assigned", "assigned"
    SNOOZED = "snoozed", "snoozed"
    PRIORITISED = "prioritised", "priority changed"
    PROPOSED = "proposed", "decision proposed"
    RETURNED = "returned", "proposal returned"
    DECIDED = "decided", "decided"
    REOPENED = "reopened", "reopened"
    GLASS_BROKEN = "glass_broken", "decided alone by breaking the glass"
    GLASS_REVIEWED = "glass_reviewed", "break-glass reviewed"


class Review(models.Model):
    """What people conclude about one attempt; the row is opened with the judgement that asks it.

    `needs_second` can be set and never taken back. The lease says who works on it now and is no
    record; everything else changes only with a step.
    """

    attempt = models.OneToOneField(
        VerificationAttempt, on_delete=models.PROTECT, primary_key=True, related_name="review"
    )
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="+")
    reasons = ArrayField(models.CharField(max_length=30))
    needs_second = models.BooleanField()
    state = models.CharField(max_length=8, choices=ReviewState.choices)
    round = models.PositiveSmallIntegerField()
    priority = models.PositiveSmallIntegerField(
        choices=[(each.value, each.name.lower()) for each in Priority]
    )
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    snoozed_until = models.DateTimeField(null=True)
    leased_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    leased_until = models.DateTimeField(null=True)
    decision = models.CharField(max_length=8, choices=DECISIONS, null=True)
    reason_code = models.CharField(max_length=40, null=True)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    proposed_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    glass_broken = models.BooleanField(default=False)

    class Meta:
        """Four eyes, in the database: triggers check that both people may do what they do."""

        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        db_table = "verification_review"
        ordering = ("priority", "due_at", "attempt_id")
        permissions = (
            ("work_review", "Can take, note, snooze and propose or decide reviews"),
            ("second_review", "Can second or return another person's proposal"),
            ("assign_review", "Can assign and prioritise reviews"),
            ("reopen_review", "Can reopen what was decided"),
            ("break_glass", "Can decide alone where two people are due, loudly"),
        )
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="review_state_known", condition=Q(state__in=ReviewState.values)
            ),
            models.CheckConstraint(
                name="review_decision_known",
                condition=Q(decision__isnull=True) | Q(decision__in=[d.value for d in Decision]),
            ),
            models.CheckConstraint(
                name="review_priority_known",
                condition=Q(priority__in=[each.value for each in Priority]),
            ),
            models.CheckConstraint(
                name="review_state_whole",
                condition=Q(
                    state="open",
                    decision__isnull=True,
                    reason_code__isnull=True,
                    proposed_by__isnull=True,
                    proposed_at__isnull=True,
                    decided_by__isnull=True,
                    decided_at__isnull=True,
                    glass_broken=False,
                )
                | Q(
                    state="proposed",
                    needs_second=True,
                    decision__isnull=False,
                    reason_code__isnull=False,
                    proposed_by__isnull=False,
                    proposed_at__isnull=False,
                    decided_by__isnull=True,
                    decided_at__isnull=True,
                    glass_broken=False,
                )
                | Q(
                    state="decided",
                    decision__isnull=False,
                    reason_code__isnull=False,
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="review_four_eyes",
                condition=~Q(state="decided")
                | Q(needs_second=False)
                | Q(glass_broken=True)
                | (Q(proposed_by__isnull=False) & ~Q(proposed_by=F("decided_by"))),
            ),
            models.CheckConstraint(
                name="review_lease_whole",
                condition=Q(leased_by__isnull=True, leased_until__isnull=True)
                | Q(leased_by__isnull=False, leased_until__isnull=False),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                name="review_queue",
                fields=["priority", "due_at", "attempt"],
                condition=~Q(state="decided"),
            ),
            # With all that the queue's figures are counted by.
            models.Index(
                name="review_due",
                fields=["due_at"],
                include=[
                    *("attempt", "state", "snoozed_until", "leased_by", "assignee"),
                    *("opened_at", "client"),
                ],
                condition=~Q(state="decided"),
            ),
            models.Index(name="review_glass", fields=["round"], condition=Q(glass_broken=True)),
            models.Index(
                name="review_decided",
                fields=["decided_at", "attempt"],
                include=["opened_at", "due_at", "client", "proposed_by", "state"],
                condition=Q(state="decided"),
            ),
            models.Index(
                name="review_decided_listed",
                fields=["priority", "due_at", "attempt"],
                condition=Q(state="decided"),
            ),
            models.Index(
                name="review_leased", fields=["leased_by"], condition=Q(leased_by__isnull=False)
            ),
            models.Index(
                name="review_assigned", fields=["assignee"], condition=~Q(state="decided")
            ),
        ]

    def __str__(self) -> str:
        """Return which attempt it is about."""
        return f"review of {self.attempt_id}"


class ReviewStep(models.Model):
    """One thing that somebody did with a review; never changed. Each is an entry of the log."""

    id = models.UUIDField(primary_key=True, editable=False)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="steps")
    round = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=14, choices=StepKind.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()
    decision = models.CharField(max_length=8, choices=DECISIONS, null=True)
    reason_code = models.CharField(max_length=40, null=True)
    note = models.CharField(max_length=2000, null=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    priority = models.PositiveSmallIntegerField(null=True)
    until = models.DateTimeField(null=True)

    class Meta:
        """In the order in which they happened."""

        verbose_name = _("review step")
        verbose_name_plural = _("review steps")
        db_table = "verification_review_step"
        ordering = ("at", "id")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="review_step_review", fields=["review", "id"]),
            models.Index(name="review_step_by", fields=["by", "at"]),
            models.Index(name="review_step_at", fields=["at"], include=["kind", "by", "review"]),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="review_step_kind_known", condition=Q(kind__in=StepKind.values)
            ),
        ]

    def __str__(self) -> str:
        """Return what was done."""
        return f"{self.kind} by {self.by_name}"


class Mention(models.Model):
    """Somebody was named in a note with an @; a hint to them, no record."""

    step = models.ForeignKey(ReviewStep, on_delete=models.CASCADE, related_name="mentions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(null=True)

    class Meta:
        """Once for each note and person."""

        verbose_name = _("mention")
        verbose_name_plural = _("mentions")
        db_table = "verification_mention"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="mention_once", fields=["step", "person"]),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                name="mention_unseen", fields=["person"], condition=Q(seen_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        """Return who was named where."""
        return f"{self.person_id} in {self.step_id}"


class SavedFilter(models.Model):
    """A filter of a list that somebody keeps under a name; its link can be handed on."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    page = models.CharField(max_length=20)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000)
    created_at = models.DateTimeField()

    class Meta:
        """In the order of their names."""

        verbose_name = _("saved filter")
        verbose_name_plural = _("saved filters")
        db_table = "verification_saved_filter"
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="saved_filter_name", fields=["owner", "page", "name"]),
        ]

    def __str__(self) -> str:
        """Return its name."""
        return self.name
