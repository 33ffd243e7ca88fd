"""Figures for the dashboard, counted by the worker: a row for each time, client and member."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from verification.models.client import ApiClient


class Figure(models.TextChoices):
    """What is counted; a row's `member` is one value of it."""

    STATE = "state", "state"
    OUTCOME = "outcome", "outcome"
    VERDICT = "verdict", "verdict"
    REASON = "reason", "reason"
    RESULT = "result", "result code and message"
    ERROR = "error", "error"
    ATTACK = "attack", "attack suspected"
    DEVICE_TAG = "device_tag", "device tag"
    VERIFY_TAG = "verify_tag", "verification tag"
    BILLABLE = "billable", "billed"
    LATENCY = "latency", "upper end of the time the vendor used, in ms"


LATENCY_MS = (250, 500, 750, 1000, 1250, 1500, 2000, 2500, 3000, 4000, 6000, 10_000, 15_000, 25_000)
"""Upper ends of the buckets of the time that the vendor took as we saw it; the last one is open."""

HANDLING_S = tuple(2 ** (eighth / 8) for eighth in range(5 * 8, 24 * 8 + 1))
"""Upper ends of the buckets of the time from opening to decision: 32 s to 194 days, each 9 % above
the one before it.

Bucket 0 is all below the first; the one after the last is open.
"""


class RollupColumns(models.Model):
    """How many attempts of a client and region had a value; the time is that of `created_at`."""

    client = models.ForeignKey(
        ApiClient, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    region = models.CharField(max_length=16)
    figure = models.CharField(max_length=10, choices=Figure.choices)
    member = models.CharField(max_length=200)
    count = models.BigIntegerField()

    class Meta:
        """No table of its own."""

        abstract = True

    def __str__(self) -> str:
        """Return what was counted."""
        return f"{self.figure} {self.member}"


class RollupMinute(RollupColumns):
    """Counts of a minute of the last days, so that a busy hour need not be counted as a whole.

    Of an hour and client that has any minute here, all minutes with attempts are here.
    """

    minute = models.DateTimeField()

    class Meta:
        """One row for each value."""

        db_table = "verification_rollup_minute"
        verbose_name = _("rollup of a minute")
        verbose_name_plural = _("rollups of minutes")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                name="rollup_minute_once", fields=["minute", "client", "region", "figure", "member"]
            ),
        ]


class Rollup(RollupColumns):
    """Counts of an hour of UTC. The index holds all that a page reads."""

    hour = models.DateTimeField()

    class Meta:
        """One row for each value."""

        verbose_name = _("rollup")
        verbose_name_plural = _("rollups")
        db_table = "verification_rollup"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                name="rollup_once",
                fields=["hour", "figure", "client", "region", "member"],
                include=["count"],
            ),
        ]


class RollupDay(RollupColumns):
    """Sums of the hours of a day of UTC, which is its midnight."""

    day = models.DateTimeField()

    class Meta:
        """One row for each value."""

        db_table = "verification_rollup_day"
        verbose_name = _("rollup of a day")
        verbose_name_plural = _("rollups of days")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                name="rollup_day_once",
                fields=["day", "figure", "client", "region", "member"],
                include=["count"],
            ),
        ]


class RollupReviewDay(models.Model):
    """What one person did with the reviews of a client in a day of UTC, which is its midnight.

    `approved` to `glass` are the reviews that stand decided by them at that time; the others are
    steps, whatever came of the review later.
    """

    day = models.DateTimeField()
    client = models.ForeignKey(
        ApiClient, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    approved = models.IntegerField()
    rejected = models.IntegerField()
    retry = models.IntegerField()
    in_time = models.IntegerField()
    seconded = models.IntegerField()
    glass = models.IntegerField()
    decided = models.IntegerField()
    proposed = models.IntegerField()
    returned = models.IntegerField()
    noted = models.IntegerField()

    class Meta:
        """One row for each person and client."""

        db_table = "verification_rollup_review_day"
        verbose_name = _("rollup of a day's reviews")
        verbose_name_plural = _("rollups of days' reviews")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="rollup_review_day_once", fields=["day", "client", "by"]),
        ]

    def __str__(self) -> str:
        """Return what was counted."""
        return f"reviews of {self.day:%Y-%m-%d}"


class RollupHandlingDay(models.Model):
    """How many reviews that stand decided in a day of UTC took how long."""

    day = models.DateTimeField()
    client = models.ForeignKey(
        ApiClient, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    bucket = models.SmallIntegerField()
    count = models.IntegerField()

    class Meta:
        """One row for each bucket of HANDLING_S that holds any."""

        db_table = "verification_rollup_handling_day"
        verbose_name = _("rollup of a day's handling times")
        verbose_name_plural = _("rollups of days' handling times")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                name="rollup_handling_day_once", fields=["day", "client", "bucket"]
            ),
        ]

    def __str__(self) -> str:
        """Return what was counted."""
        return f"bucket {self.bucket}"


class RollupPosition(models.Model):
    """How far the worker has read the log: everything before `index` is counted."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    index = models.BigIntegerField()
    counted_at = models.DateTimeField()

    class Meta:
        """One row."""

        verbose_name = _("rollup position")
        verbose_name_plural = _("rollup positions")
        db_table = "verification_rollup_position"

    def __str__(self) -> str:
        """Return the position."""
        return str(self.index)
