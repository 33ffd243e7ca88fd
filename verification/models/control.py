"""Runs of the checks of controls, and what each check found: kept for ever."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from verification.controls.results import State

CONTROLS_CHECKED = "controls.checked"
CONTROLS_PACKED = "controls.packed"
"""Kinds of the log's entries about controls."""


class Origin(models.TextChoices):
    """Who had the controls checked."""

    WORKER = "worker", _("the worker")
    ADMIN = "admin", _("the admin")
    COMMAND = "command", _("a command")


class ControlRun(models.Model):
    """All controls, checked once; `digest` is that of its results, in hex, as in its entry."""

    id = models.UUIDField(primary_key=True, editable=False)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    origin = models.CharField(max_length=7, choices=Origin.choices)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    by_name = models.CharField(max_length=150)
    digest = models.CharField(max_length=64)
    holds = models.PositiveSmallIntegerField()
    fails = models.PositiveSmallIntegerField()
    unknown = models.PositiveSmallIntegerField()

    class Meta:
        """Newest first; `view_controls` opens everything about controls."""

        db_table = "verification_control_run"
        verbose_name = _("check of the controls")
        verbose_name_plural = _("checks of the controls")
        ordering = ("-started_at", "-id")
        default_permissions = ()
        permissions = (
            ("view_controls", "Can see and check controls, and take the auditor's pack"),
        )
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="control_run_started", fields=["-started_at", "-id"]),
        ]

    def __str__(self) -> str:
        """Return when it was."""
        return f"controls at {self.started_at:%Y-%m-%d %H:%M}"


class ControlResult(models.Model):
    """What one check found in a run."""

    id = models.UUIDField(primary_key=True, editable=False)
    run = models.ForeignKey(ControlRun, on_delete=models.PROTECT, related_name="results")
    control = models.CharField(max_length=40)
    state = models.CharField(max_length=7)
    sentence = models.TextField()
    evidence = models.JSONField()

    class Meta:
        """Each control once a run."""

        db_table = "verification_control_result"
        verbose_name = _("result of a control")
        verbose_name_plural = _("results of controls")
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="control_once_a_run", fields=["run", "control"]),
            models.CheckConstraint(
                name="control_state_known", condition=Q(state__in=[each.value for each in State])
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="control_history", fields=["control", "-id"]),
        ]

    def __str__(self) -> str:
        """Return what was found of which control."""
        return f"{self.control} {self.state}"
