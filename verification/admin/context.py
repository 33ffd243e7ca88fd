"""What every admin page knows about the site it stands in."""

from django.http import HttpRequest

from verification.conf import get_conf


def environment(_request: HttpRequest) -> dict[str, str]:
    """Return `faceid_region`, so that a page of a sandbox cannot be taken for the real thing."""
    return {"faceid_region": get_conf().faceid_region}
