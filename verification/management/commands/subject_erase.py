"""`subject_erase`: ask for the erasure of all evidence of a person, decide on it, answer it."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.core.management.base import BaseCommand, CommandError

from verification.ledger.errors import LedgerError
from verification.management.output_file import OutputExistsError, replaced_when_complete
from verification.models.erasure import LegalBasis
from verification.selectors.subject_erasures import (
    find_subject_erasure,
    outcomes_of,
    subject_erasures,
)
from verification.services.errors import ServiceError
from verification.services.runtime import get_runtime
from verification.services.subject_answer import subject_answer
from verification.services.subject_erasing import decide_subject_erasure, request_subject_erasure


class Command(BaseCommand):
    """Works by two people, as the admin does, under the same rules and permissions."""

    help = "Destroy the keys of all evidence of a person: one person asks, another decides."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the five actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        ask = actions.add_parser("request", help="ask; standard input names the subject")
        ask.add_argument("--client", type=UUID, metavar="ID", help="of this client only")
        ask.add_argument("--basis", required=True, choices=LegalBasis.values)
        ask.add_argument("--reason", required=True, metavar="TEXT")
        ask.add_argument("--by", required=True, metavar="USERNAME")
        decide = actions.add_parser("decide", help="approve or refuse a request")
        decide.add_argument("erasure", type=UUID, metavar="ERASURE")
        decision = decide.add_mutually_exclusive_group(required=True)
        decision.add_argument("--approve", action="store_true", help="destroys the keys for ever")
        decision.add_argument("--refuse", action="store_true")
        decide.add_argument("--by", required=True, metavar="USERNAME")
        actions.add_parser("pending", help="list the requests to decide")
        status = actions.add_parser("status", help="say how far a request is")
        status.add_argument("erasure", type=UUID, metavar="ERASURE")
        answer = actions.add_parser("answer", help="write letters and certificates, as a ZIP")
        answer.add_argument("erasure", type=UUID, metavar="ERASURE")
        answer.add_argument("--output", required=True, type=Path, metavar="FILE")
        answer.add_argument("--force", action="store_true", help="replace FILE if it exists")

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 1 with a sentence if our rules refuse it."""
        act = getattr(self, f"_{options['action']}")
        try:
            act(options)
        except (ServiceError, LedgerError) as error:
            raise CommandError(str(error)) from error
        except OutputExistsError as error:
            raise CommandError(f"{error}; --force replaces it") from error

    def _request(self, options: dict[str, Any]) -> None:
        row = request_subject_erasure(
            subject=sys.stdin.readline().rstrip("\r\n"),
            client_id=options["client"],
            legal_basis=LegalBasis(options["basis"]),
            reason=options["reason"],
            by=_person(options["by"]),
            runtime=get_runtime(),
        )
        self.stdout.write(f"{row.pk} requested, {row.items.count()} attempts")

    def _decide(self, options: dict[str, Any]) -> None:
        row = decide_subject_erasure(
            erasure_id=options["erasure"],
            approve=options["approve"],
            by=_person(options["by"]),
            runtime=get_runtime(),
        )
        self.stdout.write(f"{row.pk} {row.decision}")

    def _pending(self, _options: dict[str, Any]) -> None:
        for each in subject_erasures():
            if each.decision is None:
                asked = f"{each.requested_at:%Y-%m-%dT%H:%M:%SZ}"
                self.stdout.write(f"{each.pk} {each.legal_basis} {asked}")

    def _status(self, options: dict[str, Any]) -> None:
        row = find_subject_erasure(options["erasure"])
        if row is None:
            raise CommandError("There is no such request.")
        self.stdout.write(row.decision or "undecided")
        for name, number in outcomes_of(row).items():
            self.stdout.write(f"{name or 'to do'}: {number}")

    def _answer(self, options: dict[str, Any]) -> None:
        content = subject_answer(erasure_id=options["erasure"], runtime=get_runtime())
        with replaced_when_complete(options["output"], force=options["force"]) as file:
            file.write(content)
        self.stdout.write(f"{options['erasure']} answered")


def _person(username: str) -> AbstractUser:
    person = get_user_model().objects.filter(**{get_user_model().USERNAME_FIELD: username}).first()
    if person is None:
        raise CommandError(f"There is no account {username!r}.")
    return person
