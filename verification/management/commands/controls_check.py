"""`controls_check`: check the controls and say which hold."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError

from verification.controls.matrix import BY_ID
from verification.controls.results import CheckResult, State
from verification.management.operator import operator
from verification.models.control import Origin
from verification.services.control_runs import check_controls, results_of
from verification.services.controls import run_checks
from verification.services.runtime import get_runtime

FAILED, UNCHECKED = 1, 2


class Command(BaseCommand):
    """Exits 0 if all hold, 1 if some fail, 2 if some could not be checked and none fails."""

    help = "Check the controls; 0 all hold, 1 some fail, 2 could not be checked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what to check, and how to say it."""
        parser.add_argument("--json", action="store_true", help="write JSON, with the evidence")
        parser.add_argument(
            "--only",
            action="append",
            choices=list(BY_ID),
            metavar="ID",
            help="this control only, without keeping the result; repeatable",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Check, print, and tell by the exit code."""
        try:
            found = self._check(options["only"])
        except DatabaseError as error:
            self.stderr.write(f"Could not be checked: {type(error).__name__}")
            raise SystemExit(UNCHECKED) from None
        self.stdout.write(_as_json(found) if options["json"] else _as_table(found))
        states = {each.state for each in found.values()}
        if State.FAILS in states:
            raise SystemExit(FAILED)
        if State.UNKNOWN in states:
            raise SystemExit(UNCHECKED)

    def _check(self, only: list[str] | None) -> dict[str, CheckResult]:
        """Keep what a whole check finds; some controls alone are looked at and not kept."""
        if only:
            return run_checks(runtime=get_runtime(), only=only)
        return results_of(
            check_controls(origin=Origin.COMMAND, name=operator(), runtime=get_runtime())
        )


def _as_table(found: dict[str, CheckResult]) -> str:
    return "\n".join(
        f"{each.state.upper():<8} {control:<18} {each.sentence}"
        for control, each in _in_order(found).items()
    )


def _as_json(found: dict[str, CheckResult]) -> str:
    said = {
        control: {
            "state": each.state,
            "sentence": each.sentence,
            "evidence": dict(each.evidence),
        }
        for control, each in _in_order(found).items()
    }
    return json.dumps(said, indent=2)


def _in_order(found: dict[str, CheckResult]) -> dict[str, CheckResult]:
    return {each: found[each] for each in BY_ID if each in found}
