"""Every attack of an insider is found and called by its name; what needs an anchor needs it."""

from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from tests.integration.ledger.insider import ATTACKS, WITH_ANCHOR, Scene
from tests.integration.ledger.lives import Lives, ahead, seal
from tests.owner import unguarded, watched
from verification.ledger.anchors import anchor
from verification.models import LedgerCheckpoint
from verification.services.errors import LedgerRefusalError
from verification.services.faults import FaultCode
from verification.services.log_audit import Sealed, read_anchor_notes
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scene(lives: Lives, runtime: Runtime) -> Iterator[Scene]:
    """Seal a log three times, with attempts of several lives between."""
    one, two = (lives.submitted(name, verbose="1", device_risk="1") for name in ("ONB-1", "ONB-2"))
    revealed, erased = lives.revealed(), lives.erased()
    seal(runtime)
    closed = lives.closed()
    seal(ahead(runtime, 35))
    lives.settled()
    seal(ahead(runtime, 70))
    made = Scene(lives, runtime, one, two, revealed, erased, closed)
    assert verify(runtime=runtime).faults == ()
    yield made
    restore_constraint()


def restore_constraint() -> None:
    """Put back what one attack takes away, once its row is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_constraint WHERE conname = 'erasure_four_eyes'")
        if cursor.fetchone() is not None:
            return
    with unguarded("verification_erasure"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM verification_erasure")
        cursor.execute(
            "ALTER TABLE verification_erasure ADD CONSTRAINT erasure_four_eyes"
            " CHECK (decided_by_id IS NULL OR decided_by_id <> requested_by_id)"
        )


def anchors() -> list[Sealed]:
    """Return the checkpoints as somebody kept them who does not own the database."""
    notes = [bytes(each.note) for each in LedgerCheckpoint.objects.order_by("size")]
    return read_anchor_notes(notes, "kept elsewhere")


def attack(scene: Scene, name: str) -> None:
    """Do it with every guard and watcher off, and go on working afterwards."""
    does = WITH_ANCHOR[name] if name in WITH_ANCHOR else ATTACKS[name][0]
    with unguarded(), unguarded(*watched()):
        does(scene)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_found_and_named(name: str, scene: Scene) -> None:
    attack(scene, name)
    with suppress(LedgerRefusalError):  # a sequencer cannot go on where entries are missing
        seal(ahead(scene.runtime, 105))
    outcome = verify(runtime=scene.runtime)
    assert outcome.faults
    assert outcome.faults[0].code == ATTACKS[name][1], outcome.faults


@pytest.mark.parametrize("name", WITH_ANCHOR)
def test_a_consistent_rewrite_is_seen_with_an_anchor_and_only_with_one(
    name: str, scene: Scene
) -> None:
    kept = anchors()
    attack(scene, name)
    assert verify(runtime=scene.runtime).faults == ()
    found = verify(runtime=scene.runtime, anchors=kept).faults
    assert found[0].code == FaultCode.ANCHOR
    assert "kept elsewhere" in found[0].sentence


def test_there_are_at_least_thirty_five() -> None:
    assert len(ATTACKS) + len(WITH_ANCHOR) >= 35


def test_the_command_says_what_is_broken_and_ends_with_one(scene: Scene, tmp_path: Path) -> None:
    file = tmp_path / "anchors"
    file.write_bytes(b"".join(anchor(each.note) for each in anchors()))
    attack(scene, "a score's digit")
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("ledger_verify", anchor=[file], stdout=out, stderr=StringIO())
    assert ended.value.code == 1
    assert f"row_differs: attempt {scene.one}" in out.getvalue()
    assert "scores" in out.getvalue()


def test_a_digit_that_means_nothing_is_found_too(scene: Scene) -> None:
    with unguarded(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE verification_attempt"
            " SET ref1_confidence = (ref1_confidence::text || '0')::numeric WHERE id = %s",
            [scene.one],
        )
    [found] = verify(runtime=scene.runtime).faults
    assert (found.code, found.attempt_id) == (FaultCode.ROW, scene.one)


def test_from_a_trusted_checkpoint_edited_rows_of_before_are_found(scene: Scene) -> None:
    trusted = anchors()[0].note
    attack(scene, "a business number")
    found = verify(runtime=scene.runtime, start=trusted).faults
    assert [each.attempt_id for each in found] == [scene.one]
