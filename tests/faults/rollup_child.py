"""Count for the dashboard and die when told: `python rollup_child.py STATEMENT DATABASE`.

The process is killed by SIGKILL before that statement of the count; with 0 it counts again and
again until somebody kills it.
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

from verification.services.rollups import count_changes  # noqa: E402  needs the app registry
from verification.services.runtime import get_runtime  # noqa: E402  likewise


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


def main(deadly: int) -> None:
    """Count once, or again and again without end."""
    with connection.execute_wrapper(Killer(deadly)):
        count_changes(runtime=get_runtime())
        while not deadly:
            count_changes(runtime=get_runtime())


if __name__ == "__main__":
    main(int(sys.argv[1]))
