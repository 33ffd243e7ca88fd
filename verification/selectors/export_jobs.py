"""Exports as files: whose they are, which are due, and how the attempts of one are divided."""

from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db.models import Min, QuerySet

from verification.models import ApiClient, ExportJob, ExportRequest, VerificationAttempt
from verification.models.export_job import OPEN, JobState

Owner = AbstractUser | ApiClient
KEPT = (*OPEN, JobState.DONE)


def jobs_of(owner: Owner) -> QuerySet[ExportJob]:
    """Return a person's files, or a client's, newest first."""
    if isinstance(owner, ApiClient):
        return ExportJob.objects.filter(client=owner)
    return ExportJob.objects.filter(by_id=owner.pk).select_related("request")


def unseen_jobs(by: AbstractUser) -> QuerySet[ExportJob]:
    """Return files that are ready or failed since the person last looked."""
    ended = (JobState.DONE, JobState.FAILED)
    return ExportJob.objects.filter(by_id=by.pk, state__in=ended, seen_at=None).order_by()


def kept_exports() -> list[UUID]:
    """Return the exports whose files are needed: open ones, and ready ones."""
    return list(ExportJob.objects.filter(state__in=KEPT).order_by().values_list("pk", flat=True))


def schedules(now: datetime) -> QuerySet[ExportRequest]:
    """Return the scheduled exports in force."""
    found = ExportRequest.objects.exclude(repeats=None).filter(decision="approved", ended_at=None)
    return found.filter(expires_at__gt=now).select_related("requested_by", "decided_by")


def newest_period(request_id: UUID) -> datetime | None:
    """Return the start of the last period that a schedule was made of."""
    made = ExportJob.objects.filter(request_id=request_id).exclude(period_start=None)
    return made.order_by("-period_start").values_list("period_start", flat=True).first()


def first_attempt(since: datetime | None) -> datetime | None:
    """Return when the first attempt of a time was accepted; None if there is none."""
    found = VerificationAttempt.objects.all()
    if since is not None:
        found = found.filter(created_at__gte=since)
    at: datetime | None = found.aggregate(first=Min("created_at"))["first"]
    return at


def count_between(since: datetime, until: datetime) -> int:
    """Return how many attempts of any kind were accepted; `until` is exclusive."""
    return VerificationAttempt.objects.filter(created_at__gte=since, created_at__lt=until).count()


def part_end(since: datetime, until: datetime, size: int) -> tuple[datetime, int]:
    """Return where a part of about `size` attempts ends, exclusive, and how many it has.

    Attempts of one moment are never parted.
    """
    found = VerificationAttempt.objects.filter(created_at__gte=since, created_at__lt=until)
    times = found.order_by("created_at").values_list("created_at", flat=True)
    following = times[size : size + 1]
    end = next(iter(following), until)
    if end == since:
        end = next(iter(times.filter(created_at__gt=since)[:1]), until)
        return end, count_between(since, end)
    return end, size if end != until else count_between(since, until)
