"""Erase for persons and die when told: `python subject_child.py STATEMENT DATABASE`.

The process is killed by SIGKILL before that statement of the work.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import connection

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
settings.DATABASES["default"]["NAME"] = sys.argv[2]
django.setup()

from verification.services.runtime import get_runtime  # noqa: E402  needs the app registry
from verification.services.subject_erasing import continue_subject_erasures  # noqa: E402  likewise


class Killer:
    """Lets so many statements pass."""

    def __init__(self, deadly: int) -> None:
        self.deadly = deadly
        self.seen = 0

    def __call__(self, execute: Callable[..., Any], *given: Any) -> Any:
        self.seen += 1
        if self.seen == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(*given)


if __name__ == "__main__":
    with connection.execute_wrapper(Killer(int(sys.argv[1]))):
        continue_subject_erasures(runtime=get_runtime(), slice_s=60)
