"""`evidence_erase`: ask for an erasure, decide on one, list those to decide, write certificates."""

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
from verification.selectors.erasures import erasures_to_decide
from verification.services.erasing import decide_erasure, request_erasure
from verification.services.erasure_certificate import erasure_certificate
from verification.services.errors import ServiceError
from verification.services.runtime import get_runtime
from verification.services.settlement import visible

MAX_NAME = 150


class Command(BaseCommand):
    """Erases evidence by two people, as the admin does, under the same rules and permissions."""

    help = "Destroy the key of an attempt's evidence: one person asks, another decides."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the four actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        ask = actions.add_parser("request", help="ask for an erasure")
        ask.add_argument("attempt", type=UUID, metavar="ATTEMPT")
        ask.add_argument("--basis", required=True, choices=LegalBasis.values)
        ask.add_argument("--reason", required=True, metavar="TEXT")
        ask.add_argument("--by", required=True, metavar="USERNAME")
        decide = actions.add_parser("decide", help="approve or refuse a request")
        decide.add_argument("erasure", type=UUID, metavar="ERASURE")
        decision = decide.add_mutually_exclusive_group(required=True)
        decision.add_argument("--approve", action="store_true", help="destroys the key for ever")
        decision.add_argument("--refuse", action="store_true")
        decide.add_argument("--by", required=True, metavar="USERNAME")
        actions.add_parser("pending", help="list the requests to decide")
        certificate = actions.add_parser("certificate", help="write the proof of an erasure")
        certificate.add_argument("attempt", type=UUID, metavar="ATTEMPT")
        certificate.add_argument("--output", type=Path, metavar="FILE")
        certificate.add_argument("--force", action="store_true", help="replace FILE if it exists")

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
        row = request_erasure(
            attempt_id=options["attempt"],
            legal_basis=LegalBasis(options["basis"]),
            reason=options["reason"],
            by=_person(options["by"]),
            runtime=get_runtime(),
        )
        self.stdout.write(f"{row.pk} requested")

    def _decide(self, options: dict[str, Any]) -> None:
        row = decide_erasure(
            erasure_id=options["erasure"],
            approve=options["approve"],
            by=_person(options["by"]),
            runtime=get_runtime(),
        )
        self.stdout.write(f"{row.attempt_id} {'erased' if options['approve'] else 'refused'}")

    def _pending(self, _options: dict[str, Any]) -> None:
        for each in erasures_to_decide():
            name = visible(each.requested_by.get_username(), MAX_NAME)
            asked = f"{each.requested_at:%Y-%m-%dT%H:%M:%SZ} by {name}"
            self.stdout.write(f"{each.pk} attempt {each.attempt_id} {each.legal_basis} {asked}")

    def _certificate(self, options: dict[str, Any]) -> None:
        content = erasure_certificate(attempt_id=options["attempt"], runtime=get_runtime())
        if options["output"] is None:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return
        with replaced_when_complete(options["output"], force=options["force"]) as file:
            file.write(content)


def _person(username: str) -> AbstractUser:
    person = get_user_model().objects.filter(**{get_user_model().USERNAME_FIELD: username}).first()
    if person is None:
        raise CommandError(f"There is no account {username!r}.")
    return person
