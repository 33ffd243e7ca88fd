"""Checks of controls: the role in the database, how the site is served, the database's own log."""

from collections.abc import Mapping
from types import MappingProxyType

from django.conf import settings
from django.core.checks import Tags, run_checks

from verification.controls.results import CheckResult, State, judged
from verification.selectors.controls import server_settings
from verification.selectors.rights import is_over_all, session_role
from verification.services.grants import compare
from verification.services.privileges import Kind
from verification.services.runtime import Runtime

SHOWN = 20
QUIET: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "log_statement": frozenset({"none", "ddl"}),
        "log_min_error_statement": frozenset({"panic"}),
        "log_error_verbosity": frozenset({"terse"}),
        "log_parameter_max_length_on_error": frozenset({"0"}),
    }
)
"""Settings of the server that keep statements and values out of its log."""


def check_database_role(runtime: Runtime) -> CheckResult:
    """Compare what this process's role may do with the list of its kind."""
    role, kind = session_role(), runtime.conf.database_role
    evidence = {"role": role, "kind": kind}
    if kind not in set(Kind):
        sentence = "DATABASE_ROLE is owner: the service could lift the guards."
        return CheckResult(State.FAILS, sentence, evidence)
    if is_over_all(role=role):
        sentence = f"{role} is a superuser or owns the tables: no grant holds it."
        return CheckResult(State.FAILS, sentence, evidence)
    more = compare(kind=Kind(kind), role=role).superfluous
    return judged(
        fault=f"{role} has {more[0]}, which its work does not need." if more else "",
        held=f"{role} has what a {kind} process needs, and no more.",
        evidence={**evidence, "superfluous": list(more[:SHOWN])},
    )


def check_deployment(_runtime: Runtime) -> CheckResult:
    """Run Django's checks for a deployment."""
    said = run_checks(tags=[Tags.security], include_deployment_checks=True)
    found = [f"{each.id}: {each.msg}" for each in said if not each.is_silenced()]
    fault = "DEBUG is on." if settings.DEBUG else ""
    if found and not fault:
        fault = f"The checks for a deployment find {found[0]}"
    return judged(
        fault=fault,
        held="The checks for a deployment find nothing.",
        evidence={"debug": settings.DEBUG, "found": found[:SHOWN]},
    )


def check_database_logging(_runtime: Runtime) -> CheckResult:
    """Read the server's settings for its log."""
    found = server_settings(list(QUIET))
    loud = [name for name, quiet in QUIET.items() if found.get(name) not in quiet]
    return judged(
        fault=f"{loud[0]} is {found.get(loud[0])}: values may reach the log." if loud else "",
        held="Statements and values stay out of the server's log.",
        evidence=found,
    )
