"""A whole verification of a log that nobody touched."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.integration.ledger.lives import LIVES, Lives, drain, seal
from verification.ledger.anchors import anchor
from verification.models import LedgerCheckpoint, LedgerVerification
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_log_of_every_kind_of_life_holds(lives: Lives, runtime: Runtime) -> None:
    for lead in LIVES.values():
        lead(lives)
        drain(runtime)
    seal(runtime)
    outcome = verify(runtime=runtime)
    assert outcome.faults == ()
    assert outcome.warnings == ()
    assert outcome.attempts == len(LIVES)


def test_the_command_says_so_and_keeps_the_result(
    lives: Lives, runtime: Runtime, tmp_path: Path
) -> None:
    lives.settled()
    seal(runtime)
    file = tmp_path / "anchors"
    notes = [bytes(each.note) for each in LedgerCheckpoint.objects.order_by("size")]
    file.write_bytes(b"".join(map(anchor, notes)))
    out, err = StringIO(), StringIO()
    call_command("ledger_verify", anchor=[file], stdout=out, stderr=err)
    assert out.getvalue().startswith("Holds: ")
    assert "No anchor" not in err.getvalue()
    assert LedgerVerification.objects.get().result == "held"


def test_it_goes_on_from_a_trusted_checkpoint(
    lives: Lives, runtime: Runtime, tmp_path: Path
) -> None:
    lives.settled()
    seal(runtime)
    file = tmp_path / "checkpoint"
    file.write_bytes(bytes(LedgerCheckpoint.objects.all()[0].note))
    lives.settled()
    seal(runtime)
    out = StringIO()
    call_command("ledger_verify", start=file, no_record=True, stdout=out)
    assert out.getvalue().startswith("Holds: ")
    assert not LedgerVerification.objects.exists()


def test_without_an_anchor_it_warns(lives: Lives, runtime: Runtime) -> None:
    lives.settled()
    drain(runtime)
    lives.settled()
    drain(runtime)
    err = StringIO()
    call_command("ledger_verify", stdout=StringIO(), stderr=err)
    assert "No anchor" in err.getvalue()
    assert "not sealed by a checkpoint yet" in err.getvalue()


def test_what_cannot_be_read_is_not_called_broken(runtime: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    file.write_text("no checkpoint")
    with pytest.raises(SystemExit) as ended:
        call_command("ledger_verify", start=file, stdout=StringIO(), stderr=StringIO())
    assert ended.value.code == 2
