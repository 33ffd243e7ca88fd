"""Checks of controls: two people, the second factor, guesses at the login, sessions."""

from django.conf import settings

from verification.controls.results import CheckResult, State, judged
from verification.selectors.controls import (
    active_staff,
    decided_alone,
    lockout_table,
    staff_without_factor,
)
from verification.selectors.rights_changes import is_sealed
from verification.services.lockout import LOCKED_FOR, MOST_FAILURES
from verification.services.runtime import Runtime

LONGEST_IDLE_S = 3600
LONGEST_SESSION_S = 86_400
LIMITS = "verification.admin.session_limits.SessionLimitsMiddleware"


def check_four_eyes(_runtime: Runtime) -> CheckResult:
    """Count what one person did where two are due."""
    found = decided_alone()
    alone = [f"{name}: {number}" for name, number in found.items() if number]
    return judged(
        fault=f"One person did what takes two, {', '.join(alone)}." if alone else "",
        held="Wherever two people are due there were two.",
        evidence=found,
    )


def check_rights_sealed(_runtime: Runtime) -> CheckResult:
    """Look for the seal."""
    return judged(
        fault="" if is_sealed() else "Rights are not sealed: one person alone can give them.",
        held="Rights grow by two people only.",
        evidence={},
    )


def check_second_factor(runtime: Runtime) -> CheckResult:
    """Look at the setting, and for accounts without a factor."""
    if not runtime.conf.second_factor:
        return CheckResult(State.FAILS, "SECOND_FACTOR is off: a password alone lets staff in.")
    lacking = staff_without_factor().count()
    return judged(
        fault=f"Active accounts of the staff without a second factor: {lacking}."
        if lacking
        else "",
        held="Every active account of the staff has a second factor.",
        evidence={"accounts": active_staff().count(), "without_factor": lacking},
    )


def check_lockout(_runtime: Runtime) -> CheckResult:
    """See that nothing interferes with the table that counts wrong passwords."""
    found = lockout_table()
    fault = ""
    if not found.has_key:
        fault = "The table that counts wrong passwords has lost its key."
    elif found.triggers or found.rules:
        fault = "A trigger or a rule interferes with the table that counts wrong passwords."
    return judged(
        fault=fault,
        held=f"After {MOST_FAILURES} wrong passwords a name is locked.",
        evidence={
            "most_failures": MOST_FAILURES,
            "locked_for_s": int(LOCKED_FOR.total_seconds()),
            "triggers": found.triggers,
            "rules": found.rules,
        },
    )


def check_session_limits(runtime: Runtime) -> CheckResult:
    """Look at the limits, and that they are applied."""
    conf = runtime.conf
    fault = ""
    if LIMITS not in settings.MIDDLEWARE:
        fault = "No limit of sessions is applied: MIDDLEWARE lacks it."
    elif conf.session_idle_s > LONGEST_IDLE_S:
        fault = f"A session may lie idle for {conf.session_idle_s:.0f} s: too long."
    elif conf.session_absolute_s > LONGEST_SESSION_S:
        fault = f"A session may last {conf.session_absolute_s:.0f} s: too long."
    return judged(
        fault=fault,
        held="Sessions end.",
        evidence={"idle_s": int(conf.session_idle_s), "absolute_s": int(conf.session_absolute_s)},
    )
