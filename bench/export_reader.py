"""One export in a fresh process: `python -m bench.export_reader NAME...` prints rows, s, bytes.

Leaves out the columns of these names. The lines go to /dev/null, as psql's do.
"""

import json
import os
import sys
import time
from pathlib import Path

import django

from bench.memory import peak_bytes


def main(left_out: list[str]) -> None:
    """Export everything once, with its time and the growth of this process."""
    django.setup()
    from verification.selectors import exports  # noqa: PLC0415 - the models need Django set up
    from verification.selectors.attempts import AttemptQuery  # noqa: PLC0415
    from verification.selectors.export_columns import COLUMNS  # noqa: PLC0415
    from verification.selectors.export_form import FileForm  # noqa: PLC0415

    columns = [column for column in COLUMNS if column.name not in left_out]
    before = peak_bytes(os.getpid())
    lines = 0
    first_s = 0.0
    began = time.perf_counter()
    with Path(os.devnull).open("wb") as sink:
        for block in exports.attempts_file(AttemptQuery(), form=FileForm(tuple(columns))):
            first_s = first_s or time.perf_counter() - began
            sink.write(block)
            lines += block.count(b"\n")
    took_s = time.perf_counter() - began
    grown = peak_bytes(os.getpid()) - before
    found = {"rows": lines - 1, "seconds": took_s, "first_s": first_s, "grown_bytes": grown}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
