"""`python -m project.up`: what script/up runs once `.venv` is complete."""

import os
import sys
from pathlib import Path

from project.embedded_postgres import EmbeddedPostgresError
from project.up import local_env
from project.up.errors import StopRequested, UpError
from project.up.instance import only_instance
from project.up.interruption import Interruption
from project.up.options import read_options
from project.up.plan import make_plan, refuse_occupied_ports
from project.up.processes import Processes
from project.up.run import run

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 after a stop that was asked for, 1 after anything else."""
    given = dict(os.environ)
    local_dir = Path(given.get("LOCAL_DIR") or ROOT / ".local").absolute()
    processes = Processes(local_dir / "log")
    interruption = Interruption(on_second=processes.stop_at_once)
    try:
        options = read_options(arguments, given)
        interruption.install()
        with only_instance(local_dir):
            traces = local_dir / "log" / "web.log"
            stored = local_env.ensure(local_dir / "env", data=traces, random=os.urandom)
            plan = make_plan(options, local_dir=local_dir, given=given, stored=stored)
            refuse_occupied_ports(plan)
            return run(plan, processes, interruption)
    except (UpError, EmbeddedPostgresError) as error:
        print(f"script/up: {error}", file=sys.stderr)  # noqa: T201 - a command line
        return 1
    except StopRequested:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
