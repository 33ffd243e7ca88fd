"""`ledger_checkpoint`: the newest note, or one made now."""

import threading
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from verification.ledger.canonical import canonical
from verification.ledger.checkpoint import Checkpoint, open_checkpoint
from verification.models import LedgerCheckpoint, LedgerEntry, StagedEntry
from verification.selectors.ledger import log_size
from verification.services.checkpointing import TRIES, seal_now
from verification.services.errors import LedgerRefusalError
from verification.services.runtime import Runtime, get_runtime
from verification.services.sequencing import LOCK, tend_log
from verification.services.staging import stage

pytestmark = pytest.mark.django_db(transaction=True)

COUNTED = canonical({"kind": "test.counted"})
Printed = Callable[..., Checkpoint]


@pytest.fixture
def printed(capfdbinary: pytest.CaptureFixture[bytes]) -> Printed:
    """Return what runs the command and opens what it prints."""

    def run(*arguments: str) -> Checkpoint:
        call_command("ledger_checkpoint", *arguments)
        note = capfdbinary.readouterr().out
        return open_checkpoint(note, log_keys=get_runtime().conf.ledger_vkeys).checkpoint

    return run


def test_a_log_without_a_checkpoint_says_so(transactional_db: None) -> None:
    with pytest.raises(CommandError, match="no checkpoint yet"):
        call_command("ledger_checkpoint")


def test_it_prints_the_newest_and_changes_nothing(printed: Printed, runtime: Runtime) -> None:
    tend_log(runtime=runtime)
    stage([COUNTED])
    assert printed().size == LedgerCheckpoint.objects.get().size
    assert StagedEntry.objects.filter(raw=COUNTED).exists()


def test_a_new_one_seals_all_that_is_staged(printed: Printed, runtime: Runtime) -> None:
    first = printed("--new")
    stage(canonical({"kind": "test.counted", "number": number}) for number in range(4100))
    second = printed("--new")
    assert second.size >= first.size + 4100
    assert second.size == log_size()
    assert not StagedEntry.objects.exists()
    assert LedgerEntry.objects.filter(kind="heartbeat").count() >= 2
    assert printed().root == second.root


def test_without_the_key_none_is_made(runtime: Runtime) -> None:
    stage([COUNTED])
    with pytest.raises(LedgerRefusalError, match="no key"):
        seal_now(runtime=replace(runtime, conf=replace(runtime.conf, ledger_key=None)))
    assert StagedEntry.objects.filter(raw=COUNTED).exists()


def test_while_another_holds_the_lock_it_waits_and_then_gives_up(runtime: Runtime) -> None:
    other = connection.copy()
    pauses: list[float] = []
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        with pytest.raises(LedgerRefusalError, match="holds the sequencer's lock"):
            seal_now(runtime=runtime, sleep=pauses.append)
    finally:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        other.close()
    assert len(pauses) == TRIES
    assert seal_now(runtime=runtime).size == log_size()


def test_beside_a_running_sequencer_it_makes_one(runtime: Runtime) -> None:
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            tend_log(runtime=runtime)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        sizes = [seal_now(runtime=runtime).size for _ in range(5)]
    finally:
        stopping.set()
        thread.join()
    assert sizes == sorted(set(sizes))


def test_the_public_keys_are_printed_for_auditors_to_pin(runtime: Runtime) -> None:
    out = StringIO()
    call_command("ledger_checkpoint", vkey=True, stdout=out)
    assert out.getvalue().split() == [str(each) for each in runtime.conf.ledger_vkeys]
