"""Runs of the checks of controls, as pages and packs show them."""

from django.db.models import QuerySet

from verification.models import ControlResult, ControlRun


def last_run() -> ControlRun | None:
    """Return the newest run with its results; None before the first."""
    return ControlRun.objects.prefetch_related("results").first()


def history_of(control: str, limit: int) -> QuerySet[ControlResult]:
    """Return what was found of a control, newest first, each with its run."""
    found = ControlResult.objects.filter(control=control).select_related("run")
    return found.order_by("-id")[:limit]
