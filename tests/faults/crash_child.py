"""Submit one attempt and die at a chosen point: `python crash_child.py POINT DATABASE`.

The process is killed by SIGKILL, as by a power cut; nothing is cleaned up. Standard input holds
a line of JSON: {"client", "biz_token", "base_url"}.
"""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
settings.DATABASES["default"]["NAME"] = sys.argv[2]
django.setup()

from verification.conf import get_conf  # noqa: E402  needs the app registry
from verification.faceid.types import VerifyAnswer  # noqa: E402  likewise
from verification.models import ApiClient  # noqa: E402  likewise
from verification.services.runtime import Runtime, make_runtime, utc_now  # noqa: E402  likewise
from verification.services.submission import submit  # noqa: E402  likewise

PACKET = b"packet of the crash sweep" * 4000


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(point: str) -> None:
    """Run the corridor with a clock and a vendor that kill at `point`."""

    class DeadlyUpstream:
        """The real door to the vendor, with death before or behind it."""

        def __init__(self, inner: object) -> None:
            self.inner = inner

        def verify(self, **given: object) -> VerifyAnswer:
            if point == "after_intend":
                _die()
            answer: VerifyAnswer = self.inner.verify(**given)  # type: ignore[attr-defined]  # duck
            if point == "after_answer":
                _die()
            return answer

    class DeadlyClock:
        """The real clock; each step of the corridor asks it once, in order."""

        def __init__(self, deadly_call: int | None) -> None:
            self.deadly_call = deadly_call
            self.calls = 0

        def __call__(self) -> datetime:
            self.calls += 1
            if self.calls == self.deadly_call:
                _die()
            return utc_now()

    given = json.loads(sys.stdin.readline())
    real = make_runtime(replace(get_conf(), faceid_base_url=given["base_url"]))
    deadly_call = {"before_accept": 1, "after_accept": 2}.get(point)
    clock: Callable[[], datetime] = DeadlyClock(deadly_call)
    runtime = Runtime(real.conf, DeadlyUpstream(real.upstream), clock)  # type: ignore[arg-type]  # duck
    submit(
        client=ApiClient.objects.get(pk=given["client"]),
        biz_token=given["biz_token"],
        packet=memoryview(PACKET),
        packet_sha256=hashlib.sha256(PACKET).digest(),
        idempotency_key=None,
        runtime=runtime,
    )
    if point == "after_settle":
        _die()


if __name__ == "__main__":
    main(sys.argv[1])
