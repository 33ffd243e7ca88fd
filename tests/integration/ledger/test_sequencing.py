"""The sequencer: every staged entry gets one place, in order, all or nothing."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction

from tests.owner import unguarded
from verification.ledger.anchors import read_anchors
from verification.ledger.audit import SealedCheckpoint, Trust, audit
from verification.ledger.canonical import canonical, parse
from verification.ledger.checkpoint import Checkpoint, sign_checkpoint
from verification.ledger.proofs import verify_consistency, verify_inclusion
from verification.models import LedgerCheckpoint, LedgerEntry, LedgerNode, StagedEntry
from verification.selectors.ledger import consistency_proof, inclusion_proof, log_size
from verification.services.errors import LedgerRefusalError
from verification.services.runtime import Runtime
from verification.services.sequencing import LOCK, tend_log
from verification.services.staging import stage

pytestmark = pytest.mark.django_db(transaction=True)


def entry(number: int, **facts: str) -> bytes:
    """Return an entry that is only counted."""
    return canonical({"kind": "test.counted", "number": number, **facts})


def drain(runtime: Runtime) -> None:
    """Sequence until nothing is staged."""
    while tend_log(runtime=runtime):
        pass


def numbers() -> list[int]:
    """Return the counted entries in the order of the log."""
    rows = LedgerEntry.objects.filter(kind="test.counted").order_by("index")
    return [int(str(parse(bytes(each.raw))["number"])) for each in rows]


def check_log(runtime: Runtime) -> int:
    """Audit entries and checkpoints from the tables; return how many entries there are."""
    rows = LedgerEntry.objects.order_by("index")
    notes = LedgerCheckpoint.objects.order_by("size")
    steps = audit(
        [(each.index, bytes(each.raw)) for each in rows],
        [SealedCheckpoint(bytes(each.note), int(each.made_at.timestamp())) for each in notes],
        Trust(runtime.conf.ledger_vkeys),
    )
    return list(steps)[-1].size


def test_staged_entries_move_into_the_log_in_their_order(runtime: Runtime) -> None:
    stage(entry(number) for number in range(5000))
    drain(runtime)
    assert numbers() == list(range(5000))
    assert not StagedEntry.objects.exists()
    assert check_log(runtime) == log_size()


def test_a_round_without_entries_moves_nothing(runtime: Runtime) -> None:
    drain(runtime)
    size = log_size()
    assert tend_log(runtime=runtime) == 0
    assert log_size() == size


def test_an_entry_whose_transaction_failed_is_never_seen(runtime: Runtime) -> None:
    with transaction.atomic():
        stage([entry(1)])
        transaction.set_rollback(True)
    drain(runtime)
    assert numbers() == []


def test_proofs_from_the_stored_hashes_hold(runtime: Runtime) -> None:
    stage(entry(number) for number in range(100))
    drain(runtime)
    old = LedgerCheckpoint.objects.get()
    stage(entry(number) for number in range(100, 333))
    later = replace(runtime, now=lambda: old.made_at + timedelta(seconds=60))
    drain(later)
    new = LedgerCheckpoint.objects.first()
    assert new is not None
    for row in LedgerEntry.objects.all():
        verify_inclusion(
            leaf=bytes(row.leaf_hash),
            index=row.index,
            size=new.size,
            proof=inclusion_proof(row.index, new.size),
            root=bytes(new.root),
        )
    verify_consistency(
        old_size=old.size,
        new_size=new.size,
        proof=consistency_proof(old.size, new.size),
        old_root=bytes(old.root),
        new_root=bytes(new.root),
    )


def test_two_sequencers_at_once_lose_and_double_nothing(runtime: Runtime) -> None:
    start = threading.Barrier(3)

    def work(name: int) -> None:
        start.wait()
        if name == 0:
            for number in range(300):
                stage([entry(number)])
        else:
            for _ in range(200):
                tend_log(runtime=runtime)
        connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    drain(runtime)
    assert numbers() == list(range(300))
    check_log(runtime)


def test_while_another_holds_the_lock_nothing_moves(runtime: Runtime) -> None:
    stage([entry(1)])
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        assert tend_log(runtime=runtime) == 0
    finally:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        other.close()
    drain(runtime)
    assert numbers() == [1]


def test_what_is_no_entry_is_refused_on_record_and_blocks_nothing(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    bad = [b'{"kind": "spaced"}', b"\xff\x00", b'{"no":"k"}', b'{"attempt":"x","kind":"k"}']
    stage([entry(1), *bad, entry(2)])
    drain(runtime)
    assert numbers() == [1, 2]
    assert LedgerEntry.objects.filter(kind="entry.refused").count() == len(bad)
    assert "spaced" not in caplog.text
    check_log(runtime)


def test_a_log_that_stands_still_is_sealed_with_a_heartbeat(runtime: Runtime) -> None:
    drain(runtime)
    first = LedgerCheckpoint.objects.get()
    soon = replace(runtime, now=lambda: first.made_at + timedelta(seconds=29))
    tend_log(runtime=soon)
    assert LedgerCheckpoint.objects.count() == 1
    due = replace(runtime, now=lambda: first.made_at + timedelta(seconds=30))
    tend_log(runtime=due)
    second = LedgerCheckpoint.objects.first()
    assert second is not None
    assert second.size == first.size + 1
    assert LedgerEntry.objects.get(index=first.size).kind == "heartbeat"


def test_an_export_is_sealed_at_once(runtime: Runtime) -> None:
    drain(runtime)
    stage([canonical({"kind": "export.created"})])
    drain(runtime)
    assert LedgerCheckpoint.objects.count() == 2


def test_the_clock_going_back_does_not_take_the_checkpoints_with_it(runtime: Runtime) -> None:
    drain(runtime)
    first = LedgerCheckpoint.objects.get()
    stage([canonical({"kind": "export.created"})])
    drain(replace(runtime, now=lambda: first.made_at - timedelta(hours=1)))
    second = LedgerCheckpoint.objects.first()
    assert second is not None
    assert second.made_at == first.made_at


def test_without_a_key_entries_are_sequenced_and_nothing_is_signed(runtime: Runtime) -> None:
    keyless = replace(runtime, conf=replace(runtime.conf, ledger_key=None))
    stage([entry(1)])
    drain(keyless)
    assert numbers() == [1]
    assert not LedgerCheckpoint.objects.exists()


def test_the_policy_is_an_entry_when_it_changes_and_not_else(runtime: Runtime) -> None:
    drain(runtime)
    other = replace(runtime, conf=replace(runtime.conf, reveals_per_hour=5))
    for each in (runtime, other, other):
        stage([canonical({"kind": "export.created"})])
        drain(each)
    said = LedgerEntry.objects.filter(kind="policy.changed").order_by("index")
    limits = [json.loads(bytes(each.raw))["policy"]["reveals_per_hour"] for each in said]
    assert limits == [30, 5]


@pytest.fixture
def anchored(runtime: Runtime, tmp_path: Path) -> Runtime:
    """Return a runtime with an anchor file."""
    return replace(runtime, conf=replace(runtime.conf, ledger_anchor_file=tmp_path / "anchors"))


def anchor_file(runtime: Runtime) -> Path:
    """Return where the checkpoints go."""
    assert runtime.conf.ledger_anchor_file is not None
    return runtime.conf.ledger_anchor_file


def test_every_checkpoint_is_appended_to_the_anchor_file(anchored: Runtime) -> None:
    for _ in range(3):
        stage([canonical({"kind": "export.created"})])
        drain(anchored)
    notes = [bytes(each.note) for each in LedgerCheckpoint.objects.order_by("size")]
    assert read_anchors(anchor_file(anchored).read_bytes()) == notes
    assert len(notes) == 3


def test_a_log_that_was_rolled_back_is_not_signed(anchored: Runtime) -> None:
    drain(anchored)
    with unguarded():
        for model in (LedgerCheckpoint, LedgerNode, LedgerEntry):
            model.objects.all().delete()
    stage([entry(1)])
    with pytest.raises(LedgerRefusalError, match="rolled back"):
        tend_log(runtime=anchored)
    assert StagedEntry.objects.exists()


def test_a_log_with_another_past_is_not_signed(anchored: Runtime) -> None:
    drain(anchored)
    key = anchored.conf.ledger_key
    assert key is not None
    anchor_file(anchored).write_bytes(sign_checkpoint(Checkpoint(key.name, 1, b"r" * 32), key))
    stage([canonical({"kind": "export.created"})])
    with pytest.raises(LedgerRefusalError, match="not those that were published"):
        tend_log(runtime=anchored)


def test_an_anchor_file_of_nonsense_stops_the_signing(anchored: Runtime) -> None:
    anchor_file(anchored).write_text("some text\n\n\u2014 no note\n")
    with pytest.raises(LedgerRefusalError, match="does not hold"):
        tend_log(runtime=anchored)


def test_nobody_takes_an_entry_from_the_stage_but_into_the_log(db: None) -> None:
    stage([entry(1)])
    with pytest.raises(IntegrityError), transaction.atomic():
        StagedEntry.objects.all().delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        StagedEntry.objects.update(raw=b"{}")
    assert StagedEntry.objects.filter(raw=entry(1)).exists()


@pytest.mark.parametrize("table", ["entry", "node"])
def test_a_damaged_log_is_not_continued(table: str, runtime: Runtime) -> None:
    stage(entry(number) for number in range(9))
    drain(runtime)
    size = log_size()
    with unguarded(), connection.cursor() as cursor:
        if table == "entry":
            cursor.execute("DELETE FROM verification_ledger_entry WHERE index > %s", [size - 4])
        else:
            cursor.execute("DELETE FROM verification_ledger_node WHERE level > 1")
    stage(entry(number) for number in range(3))
    with pytest.raises(LedgerRefusalError, match="run ledger_verify"):
        drain(runtime)
    assert StagedEntry.objects.count() == 3
