"""From the database to the auditor: proofs that hold in the offline verifier."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from tests.integration.database.roles import owner
from tests.integration.ledger.lives import LIVES, Lives, ahead, attempt, drain, seal
from tests.owner import unguarded
from verification.ledger.canonical import Json, canonical
from verification.ledger.proof_document import to_json
from verification.models import LedgerCheckpoint, LedgerNode
from verification.services.errors import LedgerRefusalError, NotSealedError, UnknownAttemptError
from verification.services.proving import prove_attempts
from verification.services.runtime import Runtime
from verification.services.staging import stage

pytestmark = pytest.mark.django_db(transaction=True)


def check(
    proof: bytes, runtime: Runtime, folder: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    """Run the verifier as an auditor does, away from our code."""
    verifier = folder / "verify_proof.py"
    if not verifier.exists():
        source = Path(__file__).parents[3] / "verification/ledger/verify_proof.py"
        verifier.write_bytes(source.read_bytes())
    (folder / "proof.json").write_bytes(proof)
    key = str(runtime.conf.ledger_vkeys[0])
    command = [sys.executable, "-I", "verify_proof.py", "proof.json", "--key", key, *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_proof_of_every_life_holds_offline(
    lives: Lives, runtime: Runtime, tmp_path: Path
) -> None:
    attempt_ids = [lead(lives) for lead in LIVES.values()]
    seal(runtime)
    proof = to_json(prove_attempts(attempt_ids, runtime=runtime))
    checked = check(proof, runtime, tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "SUCCESS" in checked.stdout
    told = json.loads(proof)["attempts"]
    assert [each["id"] for each in told] == [str(each) for each in attempt_ids]
    assert "evidence_key" in told[0]["entries"][1]["raw"]
    assert "evidence_key" not in told[0]["entries"][1]["values"]


def test_it_tells_how_an_attempt_was_judged_and_why(
    lives: Lives, runtime: Runtime, tmp_path: Path
) -> None:
    attempt_id = lives.submitted("sandbox:different-person")
    seal(runtime)
    checked = check(to_json(prove_attempts([attempt_id], runtime=runtime)), runtime, tmp_path)
    assert checked.returncode == 0, checked.stdout
    assert "judgement, policy_version = 1\n" in checked.stdout
    assert 'judgement, verdict = "review"\n' in checked.stdout
    assert 'judgement, reasons = ["different_person"' in checked.stdout


def test_a_changed_value_is_found_offline(lives: Lives, runtime: Runtime, tmp_path: Path) -> None:
    seal_id = lives.submitted("ONB-9")
    seal(runtime)
    proof = to_json(prove_attempts([seal_id], runtime=runtime))
    checked = check(proof.replace(b'"ONB-9"', b'"ONB-8"'), runtime, tmp_path)
    assert checked.returncode == 1


def test_it_shows_that_the_log_continues_an_earlier_checkpoint(
    lives: Lives, runtime: Runtime, tmp_path: Path
) -> None:
    lives.settled()
    seal(runtime)
    old = bytes(LedgerCheckpoint.objects.all()[0].note)
    (tmp_path / "old").write_bytes(old)
    attempt_id = lives.settled()
    seal(ahead(runtime, 60))
    proof = to_json(prove_attempts([attempt_id], since=old, runtime=runtime))
    assert check(proof, runtime, tmp_path, "--anchor", "old").returncode == 0


def test_what_is_not_sealed_yet_is_not_proved(lives: Lives, runtime: Runtime) -> None:
    attempt_id = lives.settled()
    with pytest.raises(NotSealedError):
        prove_attempts([attempt_id], runtime=runtime)
    drain(runtime)
    other = lives.settled()
    drain(runtime)
    with pytest.raises(NotSealedError):
        prove_attempts([other], runtime=runtime)
    assert prove_attempts([attempt_id], runtime=runtime).attempts


def test_nobody_is_unknown(runtime: Runtime, db: None) -> None:
    seal(runtime)
    with pytest.raises(UnknownAttemptError):
        prove_attempts([UUID(int=1)], runtime=runtime)


def test_stored_hashes_that_were_changed_prove_nothing(lives: Lives, runtime: Runtime) -> None:
    attempt_id = lives.settled()
    seal(runtime)
    with unguarded():
        LedgerNode.objects.update(hash=b"x" * 32)
    with pytest.raises(LedgerRefusalError, match="prove nothing"):
        prove_attempts([attempt_id], runtime=runtime)


DAMAGES = (
    "DELETE FROM verification_ledger_node",
    "UPDATE verification_ledger_entry SET raw = '{}'",
    "UPDATE verification_ledger_entry SET leaf_hash = sha256(leaf_hash)",
    "UPDATE verification_ledger_checkpoint SET note = ''",
    "UPDATE verification_ledger_checkpoint SET note = '\\xff'",
    "UPDATE verification_ledger_checkpoint SET root = sha256(root)",
    "UPDATE verification_ledger_checkpoint SET size = size + 1000",
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_is_named_and_proves_nothing(
    damage: str, lives: Lives, runtime: Runtime, client: Client, bearer: str
) -> None:
    attempt_id = lives.settled()
    seal(runtime)
    with unguarded():
        owner(damage)
    with pytest.raises(LedgerRefusalError):
        prove_attempts([attempt_id], runtime=runtime)
    headers = {"Authorization": f"Bearer {bearer}"}
    answer = client.get(f"/api/v1/attempts/{attempt_id}/proof/", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (500, "log_damaged")


def test_a_proof_of_consistency_names_a_damaged_log(
    lives: Lives, runtime: Runtime, client: Client, bearer: str
) -> None:
    lives.settled()
    seal(runtime)
    with unguarded():
        owner("DELETE FROM verification_ledger_node")
    headers = {"Authorization": f"Bearer {bearer}"}
    answer = client.get("/api/v1/ledger/consistency/?old=3", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (500, "log_damaged")


@pytest.mark.parametrize(
    "imitation",
    [
        {"commitments": {"biz_no": "no hexadecimal", "reason": "0"}},
        {"commitments": {}, "evidence": [{"id": [1]}]},
        {"commitments": {}, "erasure": [1], "reveal": {"a": 1}},
    ],
)
def test_what_only_looks_like_an_entry_keeps_no_attempt_from_its_proof(
    imitation: dict[str, Json], lives: Lives, runtime: Runtime, tmp_path: Path
) -> None:
    attempt_id = lives.settled()
    stage([canonical({"attempt": str(attempt_id), "kind": "evidence.x", **imitation})])
    seal(runtime)
    document = prove_attempts([attempt_id], runtime=runtime)
    assert document.attempts[0].entries[-1].values == {}
    assert document.attempts[0].entries[0].values["biz_no"] == "ONB-2"
    assert json.loads(to_json(document))


def test_an_older_log_cannot_continue_a_longer_one(lives: Lives, runtime: Runtime) -> None:
    attempt_id = lives.settled()
    seal(runtime)
    stranger = replace(runtime, conf=replace(runtime.conf, ledger_vkeys=()))
    old = bytes(LedgerCheckpoint.objects.all()[0].note)
    with pytest.raises(Exception, match="trusted key"):
        prove_attempts([attempt_id], since=old, runtime=stranger)


def test_the_command_proves_by_business_number_and_by_id(
    lives: Lives, runtime: Runtime, tmp_path: Path
) -> None:
    first, second = lives.submitted("ONB-5"), lives.submitted("ONB-5")
    seal(runtime)
    by_number, by_id = tmp_path / "number.json", tmp_path / "id.json"
    verifier = tmp_path / "verify_proof.py"
    call_command("ledger_prove", "ONB-5", output=by_number, verifier=verifier)
    call_command("ledger_prove", str(second), output=by_id)
    told = json.loads(by_number.read_bytes())["attempts"]
    assert [each["id"] for each in told] == [str(first), str(second)]
    assert check(by_number.read_bytes(), runtime, tmp_path).returncode == 0
    assert check(by_id.read_bytes(), runtime, tmp_path).returncode == 0
    with pytest.raises(CommandError, match="exists"):
        call_command("ledger_prove", "ONB-5", output=by_number)
    with pytest.raises(CommandError, match="No attempt bears"):
        call_command("ledger_prove", "ONB-404", stdout=StringIO())
    assert attempt(first).biz_no == "ONB-5"


def test_the_command_waits_for_the_checkpoint_of_an_attempt_of_just_now(
    lives: Lives, runtime: Runtime, tmp_path: Path
) -> None:
    attempt_id, said = lives.settled(), StringIO()

    def seal_later() -> None:
        seal(runtime)
        connection.close()

    later = threading.Timer(1.5, seal_later)
    later.start()
    try:
        call_command("ledger_prove", str(attempt_id), output=tmp_path / "a.json", stderr=said)
    finally:
        later.join()
    assert "Not sealed yet: waiting up to" in said.getvalue()
    assert check((tmp_path / "a.json").read_bytes(), runtime, tmp_path).returncode == 0
