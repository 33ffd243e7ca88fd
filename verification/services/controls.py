"""Check controls: one function for each, and what raises is unknown."""

import logging
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from django.db import transaction

from verification.controls.matrix import BY_ID
from verification.controls.results import CheckResult, State
from verification.services.control_log import (
    check_anchored,
    check_checkpoint_fresh,
    check_guards,
    check_ledger_verified,
    check_worker_alive,
)
from verification.services.control_people import (
    check_four_eyes,
    check_lockout,
    check_rights_sealed,
    check_second_factor,
    check_session_limits,
)
from verification.services.control_platform import (
    check_database_logging,
    check_database_role,
    check_deployment,
)
from verification.services.control_records import (
    check_erasures_done,
    check_evidence_keys,
    check_exports_on_record,
    check_records_kept,
    check_reveals_on_record,
)
from verification.services.runtime import Runtime

logger = logging.getLogger(__name__)

Check = Callable[[Runtime], CheckResult]
CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "guards": check_guards,
        "database_role": check_database_role,
        "ledger_verified": check_ledger_verified,
        "checkpoint_fresh": check_checkpoint_fresh,
        "anchored": check_anchored,
        "records_kept": check_records_kept,
        "reveals_on_record": check_reveals_on_record,
        "exports_on_record": check_exports_on_record,
        "erasures_done": check_erasures_done,
        "four_eyes": check_four_eyes,
        "rights_sealed": check_rights_sealed,
        "second_factor": check_second_factor,
        "lockout": check_lockout,
        "session_limits": check_session_limits,
        "evidence_keys": check_evidence_keys,
        "deployment": check_deployment,
        "database_logging": check_database_logging,
        "worker_alive": check_worker_alive,
    }
)
"""The check of each control, by its id."""


def run_checks(
    *, runtime: Runtime, only: Iterable[str] = tuple(BY_ID), checks: Mapping[str, Check] = CHECKS
) -> dict[str, CheckResult]:
    """Check controls, in the order of the catalogue; KeyError for an unknown id."""
    wanted = {each: checks[each] for each in only}
    return {each: _run(wanted[each], runtime) for each in BY_ID if each in wanted}


def _run(check: Check, runtime: Runtime) -> CheckResult:
    """Check one; what it raises is named by its type only, for a message may repeat values."""
    try:
        with transaction.atomic():
            return check(runtime)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others are still checked
        name = type(error).__name__
        logger.warning("a control could not be checked: %s", name)
        return CheckResult(State.UNKNOWN, f"It could not be checked: {name}.")
