"""Kill the process at every point of the corridor, recover: nothing is lost, nothing twice."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from tests.conftest import OpenToken
from verification.faceid.contract import VERIFY_PATH
from verification.lifecycle import State
from verification.models import ApiClient, VerificationAttempt
from verification.sandbox.server import SandboxServer
from verification.services.errors import AttemptInFlightError
from verification.services.reaper import reap
from verification.services.record_audit import check_attempt
from verification.services.runtime import Runtime
from verification.services.submission import submit

pytestmark = pytest.mark.django_db(transaction=True)

CHILD = Path(__file__).parent / "crash_child.py"
PACKET = b"packet of the crash sweep" * 4000

KILLED_AT = {
    # point: (row after the reaper, its state after the caller's retry, complete calls in the end)
    "before_accept": (None, State.ANSWERED, 1),
    "after_accept": (State.NOT_SENT, State.ANSWERED, 1),
    "after_intend": (State.IN_DOUBT, State.IN_DOUBT, 0),
    "after_answer": (State.IN_DOUBT, State.IN_DOUBT, 1),
    "after_settle": (State.ANSWERED, State.ANSWERED, 1),
}


@pytest.fixture
def crash(client_app: ApiClient, sandbox: SandboxServer) -> Callable[[str, str], None]:
    """Return a function that submits in another process and has it killed at a point."""

    def run(point: str, token: str) -> None:
        given = {"client": str(client_app.pk), "biz_token": token, "base_url": sandbox.base_url}
        database = connection.settings_dict["NAME"]
        done = subprocess.run(
            [sys.executable, str(CHILD), point, database],
            input=json.dumps(given).encode(),
            cwd=CHILD.parents[2],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == -9, done.stderr.decode()
        assert token.encode() not in done.stdout + done.stderr

    return run


def later(runtime: Runtime) -> Runtime:
    """Return a runtime whose clock is past every deadline."""

    def clock() -> datetime:
        return runtime.now() + timedelta(minutes=5)

    return replace(runtime, now=clock)


@pytest.mark.parametrize("point", KILLED_AT)
def test_killed_anywhere_the_row_tells_the_truth_and_a_retry_ends_well(
    point: str,
    crash: Callable[[str, str], None],
    client_app: ApiClient,
    runtime: Runtime,
    open_token: OpenToken,
    sandbox: SandboxServer,
) -> None:
    reaped, retried, calls = KILLED_AT[point]
    token = open_token("ONB-crash")
    crash(point, token)
    reap(runtime=later(runtime))
    stored = VerificationAttempt.objects.first()
    assert (stored and stored.state) == reaped
    if stored:
        assert check_attempt(attempt_id=stored.pk, runtime=runtime) == ()
    try:
        submitted = submit(
            client=client_app,
            biz_token=token,
            packet=memoryview(PACKET),
            packet_sha256=hashlib.sha256(PACKET).digest(),
            idempotency_key=None,
            runtime=runtime,
        )
    except AttemptInFlightError:
        pytest.fail("after the reaper nothing may be in flight")
    assert submitted.attempt.state == retried
    assert VerificationAttempt.objects.count() == 1
    assert check_attempt(attempt_id=submitted.attempt.pk, runtime=runtime) == ()
    seen = [entry for entry in sandbox.requests.entries() if entry.path == VERIFY_PATH]
    assert sum(entry.complete for entry in seen) == calls
    digest = hashlib.sha256(PACKET).hexdigest()
    assert bytes(submitted.attempt.packet_sha256).hex() == digest
    assert {entry.packet_sha256 for entry in seen if entry.complete} <= {digest}
