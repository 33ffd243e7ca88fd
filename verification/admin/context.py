"""What every admin page knows about the site it stands in."""

from collections.abc import Callable
from functools import partial

from django.http import HttpRequest

from verification.admin.acting import person_of
from verification.admin.log_standing import LogStanding, log_standing
from verification.conf import get_conf
from verification.selectors.export_jobs import unseen_jobs


def environment(request: HttpRequest) -> dict[str, str | Callable[[], LogStanding | int]]:
    """Return what the site's templates show on every page.

    `faceid_region`, so that a page of a sandbox cannot be taken for the real thing;
    `log_standing` and `exports_ready`, which ask the database only where a template calls them.
    """
    return {
        "faceid_region": get_conf().faceid_region,
        "log_standing": log_standing,
        "exports_ready": partial(_exports_ready, request),
    }


def _exports_ready(request: HttpRequest) -> int:
    """Return how many files have become ready, or failed, since who asks last looked."""
    return unseen_jobs(person_of(request)).count()
