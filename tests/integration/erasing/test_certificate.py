"""The certificate can be checked by anyone who has the log's public key, and tells nothing else."""

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests.integration.erasing.erasures import REASON, ask, erase
from tests.integration.ledger.lives import Lives, ahead, attempt, drain, seal
from verification.ledger.canonical import Json, canonical
from verification.services.entries import key_of
from verification.services.erasure_certificate import erasure_certificate
from verification.services.errors import NothingToEraseError, NotSealedError
from verification.services.runtime import Runtime
from verification.services.staging import stage

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_certificate_names_what_is_gone_and_its_proof_holds(
    lives: Lives, officer: User, approver: User, runtime: Runtime, tmp_path: Path
) -> None:
    attempt_id = lives.submitted("LOAN-77")
    row = erase(attempt_id, officer, approver, runtime)
    seal(runtime)
    certificate = erasure_certificate(attempt_id=attempt_id, runtime=runtime).decode()
    page, _, proof = certificate.partition("\n{\n")
    for said in (str(attempt_id), "olga", "anna", "right to erasure", "image_best", str(row.pk)):
        assert said in page
    document = json.loads("{\n" + proof)
    [proved] = document["attempts"]
    assert (proved["key"], len(proved["entries"])) == (None, 2)
    stored = attempt(attempt_id)
    for secret in ("LOAN-77", stored.subject, REASON, key_of(stored).hex()):
        assert str(secret) not in certificate
    _check("{\n" + proof, runtime, tmp_path)


def _check(proof: str, runtime: Runtime, folder: Path) -> None:
    """Run the verifier that an auditor runs, in a process of its own."""
    file = folder / "proof.json"
    file.write_text(proof)
    program = resources.files("verification.ledger").joinpath("verify_proof.py")
    key = runtime.conf.ledger_vkeys[0]
    done = subprocess.run(
        [sys.executable, "-I", str(program), str(file), "--key", str(key)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "more", [{}, {"legal_basis": "mood", "evidence": [{}]}, {"erasure": [1], "at": 7}]
)
def test_what_only_looks_like_an_erasure_is_not_certified(
    more: dict[str, Json], lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    forged = {"attempt": str(attempt_id), "kind": "evidence.erased", "approved_by": "nobody"}
    stage([canonical({**forged, **more})])
    seal(runtime)
    with pytest.raises(NothingToEraseError):
        erasure_certificate(attempt_id=attempt_id, runtime=runtime)
    row = erase(attempt_id, officer, approver, runtime)
    seal(ahead(runtime, 60))
    page = erasure_certificate(attempt_id=attempt_id, runtime=runtime).decode()
    assert str(row.pk) in page
    assert "nobody" not in page


def test_there_is_no_certificate_before_the_erasure_is_sealed(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    seal(runtime)
    ask(lives.submitted(), officer, runtime)
    with pytest.raises(NothingToEraseError):
        erasure_certificate(attempt_id=attempt_id, runtime=runtime)
    erase(attempt_id, officer, approver, runtime)
    with pytest.raises(NotSealedError):
        erasure_certificate(attempt_id=attempt_id, runtime=runtime)
    drain(runtime)
    with pytest.raises(NotSealedError):
        erasure_certificate(attempt_id=attempt_id, runtime=runtime)
