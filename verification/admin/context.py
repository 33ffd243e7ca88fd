"""What every admin page knows about the site it stands in."""

from collections.abc import Callable

from django.http import HttpRequest

from verification.admin.log_standing import LogStanding, log_standing
from verification.conf import get_conf


def environment(_request: HttpRequest) -> dict[str, str | Callable[[], LogStanding]]:
    """Return what the site's templates show on every page.

    `faceid_region`, so that a page of a sandbox cannot be taken for the real thing;
    `log_standing`, which asks the database only where a template calls it.
    """
    return {"faceid_region": get_conf().faceid_region, "log_standing": log_standing}
