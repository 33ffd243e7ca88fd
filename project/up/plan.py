"""What this run will start, decided before anything is started."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from project.up.errors import UpError
from project.up.options import Options
from verification.sandbox.server import DEMO_KEY

HOST = "127.0.0.1"
SANDBOX = "sandbox"
SAMPLE_TIMEOUT_S = "4"


@dataclass(frozen=True, slots=True)
class Plan:
    """`environ` is the whole environment of the processes and holds secrets."""

    local_dir: Path
    web_port: int
    sandbox_port: int
    region: str
    starts_database: bool
    sends_samples: bool
    check: bool
    environ: Mapping[str, str] = field(repr=False)

    @property
    def starts_sandbox(self) -> bool:
        """Whether the vendor's place is taken by the sandbox."""
        return self.region == SANDBOX

    @property
    def web_url(self) -> str:
        """Base URL of the service."""
        return f"http://{HOST}:{self.web_port}"

    @property
    def sandbox_url(self) -> str:
        """Base URL of the sandbox."""
        return f"http://{HOST}:{self.sandbox_port}"

    def environ_of(self, role: str) -> Mapping[str, str]:
        """Return the environment of the process that is `web` or `worker` to the database.

        A DATABASE_URL has the one role that it names.
        """
        own = {"DATABASE_ROLE": role} if self.starts_database else {}
        return {**self.environ, **own}


def make_plan(
    options: Options, *, local_dir: Path, given: Mapping[str, str], stored: Mapping[str, str]
) -> Plan:
    """Combine options, the environment `given` and the settings `stored` in `.local/env`.

    UpError where the combination would send sample attempts, or a demonstration key, to the
    vendor.
    """
    environ = {**stored, **given, "LOCAL_DIR": str(local_dir)}
    environ.setdefault("VERIFICATION_EXPORT_DIR", str(local_dir / "exports"))
    region = environ["FACEID_REGION"]
    is_sandbox = region == SANDBOX
    if "VERIFICATION_KEYRING_DIR" in given:
        # One excludes the other, and the stored keyring is only there for want of a better one.
        environ["VERIFICATION_KEYRING"] = given.get("VERIFICATION_KEYRING", "")
    if is_sandbox:
        environ["FACEID_SANDBOX_URL"] = f"http://{HOST}:{options.sandbox_port}"
        # One sample is never answered; nobody should wait 25 s to see what becomes of it.
        environ.setdefault("FACEID_TIMEOUT_S", SAMPLE_TIMEOUT_S)
    else:
        _refuse_demonstration(options, region, environ)
        # What talks to the vendor shows no debugging pages; but this server has no TLS.
        environ["DEBUG"] = given.get("DEBUG", "false")
        environ.setdefault("HTTPS", "false")
    starts_database = not environ.get("DATABASE_URL")
    if starts_database:
        # This program migrates and grants; each process gets the role that is its own.
        environ["DATABASE_ROLE"] = "owner"
    return Plan(
        local_dir=local_dir,
        web_port=options.web_port,
        sandbox_port=options.sandbox_port,
        region=region,
        starts_database=starts_database,
        sends_samples=options.demo and is_sandbox,
        check=options.check,
        environ=environ,
    )


def _refuse_demonstration(options: Options, region: str, environ: Mapping[str, str]) -> None:
    if options.check:
        raise UpError(
            f"--check sends sample attempts, and FACEID_REGION is {region!r}. "
            "Leave FACEID_REGION unset to run it against the sandbox."
        )
    if environ["FACEID_API_KEY"] == DEMO_KEY:
        raise UpError(
            f"FACEID_REGION={region} needs your FACEID_API_KEY and FACEID_API_SECRET "
            "in the environment; only the demonstration pair is set."
        )


def refuse_occupied_ports(plan: Plan) -> None:
    """Raise UpError naming the option, if a port that the plan needs is taken."""
    _refuse_occupied(plan.web_port, "web")
    if plan.starts_sandbox:
        if plan.web_port == plan.sandbox_port:
            raise UpError(f"--web-port and --sandbox-port are both {plan.web_port}.")
        _refuse_occupied(plan.sandbox_port, "sandbox")


def _refuse_occupied(port: int, name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise UpError(f"Port {port} is not yours to use. {_other(name)}") from None
            raise UpError(f"Port {port} is taken by another program. {_other(name)}") from None


def _other(name: str) -> str:
    return f"Choose another: --{name}-port PORT, or {name.upper()}_PORT=PORT in the environment."
