"""`evidence_purge`: what is due by the rules, runs that let it expire, and how far they are.

Of evidence, or of what records tell of persons.
"""

import json
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from verification.models import RetentionRun
from verification.models.retention import Kept
from verification.selectors.due import Preview, preview_of
from verification.selectors.retention import recent_runs
from verification.services.errors import ServiceError
from verification.services.retention import cancel_run, decide_run, request_run
from verification.services.runtime import get_runtime

NEEDED = {"request": ("by", "reason"), "approve": ("by",), "refuse": ("by",), "cancel": ("by",)}


class Command(BaseCommand):
    """Acts as the admin does, under the same rules and permissions; the worker destroys."""

    help = "Let evidence, or records, expire whose time is over: one asks, another approves."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the actions, and who acts and why."""
        actions = parser.add_mutually_exclusive_group(required=True)
        actions.add_argument("--preview", action="store_true", help="count; changes nothing")
        actions.add_argument("--request", action="store_true", help="ask for a run")
        actions.add_argument("--approve", type=UUID, metavar="RUN", help="destroys for ever")
        actions.add_argument("--refuse", type=UUID, metavar="RUN")
        actions.add_argument("--cancel", type=UUID, metavar="RUN", help="end it early")
        actions.add_argument("--status", action="store_true", help="list the runs")
        parser.add_argument(
            "--what",
            choices=[each.value for each in Kept],
            default=Kept.EVIDENCE.value,
            help="of a preview or a request: evidence, or what records tell of persons",
        )
        parser.add_argument("--by", metavar="USERNAME", help="an account that may do it")
        parser.add_argument("--reason", metavar="TEXT", help="why a run is asked for")
        parser.add_argument("--json", action="store_true", help="write a preview as JSON")

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 1 with a sentence if our rules refuse it."""
        action = next(each for each in ACTIONS if options[each])
        if missing := [f"--{each}" for each in NEEDED.get(action, ()) if not options[each]]:
            raise CommandError(f"--{action} needs {', '.join(missing)}.")
        try:
            getattr(self, f"_{action}")(options)
        except ServiceError as error:
            raise CommandError(str(error)) from error

    def _preview(self, options: dict[str, Any]) -> None:
        preview = preview_of(timezone.now(), options["what"])
        if options["json"]:
            self.stdout.write(json.dumps(preview.to_json(), indent=2))
            return
        self._write(preview)

    def _request(self, options: dict[str, Any]) -> None:
        by = _person(options["by"])
        run = request_run(
            what=options["what"], reason=options["reason"], by=by, runtime=get_runtime()
        )
        self.stdout.write(f"run {run.pk} asked for: {run.preview['expiring']} attempts")

    def _approve(self, options: dict[str, Any]) -> None:
        self._decide(options["approve"], options, approve=True)

    def _refuse(self, options: dict[str, Any]) -> None:
        self._decide(options["refuse"], options, approve=False)

    def _decide(self, run_id: UUID, options: dict[str, Any], *, approve: bool) -> None:
        by = _person(options["by"])
        run = decide_run(run_id=run_id, approve=approve, by=by, runtime=get_runtime())
        self.stdout.write(f"run {run.pk} {run.state}")

    def _cancel(self, options: dict[str, Any]) -> None:
        by = _person(options["by"])
        run = cancel_run(run_id=options["cancel"], by=by, runtime=get_runtime())
        self.stdout.write(f"run {run.pk} {run.state}: {run.expired} expired")

    def _status(self, _options: dict[str, Any]) -> None:
        for run in recent_runs():
            self.stdout.write(_told(run))

    def _write(self, preview: Preview) -> None:
        self.stdout.write(
            f"{preview.due} attempts are due: {preview.expiring} would expire, "
            f"{preview.held} are held, {preview.doubtful} are in doubt."
        )
        if preview.waiting:
            self.stdout.write(f"{preview.waiting} more wait until their evidence has expired.")
        for each in preview.items:
            self.stdout.write(f"{each.month} {each.region} {each.kind} {each.count}")


ACTIONS = ("preview", "request", "approve", "refuse", "cancel", "status")


def _told(run: RetentionRun) -> str:
    asked = f"{run.asked_at:%Y-%m-%dT%H:%M:%SZ}"
    counts = f"expired {run.expired}, held {run.held}, in doubt {run.doubtful}"
    how_far = f"{run.seen} of {run.preview['due']}"
    return f"{run.pk} {asked} {run.what} {run.state}: {how_far}; {counts}"


def _person(username: str) -> AbstractUser:
    person = get_user_model().objects.filter(**{get_user_model().USERNAME_FIELD: username}).first()
    if person is None:
        raise CommandError(f"There is no account {username!r}.")
    return person
