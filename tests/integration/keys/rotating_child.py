"""Rotate all keys and die in the middle: `python rotating_child.py DATABASE BATCHES`.

Dies by SIGKILL, as by a power cut, once so many batches are committed and another has begun.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()

from tests.integration.keys.rings import BOTH, holding  # noqa: E402  needs the app registry
from verification.services.rotation import rotate_keys  # noqa: E402  likewise
from verification.services.runtime import get_runtime, utc_now  # noqa: E402  likewise


class DeadlyClock:
    """The real clock, which each batch asks once, before it is committed."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def __call__(self) -> object:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return utc_now()


runtime = replace(holding(get_runtime(), BOTH), now=DeadlyClock(int(sys.argv[2])))  # type: ignore[arg-type]  # a clock
rotate_keys(runtime=runtime, batch=5)
