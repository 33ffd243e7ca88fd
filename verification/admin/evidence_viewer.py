"""The page that shows a revealed image: large, and beside other images of the same attempt.

The image stands in the page itself, which is the answer to the very form that was recorded. There
is no address at which it could be asked for a second time, and nothing to be kept for that.
"""

import base64
from typing import Any

from verification.admin.attempts import attempt_address
from verification.admin.fragments import code, number_or_none
from verification.models import Evidence
from verification.models.reveal import Purpose
from verification.selectors.images import images_beside
from verification.services.reveals import Revealed

IMAGE = "image/"


def is_image(shown: Revealed) -> bool:
    """Return whether a browser can show it as an image."""
    return shown.content_type.startswith(IMAGE)


def viewer_context(evidence: Evidence, shown: Revealed) -> dict[str, Any]:
    """Return the context of `viewer.html`. Others are offered to be revealed, never opened."""
    content = base64.b64encode(shown.content).decode("ascii")
    return {
        "kind": code(shown.kind),
        "source": f"data:{shown.content_type};base64,{content}",
        "attempt_address": attempt_address(evidence.attempt_id),
        "biz_no": number_or_none(evidence.attempt.biz_no),
        "others": [(each.pk, code(each.kind)) for each in images_beside(evidence)],
        "purposes": Purpose.choices,
    }
