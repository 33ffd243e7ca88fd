"""Kill the sequencer anywhere: each entry stands in the log once, and the log holds."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from tests.integration.ledger.lives import seal
from verification.ledger.canonical import canonical
from verification.models import LedgerEntry, StagedEntry
from verification.services.runtime import Runtime
from verification.services.staging import stage
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

CHILD = Path(__file__).parent / "sequencer_child.py"


def entry(number: int, runtime: Runtime) -> bytes:
    """Return an entry that is only counted."""
    at = runtime.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return canonical({"at": at, "kind": "test.counted", "number": number})


def numbers() -> list[int]:
    """Return the counted entries in the order of the log."""
    rows = LedgerEntry.objects.filter(kind="test.counted").order_by("index")
    return [json.loads(bytes(each.raw))["number"] for each in rows]


def sequencer(deadly: int) -> "subprocess.Popen[bytes]":
    """Start a sequencer in a process of its own."""
    command = [sys.executable, str(CHILD), str(deadly), connection.settings_dict["NAME"]]
    return subprocess.Popen(command, cwd=CHILD.parents[2], stderr=subprocess.PIPE)


def test_killed_at_any_step_of_a_round_it_did_all_or_nothing(runtime: Runtime) -> None:
    stage(entry(each, runtime) for each in range(3))
    for deadly in range(1, 30):
        with sequencer(deadly) as child:
            _, said = child.communicate(timeout=60)
        assert child.returncode in {0, -9}, said.decode()
        moved = len(numbers())
        waiting = sum(b"test.counted" in bytes(each.raw) for each in StagedEntry.objects.all())
        assert (moved, waiting) in {(0, 3), (3, 0)}
        if child.returncode == 0:
            break
    else:
        pytest.fail("no round was whole: the sweep ended too early")
    assert deadly > 5
    seal(runtime)
    assert numbers() == [0, 1, 2]
    assert verify(runtime=runtime).faults == ()


def test_killed_again_and_again_under_load_it_loses_and_doubles_nothing(runtime: Runtime) -> None:
    count = 0
    for _ in range(4):
        with sequencer(0) as child, sequencer(0) as other:
            until = time.monotonic() + 3
            while time.monotonic() < until:
                stage([entry(count, runtime)])
                count += 1
            child.kill()
            stage([entry(count, runtime)])
            count += 1
            other.kill()
            for each in (child, other):
                each.communicate(timeout=60)
    seal(runtime)
    assert numbers() == list(range(count))
    assert verify(runtime=runtime).faults == ()
