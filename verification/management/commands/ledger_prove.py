"""`ledger_prove`: write what an auditor needs to check attempts without us."""

import sys
import time
from argparse import ArgumentParser
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from verification.ledger.errors import LedgerError
from verification.ledger.proof_document import ProofDocument, to_json
from verification.management.output_file import OutputExistsError, replaced_when_complete
from verification.models import VerificationAttempt
from verification.services.errors import NotSealedError, ServiceError
from verification.services.proving import MAX_ATTEMPTS, prove_attempts
from verification.services.runtime import get_runtime

VERIFIER = "verify_proof.py"
GRACE_S = 10


class Command(BaseCommand):
    """Proves all attempts of a business number, or one by its id."""

    help = "Write a self-contained proof of attempts, to be checked offline with verify_proof.py."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The proof goes to standard output unless a file is named."""
        parser.add_argument("attempt", metavar="BIZ_NO|ID")
        parser.add_argument("--output", type=Path, metavar="FILE")
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
        parser.add_argument(
            "--since",
            type=Path,
            metavar="CHECKPOINT",
            help="an earlier signed checkpoint; the proof shows that the log continues it",
        )
        parser.add_argument(
            "--verifier",
            type=Path,
            metavar="FILE",
            help=f"also write {VERIFIER}, the program that checks proofs, to FILE",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Exits 1 with a sentence if there is nothing to prove, or no checkpoint comes."""
        since = options["since"].read_bytes() if options["since"] else None
        attempt_ids = _find(options["attempt"])
        try:
            document = self._prove_sealed(attempt_ids, since)
            self._write(to_json(document), options["output"], force=options["force"])
        except (ServiceError, LedgerError) as error:
            raise CommandError(str(error)) from error
        except OutputExistsError as error:
            raise CommandError(f"{error}; --force replaces it") from error
        if options["verifier"]:
            source = resources.files("verification.ledger").joinpath(VERIFIER)
            options["verifier"].write_bytes(source.read_bytes())

    def _prove_sealed(self, attempt_ids: list[UUID], since: bytes | None) -> ProofDocument:
        """Prove; an attempt of just now is waited for until the next checkpoint covers it."""
        runtime = get_runtime()
        pauses = range(round(runtime.conf.ledger_checkpoint_s) + GRACE_S)
        for number in pauses:
            try:
                return prove_attempts(attempt_ids, since=since, runtime=runtime)
            except NotSealedError:
                if number == 0:
                    self.stderr.write(f"Not sealed yet: waiting up to {len(pauses)} s.")
            time.sleep(1)
        return prove_attempts(attempt_ids, since=since, runtime=runtime)

    def _write(self, proof: bytes, path: Path | None, *, force: bool) -> None:
        if path is None:
            sys.stdout.buffer.write(proof)
            sys.stdout.buffer.flush()
            return
        with replaced_when_complete(path, force=force) as file:
            file.write(proof)


def _find(text: str) -> list[UUID]:
    """Return the attempt of an id, or all attempts of a business number, oldest first."""
    try:
        return [UUID(text)]
    except ValueError:
        pass
    attempts = VerificationAttempt.objects.filter(biz_no=text).order_by("created_at", "id")
    found = list(attempts.values_list("pk", flat=True)[: MAX_ATTEMPTS + 1])
    if not found:
        raise CommandError("No attempt bears this business number or id.")
    if len(found) > MAX_ATTEMPTS:
        raise CommandError(f"More than {MAX_ATTEMPTS} attempts bear it: prove them by their ids.")
    return found
