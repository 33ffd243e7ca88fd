"""One run of the site, from the database to the last line, and everything stopped again."""

import io
import os
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import resources

import django
import requests
from django.core.management import call_command
from django.db import connections

from project.embedded_postgres import USERS
from project.up import report
from project.up.backend import Backend
from project.up.database import running_database
from project.up.flows import Sent, send_all
from project.up.inspection import find_faults, write_csv
from project.up.interruption import Interruption
from project.up.plan import Plan
from project.up.processes import Processes
from project.up.samples import SAMPLES
from project.up.site import start_sandbox, start_service

WATCH_S = 0.5
PASSWORD_BYTES = 12


def run(plan: Plan, processes: Processes, interruption: Interruption) -> int:
    """Start the site, send the samples, keep running; 0, or 1 if `--check` found a difference.

    Whatever ends it, everything it started has been stopped when it returns or raises.
    """
    with ExitStack() as stack:
        if plan.starts_database:
            _say("Starting the embedded PostgreSQL")
            stack.enter_context(
                running_database(plan.local_dir / "postgres", plan.local_dir / "postgres-of-up")
            )
        stack.callback(_stop, processes)
        stack.callback(interruption.finish)
        _prepare(plan)
        if plan.starts_sandbox:
            _say(f"Starting the FaceID sandbox on port {plan.sandbox_port}")
            start_sandbox(plan, processes, interruption)
        _say(f"Starting worker and web on port {plan.web_port}")
        start_service(plan, processes, interruption)
        faults = _send_samples(plan) if plan.sends_samples else []
        _say_where(plan)
        if plan.check:
            return _verdict(faults)
        _watch(processes)
    return 0


def _prepare(plan: Plan) -> None:
    """Migrate, grant, collect static files if nobody else will serve them, make the demo people."""
    # This process makes a handful of queries; a pool would only hold connections open.
    os.environ.update({**plan.environ, "DATABASE_POOL": "false", "LOG_LEVEL": "WARNING"})
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    _say("Migrating the database")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    _adopt()
    if plan.starts_database:
        call_command("database_grant", web=USERS["web"], worker=USERS["worker"], verbosity=0)
    if plan.environ["DEBUG"].lower() not in {"true", "1", "on", "yes"}:
        _say("Collecting static files")
        call_command("collectstatic", verbosity=0, interactive=False)
    if plan.starts_sandbox:
        _show_people()
    else:
        _say("No demonstration staff or client: see createsuperuser and client_create.")
    connections.close_all()


def _adopt() -> None:
    """Take attempts of a checkout from before the log into it, while it is empty."""
    from verification.selectors.ledger import log_size  # noqa: PLC0415 - models need the settings

    if log_size() == 0:
        call_command("ledger_adopt", stdout=io.StringIO())


def _show_people() -> None:
    from project.up import people  # noqa: PLC0415 - models need the settings of this run
    from verification.conf import get_conf  # noqa: PLC0415 - the same

    _say("Staff for the admin, and an API client; secrets are shown once:")
    manage = ".venv/bin/python manage.py"
    for member in people.ensure_staff(lambda: secrets.token_urlsafe(PASSWORD_BYTES)):
        again = f"printed by the first run; a new one: {manage} changepassword {member.name}"
        _say(f"  {member.name:<16} password  {member.secret or again}")
    people.ensure_seal()
    if not get_conf().second_factor:
        _say("  Here a password is enough for the admin: SECOND_FACTOR is off.")
    client = people.ensure_client(datetime.now(UTC))
    again = f"printed by the first run; another: {manage} client_issue_key {client.name}"
    _say(f"  {client.name:<16} API key   {client.secret or again}")


def _send_samples(plan: Plan) -> list[str]:
    """Send the samples and write the CSV; for `--check`, return what differs from the contract."""
    from project.up import people  # noqa: PLC0415 - models need the settings of this run

    _say("\nSample attempts, sent through the API:\n" + report.heading())
    with requests.Session() as http, people.run_key(lambda: datetime.now(UTC)) as key:
        http.trust_env = False
        backend = Backend(plan.web_url, key, http)
        started_at = datetime.now(UTC)
        sent = _send_and_print(backend, started_at)
        write_csv(plan.local_dir / "attempts.csv", backend, {})
        faults = find_faults(plan, backend, sent, started_at) if plan.check else []
    connections.close_all()
    return faults


def _send_and_print(backend: Backend, started_at: datetime) -> list[Sent]:
    reference = resources.files("verification.sandbox").joinpath("face.jpg").read_bytes()
    done = []
    for sent in send_all(
        SAMPLES, backend, started_at=started_at, reference=reference, packet=os.urandom
    ):
        for line in report.lines(sent):
            _say(line)
        done.append(sent)
    return done


def _say_where(plan: Plan) -> None:
    places = {
        "Admin": f"{plan.web_url}/admin/",
        "API documentation": f"{plan.web_url}/api/docs/",
        "FaceID sandbox": f"{plan.sandbox_url}/" if plan.starts_sandbox else f"none: {plan.region}",
        "Attempts as CSV": str(plan.local_dir / "attempts.csv") if plan.sends_samples else "-",
        "Logs": str(plan.local_dir / "log"),
    }
    _say("\n" + "\n".join(f"{name:<18} {place}" for name, place in places.items()))


def _verdict(faults: Sequence[str]) -> int:
    for fault in faults:
        _say(f"DIFFERENT  {fault}")
    _say(
        f"\n{len(faults)} differences from the contract."
        if faults
        else "\nAll as the contract says."
    )
    return 1 if faults else 0


def _watch(processes: Processes) -> None:
    """Return never: a signal or the end of a process ends it with an exception."""
    _say("\nRunning. Ctrl-C stops everything.")
    while True:
        processes.require_alive()
        time.sleep(WATCH_S)


def _stop(processes: Processes) -> None:
    if processes.children:
        _say("\nStopping " + ", ".join(child.name for child in reversed(processes.children)))
    processes.stop()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
