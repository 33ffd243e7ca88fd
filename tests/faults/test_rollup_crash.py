"""Kill the count anywhere: no attempt or review is counted twice, and none is lost."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from tests.conftest import OpenToken
from tests.integration.dashboard.desk import Desk, hold
from tests.integration.dashboard.test_rollups import counted, holds
from tests.integration.ledger.lives import Lives, drain
from verification.models import (
    ApiClient,
    RollupDay,
    RollupHandlingDay,
    RollupMinute,
    RollupPosition,
    RollupReviewDay,
)
from verification.services.rollups import count_changes
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

CHILD = Path(__file__).parent / "rollup_child.py"


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)


def counting(deadly: int) -> "subprocess.Popen[bytes]":
    """Start a count in a process of its own."""
    command = [sys.executable, str(CHILD), str(deadly), connection.settings_dict["NAME"]]
    return subprocess.Popen(command, cwd=CHILD.parents[2], stderr=subprocess.PIPE)


def stands() -> tuple[object, ...]:
    """Return all that a count changes."""
    minutes, days = (
        sorted(table.objects.values_list("figure", "member", "count"))
        for table in (RollupMinute, RollupDay)
    )
    reviews = RollupReviewDay.objects.values_list("day", "by", "rejected", "decided", "proposed")
    times = RollupHandlingDay.objects.values_list("day", "bucket", "count")
    return (
        sorted(counted().items()), minutes, days, sorted(reviews), sorted(times),
        list(RollupPosition.objects.values_list("index")),
    )  # fmt: skip


def test_killed_before_any_statement_it_did_nothing(lives: Lives, runtime: Runtime) -> None:
    lives.submitted("ONB-1", verbose="1")
    drain(runtime)
    count_changes(runtime=runtime)
    lives.in_doubt()
    desk = Desk.open(lives, runtime)
    desk.decided()
    drain(runtime)
    before = stands()
    for deadly in range(1, 60):
        with counting(deadly) as child:
            _, said = child.communicate(timeout=60)
        assert child.returncode in {0, -9}, said.decode()
        if child.returncode == 0:
            break
        assert stands() == before
    else:
        pytest.fail("no count was whole: the sweep ended too early")
    assert deadly > 10
    assert stands() != before
    assert RollupReviewDay.objects.get(rejected=1).seconded == 1
    assert holds()
    assert hold()


def test_killed_again_and_again_while_attempts_come_the_sums_are_right(
    lives: Lives, runtime: Runtime
) -> None:
    desk = Desk.open(lives, runtime)
    for number in range(4):
        with counting(0) as child, counting(0) as other:
            until = time.monotonic() + 3
            while time.monotonic() < until:
                lives.submitted(f"ONB-{number}", verbose="1")
                desk.decided()
                drain(runtime)
            child.kill()
            lives.submitted(f"ONB-{number}")
            drain(runtime)
            other.kill()
            for each in (child, other):
                each.communicate(timeout=60)
    while count_changes(runtime=runtime).is_behind:
        pass
    assert holds()
    assert hold()
    assert counted()
    assert RollupReviewDay.objects.filter(rejected__gt=4).exists()
