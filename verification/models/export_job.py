"""Exports that the worker writes to a file: what was asked for, how far it is, where it went."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from verification.models.client import ApiClient
from verification.models.export import ExportRequest


class JobState(models.TextChoices):
    """Where a job stands."""

    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("being written")
    DONE = "done", _("ready")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")
    EXPIRED = "expired", _("expired")


OPEN = (JobState.WAITING, JobState.RUNNING)


class Problem(models.TextChoices):
    """Why a job failed."""

    NO_SPACE = "no_space", _("The disk that holds exports is full.")
    NO_LONGER_MAY = "no_longer_may", _("Who asked may not export any more.")
    UNPROVABLE = "unprovable", _("A file with proof cannot be made of it.")
    PLACE_REFUSED = "place_refused", _("The place it was to go to refused it.")
    GIVEN_UP = "given_up", _("It was begun again too often. The worker's log says why.")


class ExportJob(models.Model):
    """One export as a file, of a person (`by`) or an API client; its id is the export's.

    `filters` and `form` are as in ExportRequest. `as_of_size` is the size of the log whose state
    the file tells, None where no log is kept. `total` and `done` count attempts looked at, `rows`
    those written. Up to `position` (an attempt's created_at) the file's first `size_bytes` are
    written for good. `leased_until` is until when one worker has it for itself.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, null=True, related_name="+")
    request = models.ForeignKey(
        ExportRequest, on_delete=models.PROTECT, null=True, related_name="jobs"
    )
    period_start = models.DateTimeField(null=True)
    filters = models.JSONField()
    form = models.JSONField()
    as_of_size = models.BigIntegerField(null=True)
    as_of_at = models.DateTimeField(null=True)
    place = models.CharField(max_length=50, null=True)
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=JobState.choices, default=JobState.WAITING)
    problem = models.CharField(max_length=13, choices=Problem.choices, null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    total = models.BigIntegerField(null=True)
    done = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    position = models.DateTimeField(null=True)
    size_bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, null=True)
    delivered_to = models.CharField(max_length=500, null=True)

    class Meta:
        """Of one person or one client; of each period one."""

        db_table = "verification_export_job"
        verbose_name = _("export as a file")
        verbose_name_plural = _("exports as files")
        default_permissions = ()
        ordering = ("-asked_at", "-id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="export_job_has_one_owner",
                condition=Q(by__isnull=False, client__isnull=True)
                | Q(by__isnull=True, client__isnull=False),
            ),
            models.CheckConstraint(
                name="export_job_state_known", condition=Q(state__in=JobState.values)
            ),
            models.CheckConstraint(
                name="export_job_failed_for_something",
                condition=Q(state="failed", problem__in=Problem.values)
                | (~Q(state="failed") & Q(problem__isnull=True)),
            ),
            models.CheckConstraint(
                name="export_job_done_whole",
                condition=~Q(state__in=("done", "expired"))
                | Q(sha256__isnull=False, finished_at__isnull=False, expires_at__isnull=False),
            ),
            models.UniqueConstraint(
                name="export_job_once_a_period", fields=["request", "period_start"]
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                name="export_job_open",
                fields=["asked_at", "id"],
                condition=Q(state__in=("waiting", "running")),
            ),
            models.Index(name="export_job_kept", fields=["expires_at"], condition=Q(state="done")),
            models.Index(name="export_job_of_person", fields=["by", "-asked_at"]),
            models.Index(name="export_job_of_client", fields=["client", "-asked_at"]),
        ]

    def __str__(self) -> str:
        """Return which export it is."""
        return f"export as a file {self.pk}"
