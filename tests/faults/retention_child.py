"""Work on a retention run and die when told: `python retention_child.py STATEMENT DATABASE`.

The process is killed by SIGKILL before that statement, counted over pages of two keys; with 0 it
works until the run is done.
"""

import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.db import connection

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
settings.DATABASES["default"]["NAME"] = sys.argv[2]
django.setup()

from tests.faults.rollup_child import Killer  # noqa: E402  needs the app registry
from verification.services.expiring import continue_runs  # noqa: E402  likewise
from verification.services.runtime import get_runtime  # noqa: E402  likewise


def main(deadly: int) -> None:
    """Work to the end of the run."""
    with connection.execute_wrapper(Killer(deadly)):
        while continue_runs(runtime=get_runtime(), slice_s=0, page_size=2):
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]))
