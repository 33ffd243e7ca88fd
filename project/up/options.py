"""The command line of `script/up` and the environment variables that stand in for it."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from project.up.errors import UpError

WEB_PORT = 8000
SANDBOX_PORT = 8001
MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Options:
    """`check`: assert the results and stop. `demo`: send the sample attempts. Ports 1..65535."""

    check: bool
    demo: bool
    web_port: int
    sandbox_port: int


def read_options(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Parse the command line; UpError if a port of the environment is none.

    Exits with 0 after `--help` and with 2 on an unknown argument, as argparse does.
    """
    parser = argparse.ArgumentParser(
        prog="script/up",
        description="Start the service with its database, worker and a FaceID sandbox on this "
        "machine, send sample attempts through it, and run until Ctrl-C.",
        epilog="DATABASE_URL, FACEID_REGION, FACEID_API_KEY and FACEID_API_SECRET in the "
        "environment or in .local/env switch to the real things.",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="assert every sample result, stop everything, exit 0 or 1",
    )
    parser.add_argument("--no-demo", action="store_true", help="send no sample attempts")
    parser.add_argument("--web-port", type=int, help=f"port of the service (WEB_PORT, {WEB_PORT})")
    parser.add_argument(
        "--sandbox-port", type=int, help=f"port of the sandbox (SANDBOX_PORT, {SANDBOX_PORT})"
    )
    given = parser.parse_args(arguments)
    if given.check and given.no_demo:
        parser.error("--check needs the sample attempts that --no-demo leaves out")
    return Options(
        check=given.check,
        demo=not given.no_demo,
        web_port=_port(given.web_port, environ, "WEB_PORT", WEB_PORT),
        sandbox_port=_port(given.sandbox_port, environ, "SANDBOX_PORT", SANDBOX_PORT),
    )


def _port(given: int | None, environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, str(default)) if given is None else str(given)
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_PORT):
        option = f"--{name.lower().replace('_', '-')}"
        raise UpError(f"{option} or {name} must be a port from 1 to {MAX_PORT}, not {text!r}.")
    return int(text)
