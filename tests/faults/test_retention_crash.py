"""Kill the worker anywhere in a run: what it destroyed is on record, and the next one goes on."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests.integration.ledger.lives import Lives, seal
from tests.integration.retention.conftest import lives, old, people
from tests.integration.retention.runs import People, approved, entries
from verification.models import EvidenceKey, Expiry, RetentionRun
from verification.models.retention import EXPIRED
from verification.services.runtime import Runtime
from verification.services.verifying import verify

__all__ = ["lives", "old", "people"]
pytestmark = pytest.mark.django_db(transaction=True)

CHILD = Path(__file__).parent / "retention_child.py"
KEYS = 7


def work(deadly: int) -> int:
    """Let a process work, and return how it ended."""
    command = [sys.executable, str(CHILD), str(deadly), connection.settings_dict["NAME"]]
    with subprocess.Popen(command, cwd=CHILD.parents[2], stderr=subprocess.PIPE) as child:
        _, said = child.communicate(timeout=60)
    assert child.returncode in {0, -9}, said.decode()
    return child.returncode


def test_killed_in_mid_run_it_goes_on_and_destroys_each_key_once(
    old: Lives, people: People, runtime: Runtime
) -> None:
    ids = {old.settled() for _ in range(KEYS)}
    run = approved(people, runtime)
    seen = []
    for deadly in (3, 9, 12, 14, 17, 19, 25, 34, 0):
        ended = work(deadly)
        run.refresh_from_db()
        destroyed = EvidenceKey.objects.filter(sealed=None).count()
        assert destroyed == run.expired == Expiry.objects.count() == len(entries(EXPIRED))
        seen.append(destroyed)
        if ended == 0:
            break
    assert len(set(seen)) > 3, "it was never killed between two pages"
    assert seen[0] == 0
    assert (run.state, run.seen, run.expired) == ("done", KEYS, KEYS)
    assert RetentionRun.objects.count() == 1
    said = [entry["attempt"] for entry in entries(EXPIRED)]
    assert sorted(said) == sorted(map(str, ids))
    seal(runtime)
    assert verify(runtime=runtime).faults == ()
