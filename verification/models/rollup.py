"""Figures for the dashboard, counted by the worker: one row for each hour, client and member."""

from typing import ClassVar

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


class Rollup(models.Model):
    """How many attempts of an hour (by `created_at`, UTC), client and region had a value."""

    hour = models.DateTimeField()
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="+")
    region = models.CharField(max_length=16)
    figure = models.CharField(max_length=10, choices=Figure.choices)
    member = models.CharField(max_length=200)
    count = models.BigIntegerField()

    class Meta:
        """One row for each value."""

        verbose_name = _("rollup")
        verbose_name_plural = _("rollups")
        db_table = "verification_rollup"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                name="rollup_once", fields=["figure", "hour", "client", "region", "member"]
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(name="rollup_hour", fields=["hour"])]

    def __str__(self) -> str:
        """Return what was counted."""
        return f"{self.figure} {self.member}"


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
