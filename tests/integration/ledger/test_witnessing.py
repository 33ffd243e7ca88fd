"""Checkpoints and a real witness over HTTP: what it cosigns, and what it will not."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.ledger.lives import Lives, ahead, seal
from tests.owner import unguarded
from verification.conf import WitnessAddress
from verification.ledger.checkpoint import Checkpoint, cosign, open_checkpoint, sign_checkpoint
from verification.ledger.keys import SignatureType, SigningKey
from verification.ledger.witness import Witness
from verification.ledger.witness_http import WitnessServer
from verification.ledger.witness_store import create_store
from verification.models import LedgerCheckpoint, LedgerCosignature
from verification.services.faults import FaultCode
from verification.services.proving import signed_note
from verification.services.runtime import Runtime
from verification.services.verifying import verify
from verification.services.witnessing import Answer, offer_checkpoint

pytestmark = pytest.mark.django_db(transaction=True)

KEY = SigningKey("witness.example/w", SignatureType.COSIGNATURE, b"w" * 32)


@pytest.fixture
def witness(runtime: Runtime, tmp_path: Path) -> Iterator[WitnessServer]:
    """Run a witness of the test log at an address of its own."""
    store = create_store(tmp_path / "witness", KEY.verifier)
    serving = Witness(KEY, runtime.conf.ledger_vkeys, store, time.time)
    with WitnessServer(serving, "127.0.0.1", 0, report=print) as server:
        yield server


@pytest.fixture
def witnessed(runtime: Runtime, witness: WitnessServer) -> Runtime:
    """Return a runtime whose log has that witness."""
    address = WitnessAddress(witness.base_url, KEY.verifier)
    return replace(runtime, conf=replace(runtime.conf, ledger_witnesses=(address,)))


def test_every_checkpoint_is_cosigned_once(lives: Lives, witnessed: Runtime) -> None:
    assert offer_checkpoint(runtime=witnessed) == 0
    for number in range(3):
        lives.settled()
        seal(ahead(witnessed, 60.0 * number))
        assert offer_checkpoint(runtime=witnessed) == 1
        assert offer_checkpoint(runtime=witnessed) == 0
    assert LedgerCosignature.objects.count() == 3
    newest = LedgerCheckpoint.objects.all()[0]
    opened = open_checkpoint(
        signed_note(newest), log_keys=witnessed.conf.ledger_vkeys, witnesses=[KEY.verifier]
    )
    assert [each.witness for each in opened.cosignatures] == [KEY.verifier]
    assert verify(runtime=ahead(witnessed, 300)).faults == ()


def test_a_witness_that_knows_more_than_we_remember_is_asked_again(
    lives: Lives, witnessed: Runtime
) -> None:
    lives.settled()
    seal(witnessed)
    offer_checkpoint(runtime=witnessed)
    with unguarded():
        LedgerCosignature.objects.all().delete()
    lives.settled()
    seal(ahead(witnessed, 60))
    assert offer_checkpoint(runtime=witnessed) == 1


def test_a_log_with_another_past_is_refused_with_an_alert(
    lives: Lives, witnessed: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    lives.settled()
    seal(witnessed)
    offer_checkpoint(runtime=witnessed)
    newest = LedgerCheckpoint.objects.all()[0]
    key = witnessed.conf.ledger_key
    assert key is not None
    forged = sign_checkpoint(Checkpoint(key.name, newest.size, b"r" * 32), key)
    with unguarded():
        LedgerCosignature.objects.all().delete()
        LedgerCheckpoint.objects.filter(size=newest.size).update(note=forged, root=b"r" * 32)
    assert offer_checkpoint(runtime=witnessed) == 0
    assert "refuses the log" in caplog.text
    assert not LedgerCosignature.objects.exists()


def test_a_witness_that_is_away_is_no_obstacle(
    lives: Lives, witnessed: Runtime, witness: WitnessServer, caplog: pytest.LogCaptureFixture
) -> None:
    lives.settled()
    seal(witnessed)
    witness.stop()
    assert offer_checkpoint(runtime=witnessed) == 0
    assert "did not cosign: ConnectionError" in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"no signature"),
        Answer(200, "\u2014 witness.example/w AAAAAAA=\n".encode()),
        Answer(200, "\u2014 other.example/w dzpsEgAAAABlU/EA\n".encode()),
        Answer(409, b"not a size"),
        Answer(500, b""),
        Answer(302, b""),
    ],
)
def test_nothing_but_a_cosignature_is_kept(
    answer: Answer, lives: Lives, witnessed: Runtime
) -> None:
    lives.settled()
    seal(witnessed)
    assert offer_checkpoint(runtime=witnessed, send=lambda _url, _body: answer) == 0
    assert not LedgerCosignature.objects.exists()


OTHER = SigningKey("witness.example/w", SignatureType.COSIGNATURE, b"x" * 32)


@pytest.mark.parametrize(
    "change",
    ["witness", "time", "line", "key"],
)
def test_what_a_page_would_say_of_a_witness_is_held_against_its_line(
    change: str, lives: Lives, witnessed: Runtime
) -> None:
    lives.settled()
    seal(witnessed)
    offer_checkpoint(runtime=witnessed)
    note = bytes(LedgerCheckpoint.objects.latest("size").note)
    row = LedgerCosignature.objects.get()
    with unguarded("verification_ledger_cosignature"):
        if change == "witness":
            row.witness = "auditor.example/w"
        elif change == "time":
            row.cosigned_at += timedelta(days=1)
        elif change == "line":
            row.line = "— witness.example/w bm8="
        else:
            at = int(row.cosigned_at.timestamp())
            row.line = cosign(note, OTHER, time_s=at).decode().splitlines()[-1]
        row.save()
        found = {each.code for each in verify(runtime=ahead(witnessed, 60)).faults}
    assert found & {FaultCode.CHECKPOINT, FaultCode.LOG}
